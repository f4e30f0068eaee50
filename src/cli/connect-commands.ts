/**
 * `sallyport server connect` and `disconnect`: the gateway's own sign-in at a server. A running gateway does the work and
 * has the pages; the command asks for it in the data folder, prints the link and waits. The link works in one browser,
 * once; nothing that is printed here is a credential of the server's.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { loadConfig } from "../config/load-config.ts";
import { FailureError } from "../kernel/failure.ts";
import { createId } from "../kernel/id.ts";
import type { ServerRecord } from "../revision/server.ts";
import { createAddressGuard, resolveBySystem } from "../upstream/address-guard.ts";
import { createGuardedFetch } from "../upstream/guarded-fetch.ts";
import { ASK_LIFE_MS, type Ask, endAsk, endAsksOf, insertAsk, listAskedServers, readAsk } from "../upstream/oauth/asks.ts";
import {
  type ConnectionFacts,
  type ConnectionSecrets,
  listConnections,
  readConnection,
  removeConnection,
  removeRegistration,
  writeConnection,
} from "../upstream/oauth/tables.ts";
import { revokeToken } from "../upstream/oauth/tokens.ts";
import { findServer } from "./find-server.ts";
import { actorOf, addFolderFlags, type FolderFlags, unwrap, withFolder } from "./folder-flags.ts";
import type { OpenFolder, Ports } from "./ports.ts";
import { type CommandContext, EXIT_NO } from "./run-cli.ts";

const POLL_MS = 200;
/** A running gateway takes an ask up in a fraction of this. */
const TAKE_UP_MS = 6_000;
const TICKET_BYTES = 32;
const CALLED_OFF = "`server disconnect` called it off.";

interface ConnectFlags extends FolderFlags {
  readonly open: boolean;
}

export function addConnectCommands(server: Command, context: CommandContext): void {
  const { ports } = context;
  addFolderFlags(
    server
      .command("connect <server>")
      .description("Sign the gateway in to a server (OAuth): prints a link, and waits until you have been there."),
  )
    .option("--no-open", "only print the link; left out, a browser is opened from a terminal")
    .addHelpText("after", "\nThe gateway must be running on the data folder: the link leads to its pages.")
    .action((name: string, flags: ConnectFlags) => withFolder(ports, flags, (folder) => connect(context, folder, name, flags)));
  addFolderFlags(server.command("disconnect <server>").description("Take back the gateway's sign-in at a server, and forget it.")).action(
    (name: string, flags: FolderFlags) => withFolder(ports, flags, (folder) => disconnect(context, folder, name, flags)),
  );
}

async function connect({ ports, exit }: CommandContext, folder: OpenFolder, name: string, flags: ConnectFlags): Promise<void> {
  const { terminal } = ports;
  const server = await findServer(folder, name);
  const id = createId(folder.clock.now());
  const ticket = randomBytes(TICKET_BYTES).toString("base64url");
  const askedBy = actorOf(ports);
  const asked = await folder.store.write((batch) =>
    insertAsk(batch, { id, serverId: server.id, askedBy, ticket, nowMs: folder.clock.now() }),
  );
  if (!asked) throw new FailureError({ code: "conflict", message: "Too many servers are being connected at this time." });
  const ready = await waitFor(
    folder,
    id,
    (ask) => ask.state !== "asked" && ask.state !== "preparing",
    TAKE_UP_MS,
    (ask) => ask.state !== "asked",
  );
  if (ready?.state === "asked") {
    await folder.store.write((batch) => endAsk(batch, id, "failed", "Nobody took it up."));
    throw new FailureError({
      code: "not_found",
      message: `No gateway runs on \`${folder.dir}\`, so there is no page to come back to.`,
      hint: "Start it, and call this again: `sallyport start --config FILE --data DIR`.",
    });
  }
  if (ready?.state === "ready") {
    const link = `${ready.message}?ticket=${ticket}`;
    if (flags.json) terminal.out(`${JSON.stringify({ server: server.name, link })}\n`);
    else {
      terminal.err(`Open this link in your browser within ${ASK_LIFE_MS / 60_000} minutes, and sign in to \`${server.name}\`:\n`);
      terminal.out(`${link}\n`);
    }
    if (flags.open && terminal.isTerminal && !flags.json) openBrowser(link);
  }
  const ended = await waitFor(folder, id, (ask) => ask.state === "done" || ask.state === "failed", ASK_LIFE_MS);
  if (ended?.state === "done") {
    if (!flags.json) terminal.out(`\`${server.name}\` is connected.\n`);
    return;
  }
  terminal.err(`\`${server.name}\` is not connected. ${ended?.state === "failed" ? ended.message : "Nobody came back in time."}\n`);
  exit(EXIT_NO);
}

/** The ask as soon as it is so far, or when the time is up; `extends` gives it the whole time. */
async function waitFor(
  folder: OpenFolder,
  id: string,
  isThere: (ask: Ask) => boolean,
  timeoutMs: number,
  extendsTime: (ask: Ask) => boolean = () => false,
): Promise<Ask | undefined> {
  const startMs = performance.now();
  for (;;) {
    const ask = await folder.store.write((batch) => readAsk(batch, id));
    const waitedMs = performance.now() - startMs;
    if (ask === undefined || isThere(ask)) return ask;
    if (waitedMs > (extendsTime(ask) ? ASK_LIFE_MS : timeoutMs)) return ask;
    await pause(POLL_MS);
  }
}

/** What can't be opened is printed all the same. */
function openBrowser(link: string): void {
  const [command, ...args] =
    process.platform === "darwin" ? ["open", link] : process.platform === "win32" ? ["explorer.exe", link] : ["xdg-open", link];
  const child = spawn(command as string, args, { stdio: "ignore", detached: true });
  child.on("error", () => undefined);
  child.unref();
}

