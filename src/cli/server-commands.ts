/** `sallyport server …`: the servers of a data folder, their pinned tools, what differs, and accepting it. */
import type { Command } from "commander";
import { classifyDefinition } from "../catalog/classify-definition.ts";
import { FailureError } from "../kernel/failure.ts";
import { type JsonObject, toJson } from "../kernel/json.ts";
import { revealText } from "../kernel/reveal-text.ts";
import { listServers, type ServerRecord } from "../revision/server.ts";
import { acceptTools } from "../upstream/accept-tools.ts";
import { listKinds } from "../upstream/definition-findings.ts";
import { diffTools, type ToolDifference } from "../upstream/diff-tools.ts";
import { readStoredServer, type StoredTool } from "../upstream/tables.ts";
import { addConnectCommands, describeConnections, printConnection } from "./connect-commands.ts";
import { findServer } from "./find-server.ts";
import { actorOf, addFolderFlags, type FolderFlags, printTable, withFolder } from "./folder-flags.ts";
import type { OpenFolder } from "./ports.ts";
import { printDifference, printDifferenceJson } from "./print-difference.ts";
import { type CommandContext, EXIT_NO } from "./run-cli.ts";
import { type ClassifyFlags, classifyTools, showTools } from "./server-tools.ts";

interface AcceptFlags extends FolderFlags {
  readonly all?: boolean;
}

export function addServerCommands(program: Command, context: CommandContext): void {
  const { ports } = context;
  const server = program
    .command("server")
    .summary("servers, their pinned tools, and what differs")
    .description(
      "The servers that a data folder knows. The first list of a server's tools is accepted; what changes later is quarantined until you accept it.",
    );
  addFolderFlags(server.command("list").description("Servers with the state of their tools.")).action((flags: FolderFlags) =>
    withFolder(ports, flags, (folder) => list(context, folder, flags)),
  );
  addFolderFlags(
    server
      .command("tools <server>")
      .description("Every tool of a server: its class, risk and signals, its state, and the hash of its accepted definition."),
  ).action((name: string, flags: FolderFlags) => withFolder(ports, flags, (folder) => showTools(context, folder, name, flags)));
  addFolderFlags(
    server
      .command("diff <server>")
      .description("What the server lists now against what was accepted, field by field. Exit 1 where something differs."),
  ).action((name: string, flags: FolderFlags) => withFolder(ports, flags, (folder) => diff(context, folder, name, flags)));
  addConnectCommands(server, context);
  addFolderFlags(
    server
      .command("classify <server> [tool...]")
      .description("Take the classifier's word where it is milder than what stands: class and risk of these tools, or of all that wait."),
  )
    .option("--all", "every tool that waits")
    .action((name: string, names: string[], flags: ClassifyFlags) =>
      withFolder(ports, flags, (folder) => classifyTools(context, folder, name, names, flags)),
    );
  addFolderFlags(server.command("accept <server> [tool...]").description("Accept the definitions that are listed now."))
    .option("--all", "every tool that differs; missing ones are forgotten")
    .addHelpText("after", "\nLook first:\n  $ sallyport server diff sendit\n  $ sallyport server accept sendit connect_connector")
    .action((name: string, names: string[], flags: AcceptFlags) =>
      withFolder(ports, flags, (folder) => accept(context, folder, name, names, flags)),
    );
}

async function list({ ports }: CommandContext, folder: OpenFolder, flags: FolderFlags): Promise<void> {
  const servers = await listServers(folder.store.query);
  const connections = await describeConnections(folder);
  const described = [];
  for (const server of servers) {
    const stored = await readStoredServer(folder.store.query, server.id);
    const waiting = stored.tools.filter((tool) => tool.state !== "accepted" && tool.state !== "missing").length;
    const accepted = stored.tools.filter((tool) => tool.state === "accepted").length;
    const since = stored.acceptedAtMs === undefined ? undefined : new Date(stored.acceptedAtMs).toISOString();
    described.push({
      name: server.name,
      id: server.id,
      origin: server.origin,
      acceptedSince: since,
      accepted,
      quarantined: waiting,
      connection: connections.get(server.id),
    });
  }
  if (flags.json) ports.terminal.out(`${JSON.stringify(described)}\n`);
  else if (described.length === 0) ports.terminal.err("No server is known yet. Name one in a configuration file and start the gateway.\n");
  else {
    const rows = described.map((one) => [
      one.name,
      one.origin,
      String(one.accepted),
      String(one.quarantined),
      one.acceptedSince ?? "no list accepted yet",
      ...(connections.size === 0 ? [] : [printConnection(one.connection)]),
    ]);
    const header = ["SERVER", "FROM", "ACCEPTED", "QUARANTINED", "SINCE", ...(connections.size === 0 ? [] : ["CONNECTION"])];
    ports.terminal.out(printTable(header, rows));
  }
}

