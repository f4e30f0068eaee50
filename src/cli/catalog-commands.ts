/** `sallyport catalog …`: builds a catalogue from lists of tools, serves one, and prints what people wrote to it. */
import type { Command } from "commander";
import { readMessages } from "../catalog/contact-box.ts";
import { listSources, readSource, type SourceTools } from "../catalog/store/read-source.ts";
import { buildCatalogue } from "../catalog/store/write-catalogue.ts";
import type { CommandContext } from "./run-cli.ts";
import { parsePort } from "./start-command.ts";

const DEFAULT_PORT = 8421;
const PROGRESS_PAUSE_MS = 500;

interface BuildFlags {
  readonly out: string;
  readonly json?: boolean;
}

interface ServeFlags {
  readonly data?: string;
  readonly host: string;
  readonly port: number;
}

export function addCatalogCommands(program: Command, context: CommandContext): void {
  const catalog = program
    .command("catalog")
    .summary("build and serve a catalogue of servers and tools")
    .description("A catalogue of MCP servers: every tool with its class, risk, policy and attacks, as pages and as JSON.");
  addBuild(catalog, context);
  addServe(catalog, context);
  catalog
    .command("messages")
    .description("Print what people wrote into the contact form, one message a line, as JSON.")
    .option("-d, --data <dir>", "data folder; left out: the platform's")
    .action(async (flags: { readonly data?: string }) => {
      for (const message of readMessages(await context.ports.findFolder(flags.data)))
        context.ports.terminal.out(`${JSON.stringify(message)}\n`);
    });
}

function addBuild(catalog: Command, context: CommandContext): void {
  catalog
    .command("build <path...>")
    .description("Classify the tools of files and folders and write them into one file, which takes the place of the one before at once.")
    .requiredOption("-o, --out <file>", "the catalogue's file; `catalogue.db` in a gateway's data folder is the one that it shows")
    .option("--json", "print JSON and nothing else")
    .addHelpText(
      "after",
      `
Examples:
  $ sallyport catalog build tools.json --out catalogue.db
  $ sallyport catalog build lists/ more.jsonl --out .sallyport/catalogue.db

A .json file holds what a server answers to tools/list, a list of tools, or {"servers": [{"name", "tools"}, …]}; beside
\`name\` a server may say package, version, licence, url and scanned (a date). A .jsonl file holds one such server a line,
or one tool a line with its \`server\`. A folder stands for the files of both kinds in it.`,
    )
    .action(async (paths: string[], flags: BuildFlags) => build(context, paths, flags));
}

async function build({ ports }: CommandContext, paths: readonly string[], { out, json }: BuildFlags): Promise<void> {
  const { terminal } = ports;
  const files = await listSources(paths);
  const startedMs = performance.now();
  let toldMs = startedMs;
  const totals = await buildCatalogue({
    file: out,
    sources: readAll(files),
    at: new Date().toISOString(),
    onProgress: ({ servers, tools }) => {
      if (!terminal.isTerminal || json === true || performance.now() - toldMs < PROGRESS_PAUSE_MS) return;
      toldMs = performance.now();
      terminal.err(`\r${servers} servers, ${tools} tools …`);
    },
  });
  if (terminal.isTerminal && json !== true) terminal.err("\r\u001b[K");
  const { servers, tools, left } = totals;
  if (json) return terminal.out(`${JSON.stringify({ file: out, servers, tools, left })}\n`);
  const rest = left === 0 ? "" : `; ${left} left out: listed twice by one server, or without a usable name`;
  terminal.out(`${out}: ${servers} ${servers === 1 ? "server" : "servers"}, ${tools} ${tools === 1 ? "tool" : "tools"}${rest}\n`);
}

async function* readAll(files: readonly string[]): AsyncGenerator<SourceTools> {
  for (const file of files) yield* readSource(file);
}

function addServe(catalog: Command, context: CommandContext): void {
  catalog
    .command("serve [file]")
    .description("Serve a catalogue without a gateway; left out: the data folder's own, else the one that ships.")
    .option("-d, --data <dir>", "data folder, for messages and the one that ships; left out: the platform's")
    .option("--host <host>", "address to listen on", "127.0.0.1")
    .option("-p, --port <port>", "port to listen on, 0 for a free one", parsePort, DEFAULT_PORT)
    .addHelpText("after", "\nExample:\n  $ sallyport catalog serve catalogue.db --port 8421")
    .action(async (file: string | undefined, { data, host, port }: ServeFlags) => {
      const { ports } = context;
      const stopping = ports.waitForSignal();
      const say = (words: string): void => ports.terminal.err(`${words}\n`);
      const serving = await ports.serveCatalogue({ file, dataDir: await ports.findFolder(data), host, port, say });
      ports.terminal.out(`The catalogue is listening: ${serving.url}\n`);
      await stopping;
      await serving.stop();
    });
}