async function disconnect({ ports }: CommandContext, folder: OpenFolder, name: string, flags: FolderFlags): Promise<void> {
  const { terminal } = ports;
  const server = await findServer(folder, name);
  const by = actorOf(ports);
  const { held, calledOff } = await withdraw(folder, server, by);
  if (held === "none") {
    if (calledOff === 0) throw new FailureError({ code: "not_found", message: `The gateway is not signed in to \`${server.name}\`.` });
    if (flags.json) terminal.out(`${JSON.stringify({ server: server.name, forgotten: true, revoked: false, reason: CALLED_OFF })}\n`);
    else terminal.out(`The sign-in at \`${server.name}\` that was under way is called off.\n`);
    return;
  }
  const fault = held === "unreadable" ? "what is kept of it can't be opened." : await takeBack(ports, server, held, flags);
  await folder.store.write(async (batch) => {
    await removeConnection(batch, server.id);
    await removeRegistration(batch, server.id);
    const detail = fault === undefined ? { revoked: "yes" } : { revoked: "no", reason: fault };
    folder.audit.append(batch, {
      kind: "admin",
      server: server.name,
      actor: by,
      action: "connection.removed",
      object: server.name,
      detail,
    });
  });
  if (flags.json)
    terminal.out(`${JSON.stringify({ server: server.name, forgotten: true, revoked: fault === undefined, reason: fault })}\n`);
  else {
    terminal.out(`The sign-in at \`${server.name}\` is forgotten.\n`);
    if (fault !== undefined)
      terminal.err(`It could not be taken back there: ${fault}\nTake it back at the server, where it lists its applications.\n`);
  }
}

interface Withdrawn {
  readonly held: ConnectionSecrets | "none" | "unreadable";
  /** Sign-ins that were under way: their links work no more. */
  readonly calledOff: number;
}

/** First it holds no more, which a running gateway sees within a second; what was given can still be taken back. */
async function withdraw(folder: OpenFolder, server: ServerRecord, by: string): Promise<Withdrawn> {
  return await folder.store.write(async (batch) => {
    const calledOff = await endAsksOf(batch, server.id, CALLED_OFF);
    if (calledOff > 0) {
      const detail = { reason: CALLED_OFF };
      folder.audit.append(batch, {
        kind: "admin",
        server: server.name,
        actor: by,
        action: "connection.failed",
        object: server.name,
        detail,
      });
    }
    const keyring = await folder.openKeyring(batch);
    const read = await readConnection(batch, keyring, server.id);
    if (!read.ok) return { held: "unreadable", calledOff };
    if (read.value === undefined) return { held: "none", calledOff };
    const nowMs = folder.clock.now();
    await writeConnection(batch, keyring, { ...read.value, state: "needs_login", version: read.value.version + 1 }, nowMs);
    return { held: read.value.secrets, calledOff };
  });
}

/** Undefined: taken back; else why not. */
async function takeBack(
  ports: Ports,
  server: ServerRecord,
  { terms, tokens }: ConnectionSecrets,
  flags: FolderFlags,
): Promise<string | undefined> {
  const config = flags.config === undefined ? undefined : unwrap(await loadConfig({ file: flags.config, env: ports.terminal.env }));
  const allow = config?.servers.find(({ name }) => name === server.name)?.networkAllow ?? [];
  const fetch = createGuardedFetch({ guard: createAddressGuard({ allow, resolve: resolveBySystem }) });
  const faults: string[] = [];
  if (tokens.refresh !== undefined) {
    const revoked = await revokeToken(terms, tokens.refresh, "refresh_token", fetch);
    if (!revoked.ok) faults.push(...revoked.failures.map(({ message }) => message));
  }
  const revoked = await revokeToken(terms, tokens.access, "access_token", fetch);
  // Some know how to take back refresh tokens alone, and the other goes with them.
  if (!revoked.ok && (tokens.refresh === undefined || faults.length > 0)) faults.push(...revoked.failures.map(({ message }) => message));
  return faults[0];
}

export interface ConnectionDescription {
  readonly state: ConnectionFacts["state"] | "pending";
  readonly issuer: string | undefined;
  readonly since: string | undefined;
  readonly by: string | undefined;
  readonly tokenExpires: string | undefined;
}

/** Every server that is connected, was, or is being connected, by its id. */
export async function describeConnections(folder: OpenFolder): Promise<ReadonlyMap<string, ConnectionDescription>> {
  const described = new Map<string, ConnectionDescription>();
  const pending = { state: "pending", issuer: undefined, since: undefined, by: undefined, tokenExpires: undefined } as const;
  for (const id of await listAskedServers(folder.store.query, folder.clock.now())) described.set(id, pending);
  for (const facts of await listConnections(folder.store.query)) {
    if (facts.state === "connected" || !described.has(facts.serverId)) described.set(facts.serverId, describeConnection(facts));
  }
  return described;
}

function describeConnection(facts: ConnectionFacts): ConnectionDescription {
  const spell = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());
  return {
    state: facts.state,
    issuer: facts.issuer,
    since: spell(facts.connectedMs),
    by: facts.connectedBy,
    tokenExpires: spell(facts.expiresMs),
  };
}

export function printConnection(connection: ConnectionDescription | undefined): string {
  if (connection === undefined) return "-";
  if (connection.state === "pending") return "waits for a sign-in";
  if (connection.state === "needs_login") return "needs login: sallyport server connect";
  return `connected ${connection.since ?? ""} by ${connection.by ?? "-"}`;
}