async function diff(context: CommandContext, folder: OpenFolder, name: string, flags: FolderFlags): Promise<void> {
  const { terminal } = context.ports;
  const server = await findServer(folder, name);
  const stored = await readStoredServer(folder.store.query, server.id);
  const differences = diffTools(stored.tools, await readOtherTools(folder, server));
  if (flags.json) terminal.out(`[${differences.map(printDifferenceJson).join(",")}]\n`);
  else if (differences.length === 0) terminal.out(`The tools of \`${server.name}\` are as they were accepted.\n`);
  else for (const difference of differences) terminal.out(printDifference(difference));
  if (differences.length > 0) context.exit(EXIT_NO);
}

/** What the other servers of the folder list: a tool may have moved. */
async function readOtherTools(folder: OpenFolder, server: ServerRecord): Promise<ReadonlyMap<string, readonly StoredTool[]>> {
  const others = new Map<string, readonly StoredTool[]>();
  for (const other of await listServers(folder.store.query)) {
    if (other.id !== server.id) others.set(other.name, (await readStoredServer(folder.store.query, other.id)).tools);
  }
  return others;
}

/** What was accepted, as far as the record holds it: never a text of the server's. */
function describeAccepted(differences: readonly ToolDifference[], name: string): JsonObject {
  const difference = differences.find((one) => one.name === name);
  return toJson({
    hash: difference?.pendingHash,
    verdict: difference?.verdict,
    findings: difference && difference.findings.length > 0 ? listKinds(difference.findings) : undefined,
  }) as JsonObject;
}

async function accept(
  context: CommandContext,
  folder: OpenFolder,
  name: string,
  names: readonly string[],
  flags: AcceptFlags,
): Promise<void> {
  const { terminal } = context.ports;
  if ((names.length === 0) === (flags.all !== true)) {
    throw new FailureError({
      code: "usage",
      message: "Name the tools to accept, or say `--all`.",
      hint: "`sallyport server diff` shows what differs.",
    });
  }
  const server = await findServer(folder, name);
  const by = actorOf(context.ports);
  const acceptance = await folder.store.write(async (batch) => {
    const before = diffTools((await readStoredServer(batch, server.id)).tools);
    const done = await acceptTools(batch, server.id, flags.all ? "all" : names, {
      by,
      nowMs: folder.clock.now(),
      classify: classifyDefinition,
    });
    for (const tool of [...done.accepted, ...done.removed]) {
      const action = done.accepted.includes(tool) ? "tool.accepted" : "tool.forgotten";
      folder.audit.append(batch, {
        kind: "admin",
        server: server.name,
        actor: by,
        action,
        object: tool,
        detail: describeAccepted(before, tool),
      });
    }
    return done;
  });
  if (flags.json) terminal.out(`${JSON.stringify(acceptance)}\n`);
  else {
    for (const tool of acceptance.accepted) terminal.out(`accepted   ${revealText(tool)}\n`);
    for (const tool of acceptance.removed) terminal.out(`forgotten  ${revealText(tool)}\n`);
    for (const { name: tool, reason } of acceptance.refused) terminal.err(`not accepted: ${revealText(tool)}: ${reason}\n`);
    if (acceptance.accepted.length + acceptance.removed.length + acceptance.refused.length === 0)
      terminal.out("There was nothing to accept.\n");
  }
  if (acceptance.refused.length > 0) context.exit(EXIT_NO);
}
