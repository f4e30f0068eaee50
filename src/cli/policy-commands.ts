/**
 * `sallyport policy …`: the tools of the policy language, and the policies of a data folder. Says what each command takes;
 * what it does is a file of its own, loaded when it is asked for.
 */
import type { Command } from "commander";
import type { TestFlags } from "./policy-test.ts";
import type { CommandContext } from "./run-cli.ts";

const JSON_FLAG = "print JSON and nothing else";

export function addPolicyCommands(program: Command, context: CommandContext): void {
  const policy = program
    .command("policy")
    .summary("check, test, explain and import policies")
    .description("The tools of the policy language, and the policies of a data folder.");
  policy
    .command("test <file...>")
    .description("Run policy test files: calls with what the policy has to say to each. A folder stands for the test files in it.")
    .option("--json", JSON_FLAG)
    .addHelpText(
      "after",
      `
Examples:
  $ sallyport policy test policies/sendit.policy-test.yaml
  $ sallyport policy test policies

A test file, beside its policy:
  policy: ./refunds.json
  cases:
    - name: a small refund passes
      call: { name: create_refund, arguments: { amount: 50 } }
      expect: { decision: allow }

Exit codes: 0 all as expected, 1 something is not, 2 a file can't be run.`,
    )
    .action(async (files: string[], flags: TestFlags) => (await import("./policy-test.ts")).testPolicies(context, files, flags));
}
