/**
 * The command line: which commands there are and how they end. Each command is a file of its own and is loaded when it is
 * asked for. Exit codes: 0 done, 1 it ran and the answer is no, 2 bad usage or configuration.
 */
import { Command, CommanderError } from "commander";
import { type Failure, FailureError, formatFailure } from "../kernel/failure.ts";
import type { Ports } from "./ports.ts";

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
  $ sallyport init                             your clients' servers, behind a gateway
  $ sallyport scan URL                         a server's tools, risks and changes
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
  try {
    await addCommands(program, context, argv[0] === "help" ? argv[1] : argv[0]);
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

type AddCommand = (program: Command, context: CommandContext) => void;

/** Every command by its first word: what it is for, and where it is. */
const COMMANDS: readonly (readonly [name: string, summary: string, load: () => Promise<AddCommand>])[] = [
  ["start", "run the gateway", async () => (await import("./start-command.ts")).addStartCommand],
  ["run", "wrap one stdio server for a local client", async () => (await import("./run-command.ts")).addRunCommand],
  ["scan", "look at servers: their tools, risks and what has changed", async () => (await import("./scan-command.ts")).addScanCommand],
  ["init", "put the gateway before the servers of your clients", async () => (await import("./init-command.ts")).addInitCommand],
  ["policy", "check, test, explain, import and suggest policies", async () => (await import("./policy-commands.ts")).addPolicyCommands],
  ["server", "servers, their pinned tools, and what differs", async () => (await import("./server-commands.ts")).addServerCommands],
  ["grant", "add, list, rotate, revoke and restore grants", async () => (await import("./grant-commands.ts")).addGrantCommands],
  ["audit", "read, export and verify the log", async () => (await import("./audit-commands.ts")).addAuditCommands],
  ["catalog", "build and serve a catalogue of servers and tools", async () => (await import("./catalog-commands.ts")).addCatalogCommands],
  ["key", "the keys that seal what the data folder keeps", async () => (await import("./key-commands.ts")).addKeyCommands],
];

/** Loads the one command that is asked for; the others stand in the help by name. */
async function addCommands(program: Command, context: CommandContext, asked: string | undefined): Promise<void> {
  for (const [name, summary, load] of COMMANDS) {
    if (name === asked) (await load())(program, context);
    else program.command(name).summary(summary);
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
