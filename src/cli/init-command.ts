/** placeholder, written next */
import type { Command } from "commander";
import type { CommandContext } from "./run-cli.ts";
export function addInitCommand(program: Command, _context: CommandContext): void {
  program.command("init");
}
