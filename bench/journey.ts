/**
 * What one call costs between the two sockets: the gateway's own parts over a real store, without HTTP on either side.
 * Calls are handed in as the listener would, the server answers in the next turn, and told is processor time a call.
 * With `--against DIR`, another checkout of the project, both are measured turn by turn in processes of their own.
 *
 *   node bench/journey.ts [--against DIR] [--rounds 9] [--calls 4000]
 *   node --cpu-prof --cpu-prof-interval 100 bench/journey.ts --calls 60000
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import type * as Configs from "../src/config/load-config.ts";
import type * as Desks from "../src/create-desk.ts";
import type * as Folders from "../src/data-folder.ts";
import type { Endpoint } from "../src/gateway/desk.ts";
import type * as Face from "../src/gateway/http-face.ts";
import type { HttpReply, ReplyFields, WholeRequest } from "../src/http/request.ts";
import type * as Operators from "../src/policy/operators/registry.ts";
import type * as Endpoints from "../src/serve-endpoints.ts";
import type * as Syncs from "../src/sync-config.ts";
import type { AnswerSink, HttpUpstream, UpstreamRequest } from "../src/upstream/http-upstream.ts";
import { CALL_BODY } from "./call-body.ts";
import { median } from "./numbers.ts";
import { benchPolicy } from "./policies.ts";
import { BENCH_TOKEN } from "./systems.ts";

const IN_FLIGHT = 32;
const WARM_UP_CALLS = 20_000;
const ROOT = path.resolve(import.meta.dirname, "..");

const { values } = parseArgs({
  options: {
    against: { type: "string" },
    rounds: { type: "string", default: "9" },
    calls: { type: "string", default: "4000" },
    tree: { type: "string", default: ROOT },
  },
});

/** What was put off to the next turn, together, as events of sockets come together. */
class NextTurn {
  #waiting: (() => void)[] = [];

  put(act: () => void): void {
    if (this.#waiting.push(act) > 1) return;
    setImmediate(() => {
      const acts = this.#waiting;
      this.#waiting = [];
      for (const each of acts) each();
    });
  }
}

const TOOL = { name: "echo", description: "Says it again.", inputSchema: { type: "object", properties: { text: { type: "string" } } } };
const ANSWER_TAIL = `,"result":{"content":[{"type":"text","text":"${"x".repeat(200)}"}],"isError":false}}`;
const ID = Buffer.from('"id":');

/** Tells the gateway, once and over HTTP, which tools there are. */
async function startListing(): Promise<{ readonly url: string; stop(): void }> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method !== "POST") return void response.writeHead(405).end();
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString());
    if (id === undefined) return void response.writeHead(202).end();
    const opened = { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "bench", version: "1" } };
    const result = method === "initialize" ? opened : method === "tools/list" ? { tools: [TOOL] } : undefined;
    const answer = result ? { result } : { error: { code: -32601, message: "Method not found" } };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Answers every call in the next turn. */
function createAnswering(turn: NextTurn): HttpUpstream {
  return {
    exchange(request: UpstreamRequest, sink: AnswerSink) {
      const body = request.body as Buffer;
      const start = body.indexOf(ID) + ID.length;
      const id = body.toString("latin1", start, body.indexOf(44, start));
      turn.put(() => {
        sink.onStart(200, { "content-type": "application/json" });
        sink.onData(Buffer.from(`{"jsonrpc":"2.0","id":${id}${ANSWER_TAIL}`));
        sink.onEnd();
      });
      return { cancel: () => undefined, resume: () => undefined };
    },
    waiting: 0,
    close: () => Promise.resolve(),
  };
}

class KeptReply implements HttpReply {
  headersSent = false;
  destroyed = false;
  writableFinished = false;
  writableNeedDrain = false;
  status = 0;
  bytes: Uint8Array | undefined;
  readonly #onEnd: (reply: KeptReply) => void;

  constructor(onEnd: (reply: KeptReply) => void) {
    this.#onEnd = onEnd;
  }
  writeHead(status: number, _fields?: ReplyFields): this {
    this.status = status;
    this.headersSent = true;
    return this;
  }
  flushHeaders(): void {}
  write(): boolean {
    throw new Error("a call of the bench is answered whole");
  }
  end(bytes?: Uint8Array): this {
    this.bytes = bytes;
    this.writableFinished = true;
    this.#onEnd(this);
    return this;
  }
  destroy(): void {
    throw new Error("a call of the bench is answered");
  }
  on(): void {}
  once(): void {}
}

const BODY = Buffer.from(CALL_BODY);
const SOCKET = { remoteAddress: "127.0.0.1" };

function createCall(): WholeRequest {
  const authorization = `Bearer ${BENCH_TOKEN}`;
  const rawHeaders = ["Host", "127.0.0.1:8420", "Content-Type", "application/json", "Accept", "application/json, text/event-stream"];
  rawHeaders.push("Authorization", authorization, "Content-Length", String(BODY.length));
  return {
    method: "POST",
    url: "/mcp/bench",
    headers: {
      host: "127.0.0.1:8420",
      authorization,
      origin: undefined,
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "content-length": String(BODY.length),
      "content-encoding": undefined,
    },
    rawHeaders,
    complete: true,
    socket: SOCKET,
    body: Buffer.from(BODY),
  };
}

interface Journey {
  /** Processor time of each call, in microseconds. */
  run(calls: number): Promise<number>;
  stop(): Promise<void>;
}

