/**
 * `sallyport policy …`: the tools of the policy language, and the policies of a data folder. Says what each command takes;
 * what it does is a file of its own, loaded when it is asked for.
 */
import type { Command } from "commander";
import type { CommandContext } from "./run-cli.ts";

export function addPolicyCommands(program: Command, _context: CommandContext): void {
  program
    .command("policy")
    .summary("check, test, explain and import policies")
    .description("The tools of the policy language, and the policies of a data folder.");
}
