/**
 * The command line: which commands there are and how they end. Each command is a file of its own and is loaded when it is
 * asked for. Exit codes: 0 done, 1 it ran and the answer is no, 2 bad usage or configuration.
 */
import { Command, CommanderError } from "commander";
import { type Failure, FailureError, formatFailure } from "../kernel/failure.ts";
import { addAuditCommands } from "./audit-commands.ts";
import { addGrantCommands } from "./grant-commands.ts";
import { addPolicyCommands } from "./policy-commands.ts";
import type { Ports } from "./ports.ts";
import { addRunCommand } from "./run-command.ts";
import { addServerCommands } from "./server-commands.ts";
import { addStartCommand } from "./start-command.ts";

export const EXIT_NO = 1;
export const EXIT_USAGE = 2;

/** How a command ends: sets the exit code that the process leaves with. */
export interface CommandContext {
  readonly ports: Ports;
  exit(code: number): void;
}

const ABOUT = `A policy on every tool call, before it runs.

Sallyport stands between MCP clients and MCP servers: it allows, denies, hides, limits and records each call.`;

const AFTER = `
First steps:
  $ npm start                                  the demo, in a checkout
  $ sallyport start --config sallyport.yaml    a gateway for your servers
  $ sallyport run --policy p.json -- COMMAND   one stdio server, for one client
  $ sallyport policy test *.policy-test.yaml   test your policies

Exit codes: 0 done, 1 the answer is no, 2 bad usage or configuration.`;

export async function runCli(argv: readonly string[], ports: Ports): Promise<number> {
  let code = 0;
  const context: CommandContext = {
    ports,
    exit: (next) => {
      code = next;
    },
  };
  const program = new Command("sallyport")
    .description(ABOUT)
    .version(ports.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", AFTER)
    .showSuggestionAfterError(true)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: (text) => ports.terminal.out(text), writeErr: (text) => ports.terminal.err(text) });
  addStartCommand(program, context);
  addRunCommand(program, context);
  addPolicyCommands(program, context);
  addServerCommands(program, context);
  addGrantCommands(program, context);
  addAuditCommands(program, context);
  try {
    if (argv.length === 0) {
      program.outputHelp();
      return 0;
    }
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    return tellError(error, ports);
  }
}

function tellError(error: unknown, ports: Ports): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof FailureError) {
    tellFailures(ports, error.failures);
    return EXIT_USAGE;
  }
  ports.terminal.err(`sallyport met a fault of its own: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT_USAGE;
}

export function tellFailures(ports: Ports, failures: readonly Failure[]): void {
  for (const failure of failures) ports.terminal.err(`${formatFailure(failure)}\n`);
}