/** The gateway of one checkout, whichever it is: its modules are loaded from there. */
async function openJourney(tree: string): Promise<Journey> {
  const load = async <T>(file: string): Promise<T> => (await import(pathToFileURL(path.join(tree, "src", file)).href)) as T;
  const { loadOperators } = await load<typeof Operators>("policy/operators/registry.ts");
  const { openDataFolder } = await load<typeof Folders>("data-folder.ts");
  const { loadConfig } = await load<typeof Configs>("config/load-config.ts");
  const { syncConfig } = await load<typeof Syncs>("sync-config.ts");
  const { EndpointTable } = await load<typeof Endpoints>("serve-endpoints.ts");
  const { createDesk } = await load<typeof Desks>("create-desk.ts");
  const { serveHttp } = await load<typeof Face>("gateway/http-face.ts");
  await loadOperators();
  const dir = mkdtempSync(path.join(os.tmpdir(), "sallyport-journey-"));
  const listing = await startListing();
  const file = path.join(dir, "sallyport.json");
  const servers = { bench: { upstream: { url: listing.url }, network: { allow: ["127.0.0.1/32"] } } };
  const policies = { bench: { server: "bench", document: benchPolicy(1) } };
  const grants = { bench: { server: "bench", policy: "bench", identity: "bench", token: BENCH_TOKEN } };
  writeFileSync(file, JSON.stringify({ servers, policies, grants }));
  const config = await loadConfig({ file, env: {} });
  if (!config.ok) throw new Error(JSON.stringify(config.failures));
  const folder = await openDataFolder({ dir, env: {} });
  const synced = await syncConfig(folder, config.value);
  if (!synced.ok) throw new Error(JSON.stringify(synced.failures));
  const say = (_event: string, words: string): void => void process.stderr.write(`${words}\n`);
  const log = { info: say, warn: say, error: say };
  // Nothing of the bench is signed in to anywhere.
  const table = new EndpointTable({ folder, version: "bench", log, env: {}, connections: undefined as never });
  await folder.access.look();
  await table.apply(config.value.servers);
  const listed = table.endpoints.get("bench") as Endpoint;
  await listed.tools.refresh();
  listing.stop();
  const turn = new NextTurn();
  const endpoints = new Map([["bench", { ...listed, upstream: createAnswering(turn) }]]);
  const desk = createDesk(folder, folder.access, log);
  const face = { desk, gate: { hosts: new Set<string>(), endpoints }, failures: undefined as never };

  const drive = (calls: number): Promise<void> =>
    new Promise((resolve, reject) => {
      let begun = 0;
      let ended = 0;
      const next = (): void => {
        begun++;
        void serveHttp(face, "bench", createCall(), new KeptReply(take));
      };
      const take = (reply: KeptReply): void => {
        const answer = reply.bytes ?? Buffer.alloc(0);
        if (reply.status !== 200 || !Buffer.from(answer).includes('"isError":false')) reject(new Error(`${reply.status}: ${answer}`));
        if (++ended === calls) resolve();
        else if (begun < calls) turn.put(next);
      };
      for (let index = 0; index < Math.min(IN_FLIGHT, calls); index++) turn.put(next);
    });

  await drive(WARM_UP_CALLS);
  return {
    async run(calls) {
      const before = process.cpuUsage();
      await drive(calls);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / calls;
    },
    async stop() {
      await table.close();
      await folder.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function serveParent(): Promise<void> {
  const journey = await openJourney(values.tree);
  process.on("message", (calls: number) => {
    if (calls > 0) return void journey.run(calls).then((us) => process.send?.(us));
    void journey.stop().then(() => process.disconnect());
  });
  process.send?.("ready");
}

async function startTree(tree: string): Promise<ChildProcess> {
  const child = fork(import.meta.filename, ["--tree", path.resolve(tree)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const [word] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (word !== "ready") throw new Error(`${tree} can't be measured`);
  return child;
}

async function ask(child: ChildProcess, calls: number): Promise<number> {
  child.send(calls);
  return Number((await once(child, "message"))[0]);
}

async function compare(against: string, rounds: number, calls: number): Promise<void> {
  const [before, after] = [await startTree(against), await startTree(ROOT)];
  const pairs: { before: number; after: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const pair = { before: 0, after: 0 };
    for (const one of round % 2 === 0 ? (["before", "after"] as const) : (["after", "before"] as const)) {
      pair[one] = await ask(one === "before" ? before : after, calls);
    }
    pairs.push(pair);
  }
  for (const child of [before, after]) {
    child.send(0);
    await once(child, "exit");
  }
  const us = (all: readonly number[]) => ({
    "CPU µs/call": Number(median(all).toFixed(1)),
    least: Number(Math.min(...all).toFixed(1)),
    most: Number(Math.max(...all).toFixed(1)),
  });
  console.table([
    { checkout: against, ...us(pairs.map((pair) => pair.before)) },
    { checkout: "this one", ...us(pairs.map((pair) => pair.after)) },
  ]);
  const ratio = median(pairs.map((pair) => pair.after / pair.before));
  process.stdout.write(`This one costs ${ratio.toFixed(3)} of the other (median of ${rounds} pairs of ${calls} calls).\n`);
}

const calls = Number(values.calls);
if (process.send) await serveParent();
else if (values.against !== undefined) await compare(values.against, Number(values.rounds), calls);
else {
  const journey = await openJourney(values.tree);
  process.stdout.write(`${(await journey.run(calls)).toFixed(1)} µs of processor time a call, between the sockets\n`);
  await journey.stop();
}
