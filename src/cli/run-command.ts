/** `sallyport run`: wraps one stdio server for a local client. Its standard output belongs to the protocol. */
import type { Command } from "commander";
import { FailureError } from "../kernel/failure.ts";
import { createLog } from "../observe/log.ts";
import { collectWords } from "./collect-words.ts";
import type { CommandContext } from "./run-cli.ts";

interface RunFlags {
  readonly policy: string;
  readonly server?: string;
  readonly identity?: string;
  readonly data?: string;
  readonly asks?: boolean;
  readonly env?: readonly string[];
}

/** A server's name from a policy's file name: lower case, digits and dashes. */
export function nameFromFile(file: string): string {
  const base = file.replace(/^.*[\\/]/, "").replace(/\.[^.]+$/, "");
  const name = base
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return name.slice(0, 32) || "server";
}

export function addRunCommand(program: Command, context: CommandContext): void {
  program
    .command("run")
    .summary("wrap one stdio server for a local client")
    .description(
      "Start COMMAND as an MCP server on standard streams and put a policy in front of it: same engine, limits and log as the gateway.",
    )
    .requiredOption("--policy <file>", "policy, JSON or YAML")
    .option("--server <name>", "what the server is called; left out: the policy's file name")
    .option("--identity <who>", "whose calls these are; left out: the system's user")
    .option("-d, --data <dir>", "data folder; left out: the platform's")
    .option("--no-asks", "the server may ask nothing of its client: no samples, no forms, no folders")
    .option("--env <name>", "a variable of ours that the server gets; may be given again", collectWords)
    .argument("<command...>", "the server's command, after --")
    .passThroughOptions()
    .addHelpText(
      "after",
      "\nIn a client's configuration:\n" +
        '  { "mcpServers": { "files": { "command": "npx", "args": ["-y", "sallyport", "run", "--policy", "files.json", "--", "npx", "-y", "the-server"] } } }\n\n' +
        "Any number of these share a data folder with each other and with one gateway.",
    )
    .action(async ([command, ...args]: string[], flags: RunFlags) => {
      const { terminal } = context.ports;
      const log = createLog({ form: "words", write: (line) => terminal.err(line), now: () => Date.now() });
      const server = flags.server ?? nameFromFile(flags.policy);
      if (!/^[a-z0-9-]{1,32}$/.test(server)) {
        throw new FailureError({
          code: "usage",
          message: "A server's name is 1 to 32 lower-case letters, digits and dashes.",
          hint: "Set another one with `--server`.",
        });
      }
      const { policy: policyFile, identity, data: dataDir, asks, env: passed } = flags;
      context.exit(
        await context.ports.runStdio({ policyFile, server, identity, dataDir, command: command ?? "", args, asks, passed, log }),
      );
    });
}
