/**
 * `sallyport run`: one stdio server wrapped for one local client, with the same engine, limits and log as the gateway. Any
 * number of them share a data folder. The command's exit code becomes ours.
 */

import { readFileSync, unwatchFile, watchFile } from "node:fs";
import os from "node:os";
import path from "node:path";
import { startUpkeep } from "./audit/upkeep.ts";
import { classifyDefinition } from "./catalog/classify-definition.ts";
import { findDataFolder } from "./config/find-data-folder.ts";
import { createDesk } from "./create-desk.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { type Access, hasChanged, type Look } from "./gateway/access.ts";
import { ASK_KINDS, type AskRules } from "./gateway/asks.ts";
import type { Endpoint } from "./gateway/desk.ts";
import { NO_CAPS } from "./gateway/result-caps.ts";
import { createServedTools } from "./gateway/served-tools.ts";
import { createStdioFace } from "./gateway/stdio-face.ts";
import { createStdioLink } from "./gateway/stdio-link.ts";
import type { GrantRecord } from "./identity/grant.ts";
import { FailureError, formatFailure, type Result, succeed } from "./kernel/failure.ts";
import { createId } from "./kernel/id.ts";
import { asData } from "./mcp/refusal.ts";
import { writeRequest } from "./mcp/rewrite.ts";
import type { Log } from "./observe/log.ts";
import { compilePolicy } from "./policy/compile.ts";
import { loadOperators } from "./policy/operators/registry.ts";
import { parsePolicy } from "./policy/parse.ts";
import { hashPolicy } from "./policy/print.ts";
import type { ActivePolicy } from "./revision/revision-index.ts";
import { listServers, putServer } from "./revision/server.ts";
import { readGeneration } from "./store/generation.ts";
import { tellDrift } from "./tell-drift.ts";
import { askServer } from "./upstream/ask-server.ts";
import { type ChildExit, createChildEnvironment } from "./upstream/channel/child-process.ts";
import { collectTools, LIST_TIMEOUT_MS, type ServerListing } from "./upstream/list-tools.ts";

const DRAIN_TIMEOUT_MS = 10_000;
const POLICY_POLL_MS = 1_000;

/** Whoever wraps a server of their own lets it ask, and their client knows it by its name. */
const OWN_ASKS: AskRules = { kinds: new Set(ASK_KINDS), label: undefined };
const NO_ASKS: AskRules = { kinds: new Set(), label: undefined };

export interface RunOptions {
  readonly policyFile: string;
  readonly server: string;
  readonly identity: string | undefined;
  readonly dataDir: string | undefined;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** False: the server may ask nothing of its client. */
  readonly asks?: boolean | undefined;
  /** Names of our variables that the server gets, besides the harmless ones. */
  readonly passed?: readonly string[] | undefined;
  readonly log: Log;
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** Settles when the process is told to stop. */
  readonly stopping: Promise<void>;
}

/** Runs until the client or the server has gone; gives the exit code. */
export async function runStdio(options: RunOptions): Promise<number> {
  await loadOperators();
  const policy = { current: loadPolicy(options) };
  const dir = path.resolve(options.dataDir ?? findDataFolder(options.env));
  const folder = await openDataFolder({ dir, env: options.env });
  try {
    return await wrap(options, folder, policy);
  } finally {
    await folder.close();
  }
}

