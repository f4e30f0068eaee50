/**
 * `sallyport policy …`: the tools of the policy language, and the policies of a data folder. Says what each command takes;
 * what it does is a file of its own, loaded when it is asked for.
 */
import type { Command } from "commander";
import { addFolderFlags, type FolderFlags } from "./folder-flags.ts";
import type { CheckFlags } from "./policy-check.ts";
import type { ExplainFlags } from "./policy-explain.ts";
import type { SetFlags } from "./policy-folder.ts";
import type { ImportFlags } from "./policy-import.ts";
import type { SuggestFlags } from "./policy-suggest.ts";
import type { TestFlags } from "./policy-test.ts";
import type { CommandContext } from "./run-cli.ts";

const JSON_FLAG = "print JSON and nothing else";

export function addPolicyCommands(program: Command, context: CommandContext): void {
  const policy = program
    .command("policy")
    .summary("check, test, explain, import and suggest policies")
    .description("The tools of the policy language, and the policies of a data folder.");
  addCheck(policy, context);
  addTest(policy, context);
  addExplain(policy, context);
  addImport(policy, context);
  addSuggest(policy, context);
  addStored(policy, context);
}

function addCheck(policy: Command, context: CommandContext): void {
  policy
    .command("check <file...>")
    .description("Say every error of policy files, each with its place, and warn of rules that are likely to be open.")
    .option("--tools <file>", "the server's tools, as `tools/list` answers: warn of what only they can tell")
    .option("--json", JSON_FLAG)
    .addHelpText(
      "after",
      `
Examples:
  $ sallyport policy check policies/sendit.json
  $ sallyport policy check --tools tools.json policies/sendit.json

Exit codes: 0 valid (warnings or not), 1 a document has an error, 2 a file can't be read.`,
    )
    .action(async (files: string[], flags: CheckFlags) => (await import("./policy-check.ts")).checkPolicies(context, files, flags));
}

function addTest(policy: Command, context: CommandContext): void {
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

function addExplain(policy: Command, context: CommandContext): void {
  policy
    .command("explain <file>")
    .description("Tell why one call is decided as it is: every question in its order, and what was found.")
    .option("--call <json>", 'the call: {"name": …, "arguments": {…}}')
    .option("--call-file <file>", "a file with the call, JSON or YAML")
    .option("--tools <file>", "the server's tools, as `tools/list` answers")
    .option("--grant <json>", 'who calls: {"label": …, "identity": …, "tags": {…}}')
    .option("--at <time>", "when, as 2026-01-05T09:00:00Z; left out: now")
    .option("--json", JSON_FLAG)
    .addHelpText(
      "after",
      `
Example:
  $ sallyport policy explain policies/sendit.json --call '{"name":"connect_connector","arguments":{"connector":"notion"}}'

Counters and people are not asked: of limits and approvals it tells what would be.`,
    )
    .action(async (file: string, flags: ExplainFlags) => (await import("./policy-explain.ts")).explainPolicy(context, file, flags));
}

function addImport(policy: Command, context: CommandContext): void {
  policy
    .command("import <file>")
    .description("Turn an older YAML policy, with lists of `rules`, into this language. What has no equal is an error, and is named.")
    .option("--lossy", "leave out what has no equal; it is named all the same")
    .option("-o, --out <file>", "write the policy here instead of printing it")
    .option("--json", "print JSON and nothing else: the policy, or what stands in its way")
    .addHelpText(
      "after",
      `
Examples:
  $ sallyport policy import old.yaml --out policy.json
  $ sallyport policy import --lossy old.yaml > policy.json && sallyport policy check policy.json

The policy goes to standard output, words about it to standard error.
Exit codes: 0 imported, 1 something has no equal or is an error, 2 the file can't be read.`,
    )
    .action(async (file: string, flags: ImportFlags) => (await import("./policy-import.ts")).importPolicy(context, file, flags));
}

function addSuggest(policy: Command, context: CommandContext): void {
  addFolderFlags(
    policy
      .command("suggest [file]")
      .description(
        "Write the policy that a server's tools ask for: by class, signals and arguments. What only you know is left to fill in, closed.",
      )
      .option("-s, --server <name>", "the accepted tools of this server, in place of a file")
      .option("--yaml", "print the policy as YAML"),
  )
    .addHelpText(
      "after",
      `
Examples:
  $ sallyport policy suggest tools.json > policy.json && sallyport policy check policy.json
  $ sallyport policy suggest --server sendit --yaml

The file holds tools as a server lists them: a list, {"tools": […]}, or an answer to tools/list; a \`class\` beside a
tool's own fields goes before the classifier's. The policy goes to standard output, words about it to standard error;
with --json both are one value.`,
    )
    .action(async (file: string | undefined, flags: SuggestFlags) =>
      (await import("./policy-suggest.ts")).suggestPolicy(context, file, flags),
    );
}

function addStored(policy: Command, context: CommandContext): void {
  const load = () => import("./policy-folder.ts");
  addFolderFlags(policy.command("list").description("Policies of a data folder, with the revision in force.")).action(
    async (flags: FolderFlags) => (await load()).listStoredPolicies(context, flags),
  );
  addFolderFlags(policy.command("show <name>").description("Print the revision of a policy that is in force.")).action(
    async (name: string, flags: FolderFlags) => (await load()).showStoredPolicy(context, name, flags),
  );
  addFolderFlags(policy.command("set <name> <file>").description("Put a policy into force from the next request on, or say why not."))
    .requiredOption("-s, --server <name>", "server that it is for")
    .addHelpText("after", "\nExample:\n  $ sallyport policy set sendit-standard --server sendit policies/sendit.json")
    .action(async (name: string, file: string, flags: SetFlags) => (await load()).setStoredPolicy(context, name, file, flags));
}