/** What the server is given by name; one that is not set is left out, as its client left it out. */
function pickVariables({ env, passed = [] }: RunOptions): Record<string, string> {
  return Object.fromEntries(passed.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

function loadPolicy(options: RunOptions): ActivePolicy {
  const file = options.policyFile;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    throw new FailureError({
      code: "not_found",
      message: `The policy \`${file}\` can't be read.`,
      hint: "Name a policy with `--policy FILE`.",
    });
  }
  const parsed = parsePolicy(text, { file });
  if (!parsed.ok) throw new FailureError(parsed.failures);
  const name = path.basename(file).replace(/\.[^.]+$/, "");
  const compiled = compilePolicy(parsed.value);
  return { id: `run/${options.server}`, name, server: options.server, revision: hashPolicy(parsed.value), compiled };
}

async function findServerId(folder: DataFolder, name: string): Promise<string> {
  const known = (await listServers(folder.store.query)).find((server) => server.name === name);
  if (known) return known.id;
  const put = await folder.store.write((batch) =>
    putServer(batch, { name, origin: "cli", upstream: "", by: "run", nowMs: folder.clock.now() }),
  );
  if (!put.ok) throw new FailureError(put.failures);
  return put.value.id;
}

function createGrant(options: RunOptions, nowMs: number): GrantRecord {
  return {
    id: `run/${options.server}`,
    label: options.server,
    identity: options.identity ?? os.userInfo().username,
    owner: undefined,
    tags: {},
    servers: new Map([[options.server, options.server]]),
    origin: "cli",
    present: true,
    tokenId: undefined,
    expiresMs: undefined,
    createdMs: nowMs,
    createdBy: "run",
    rotatedMs: undefined,
    rotatedBy: undefined,
    revokedMs: undefined,
    revokedBy: undefined,
  };
}

/** One grant and one policy, both of this process; the tools are the store's. */
function createRunAccess(folder: DataFolder, grant: GrantRecord, policy: { readonly current: ActivePolicy }): Access {
  let version = 0;
  let seen: Look = { epoch: -1, generation: -1 };
  return {
    async look() {
      const epoch = folder.store.readEpoch();
      if (epoch === seen.epoch) return seen;
      const generation = await readGeneration(folder.store.query);
      if (generation !== seen.generation) version++;
      seen = { epoch, generation };
      return seen;
    },
    get version() {
      return version;
    },
    findGrant: () => ({ grant }),
    readGrant: async () => grant,
    findPolicy: () => policy.current,
    hasChanged,
    isCurrent: async () => true,
  };
}

async function wrap(options: RunOptions, folder: DataFolder, policy: { current: ActivePolicy }): Promise<number> {
  const { log, server } = options;
  const id = await findServerId(folder, server);
  const grant = createGrant(options, folder.clock.now());
  const access = createRunAccess(folder, grant, policy);
  const exited = Promise.withResolvers<ChildExit>();
  const link = createStdioLink({
    child: { command: options.command, args: options.args, environment: createChildEnvironment(options.env, pickVariables(options)) },
    onMessage: (bytes, kind) => face.takeServerMessage(bytes, kind),
    onStderr: (line) => log.info("server.stderr", line, { server }),
    onDropped: (reason) => log.warn("server.dropped", `A message of the server was dropped: ${reason}.`),
    onExit: (exit) => exited.resolve(exit),
  });
  const list = async (): Promise<Result<ServerListing>> => {
    if (!face.isOpen)
      return { ok: false, failures: [{ code: "upstream_unavailable", message: "The client has not opened the conversation yet." }] };
    return await listTools(link, folder);
  };
  const tools = createServedTools({
    store: folder.store,
    serverId: id,
    mode: "accept",
    classes: {},
    classify: classifyDefinition,
    now: () => folder.clock.now(),
    list,
    onObserved: (observation) => {
      tellDrift({ folder, log, server, serverId: id }, observation).catch((error: unknown) =>
        log.warn("tools.untold", error instanceof Error ? error.message : "an unknown fault", { server }),
      );
    },
    onFailed: (message) => log.warn("server.unavailable", `The tools of \`${server}\` can't be listed: ${message}`),
  });
  const endpoint: Endpoint = {
    id,
    name: server,
    upstream: link,
    tools,
    scan: undefined,
    results: NO_CAPS,
    asks: options.asks === false ? NO_ASKS : OWN_ASKS,
    extraMeta: [],
    recordsValues: false,
  };
  const desk = createDesk(folder, access, log);
  const { input, output } = options;
  const face = createStdioFace({
    desk,
    who: { grant, bearer: "", endpoint },
    write: (line) => output.write(line),
    onDrain: (act) => void output.once("drain", act),
  });
  await access.look();
  await tools.sync(access.version);
  const stopUpkeep = startUpkeep({ store: folder.store, audit: folder.audit, clock: folder.clock });
  const stopWatching = watchPolicy(options, policy);
  const inputEnded = new Promise<void>((resolve) => {
    input.on("data", (chunk: Buffer) => face.push(chunk));
    input.once("end", resolve);
    input.once("close", resolve);
  });
  await Promise.race([inputEnded, options.stopping, exited.promise]);
  await face.drained(DRAIN_TIMEOUT_MS);
  const asked = link.child.isRunning;
  const exit = await link.child.stop();
  tools.close();
  stopWatching();
  await stopUpkeep();
  return tellExit(exit, asked, log);
}

/** A server that we told to stop has ended well; one that ended by itself gives its own code. */
function tellExit(exit: ChildExit, asked: boolean, log: Log): number {
  if (exit.failure !== undefined) {
    log.error("server.failed", `The server could not be started: ${exit.failure}.`);
    return 2;
  }
  if (asked) return 0;
  if (exit.code !== 0)
    log.error("server.ended", `The server ended by itself: ${exit.code === null ? `signal ${exit.signal}` : `code ${exit.code}`}.`);
  return exit.code ?? 1;
}

/** A changed policy file holds from the next call on; a bad one changes nothing and is told. */
function watchPolicy(options: RunOptions, policy: { current: ActivePolicy }): () => void {
  const reload = (): void => {
    try {
      const next = loadPolicy(options);
      if (next.revision === policy.current.revision) return;
      policy.current = next;
      options.log.info("policy.reloaded", `The changed policy \`${options.policyFile}\` is in force.`);
    } catch (error) {
      const failures =
        error instanceof FailureError ? error.failures.map(formatFailure).join(" ").replaceAll(/\n\s*/g, " ") : String(error);
      options.log.error("policy.refused", `${failures} The policy in force stays.`);
    }
  };
  watchFile(options.policyFile, { interval: POLICY_POLL_MS, persistent: false }, reload);
  return () => unwatchFile(options.policyFile, reload);
}

async function listTools(link: ReturnType<typeof createStdioLink>, folder: DataFolder): Promise<Result<ServerListing>> {
  const signal = AbortSignal.timeout(LIST_TIMEOUT_MS);
  const nowMs = folder.clock.now();
  const collected = await collectTools((cursor) => {
    const id = `sallyport-${createId(nowMs)}`;
    const body = writeRequest(id, "tools/list", cursor === undefined ? undefined : asData({ cursor })).toString();
    return askServer(link, { method: "POST", id, body, headers: {}, signal });
  });
  if (!collected.ok) return collected;
  const verdict = { era: "legacy", revision: "2025-11-25", atMs: nowMs } as const;
  return succeed({
    verdict,
    introduction: { serverInfo: undefined, capabilities: asData({}), instructions: undefined },
    tools: collected.value,
  });
}
