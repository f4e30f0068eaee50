/** Sessions and calls of several rounds that go on where they were not begun: after a restart, as at another replica. */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type RunningApp, startApp } from "../../src/app.ts";
import type { Endpoint } from "../../src/gateway/desk.ts";
import { createSessionSeal } from "../../src/gateway/session-seal.ts";
import { createLog } from "../../src/observe/log.ts";
import { createSealer } from "../../src/vault/seal.ts";
import { RawStream } from "../interop/raw-client.ts";
import { waitUntil } from "../support/gateway.ts";
import { type HeaderList, type RawAnswer, sendHttp } from "../support/raw-http.ts";
import { type Asked, OK_RESULT, type RawUpstream, type Reply, startRawUpstream } from "../support/raw-upstream.ts";

const ALICE = "the-token-of-alice-0001";
const BOB = "the-token-of-bob-000001";
const LIMITED = { version: "1", default: "deny", tools: { echo: { limits: [{ window: "day", max: 2 }] } } };
const ASKED =
  '{"resultType":"input_required","requestState":"the-server-s-own","inputRequests":{"who":{"method":"elicitation/create","params":{"mode":"form","message":"Who?","requestedSchema":{"type":"object","properties":{}}}}}}';

let dir = "";
let upstream: RawUpstream;
let app: RunningApp | undefined;

async function start(): Promise<void> {
  const said: string[] = [];
  const log = createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() });
  const places = { configFile: path.join(dir, "sallyport.json"), dataDir: path.join(dir, "data") };
  app = await startApp({ ...places, host: "127.0.0.1", port: 0, env: {}, log });
}

async function restart(): Promise<void> {
  await app?.stop();
  await start();
}

function send(
  body: object | undefined,
  headers: HeaderList = [],
  where = "/mcp/alpha",
  token = ALICE,
  method = "POST",
): Promise<RawAnswer> {
  const port = Number(new URL(app?.url ?? "").port);
  const own: HeaderList = [
    ["Host", `127.0.0.1:${port}`],
    ["Authorization", `Bearer ${token}`],
    ["Content-Type", "application/json"],
    ["Accept", "application/json, text/event-stream"],
    ["Connection", "close"],
  ];
  return sendHttp(port, { method, path: where, headers: [...own, ...headers], ...(body ? { body: JSON.stringify(body) } : {}) });
}

/** Posts a request whose answer is read as it comes. */
async function listen(body: object, headers: HeaderList): Promise<RawStream> {
  const abort = new AbortController();
  const own = { authorization: `Bearer ${ALICE}`, "content-type": "application/json", accept: "application/json, text/event-stream" };
  const sent = { method: "POST", headers: { ...own, ...Object.fromEntries(headers) }, body: JSON.stringify(body), signal: abort.signal };
  return new RawStream(await fetch(`${app?.url}/mcp/alpha`, sent), abort);
}

const inSession = (id: string): HeaderList => [
  ["Mcp-Session-Id", id],
  ["Mcp-Protocol-Version", "2025-11-25"],
];
const call = (id: number, more: object = {}) => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name: "echo", arguments: {}, ...more },
});

async function initialize(where?: string): Promise<string> {
  const params = { protocolVersion: "2025-11-25", capabilities: { elicitation: {} }, clientInfo: { name: "tester", version: "1" } };
  const answer = await send({ jsonrpc: "2.0", id: 0, method: "initialize", params }, [], where);
  expect(answer.status).toBe(200);
  const id = answer.headers["mcp-session-id"] ?? "";
  await send({ jsonrpc: "2.0", method: "notifications/initialized" }, inSession(id), where);
  return id;
}

const OPENED = '{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"raw","version":"1"}}';
const QUESTION = '{"message":"Who?","requestedSchema":{"type":"object","properties":{}}}';

function opens(asked: Asked): Reply | undefined {
  if (asked.method !== "initialize") return undefined;
  return {
    act: (response, _socket, id) =>
      void response
        .writeHead(200, { "content-type": "application/json", "mcp-session-id": "upstream-session-1" })
        .end(`{"jsonrpc":"2.0","id":${id},"result":${OPENED}}`),
  };
}

async function begin(era: "legacy" | "both"): Promise<void> {
  dir = mkdtempSync(path.join(tmpdir(), "sallyport-recall-"));
  mkdirSync(path.join(dir, "data"));
  upstream = await startRawUpstream({ era });
  upstream.respond = (_arrived, asked) => opens(asked);
  const grant = { server: "alpha", policy: "alpha", identity: "alice@example.com" };
  const config = {
    servers: { alpha: { upstream: { url: upstream.url }, network: { allow: ["127.0.0.1/32"] }, asks: ["elicitation"] } },
    policies: { alpha: { server: "alpha", document: LIMITED } },
    grants: { alice: { ...grant, token: ALICE }, bob: { ...grant, token: BOB } },
  };
  writeFileSync(path.join(dir, "sallyport.json"), JSON.stringify(config));
  await start();
}
afterEach(async () => {
  await app?.stop();
  await upstream?.stop();
  app = upstream = undefined as never;
  if (dir !== "") rmSync(dir, { recursive: true, force: true });
  dir = "";
});

test("an id is one that is read again, or a name alone", () => {
  const seal = createSessionSeal(createSealer(randomBytes(32), "k", randomBytes), randomBytes);
  const shared = { grantId: "g", serverId: "s", protocolVersion: "2025-11-25", upstreamVersion: "2025-11-25", client: {}, nowMs: 0 };
  const write = (upstreamSession: string, opening?: string): string =>
    seal.write({ ...shared, upstreamSession, endpoint: {} as Endpoint }, opening);
  for (const id of [write("s"), write("s", "{}"), write("s", "x".repeat(4_000)), write("x".repeat(4_000))]) {
    expect(seal.read(id, 0)).toMatchObject({ grantId: "g" });
  }
  for (const id of [write("s", "\u4e2d".repeat(4_096)), write("x".repeat(12_000)), write("s", "x".repeat(5_000))])
    expect(id).toHaveLength(24);
});

const lastCall = () => upstream.calls().at(-1);

describe("a session of an older client", () => {
  beforeEach(() => begin("legacy"));

  test("goes on after a restart, with the server's own session", async () => {
    const id = await initialize();
    expect(id).not.toContain("upstream-session-1");
    await restart();
    const answers = await Promise.all([send(call(1), inSession(id)), send(call(2), inSession(id))]);
    for (const answer of answers) expect(answer.json().result.content[0].text).toBe("done");
    expect(lastCall()?.headers["mcp-session-id"]).toBe("upstream-session-1");
  });

  test("is nobody else's, and not what somebody made of it", async () => {
    const id = await initialize();
    await restart();
    const last = id.at(-2) === "A" ? "B" : "A";
    const made = [`${id.slice(0, -2)}${last}${id.at(-1)}`, id.slice(0, 24), `x${id.slice(1)}`, `${id}.`, "x".repeat(24_000)];
    for (const other of made) expect((await send(call(1), inSession(other))).status).not.toBe(200);
    expect((await send(call(1), inSession(id), "/mcp/alpha", BOB)).status).toBe(404);
    expect((await send(call(1), inSession(id))).status).toBe(200);
    expect(upstream.calls()).toHaveLength(1);
  });

  test("stays ended where its client ended it", async () => {
    const id = await initialize();
    await restart();
    expect((await send(undefined, inSession(id), "/mcp/alpha", ALICE, "DELETE")).status).toBe(204);
    expect(upstream.arrived.some(({ method, headers }) => method === "DELETE" && headers["mcp-session-id"] === "upstream-session-1")).toBe(
      true,
    );
    expect((await send(call(1), inSession(id))).status).toBe(404);
    await restart();
    expect((await send(call(1), inSession(id))).status).toBe(404);
    expect((await send({ jsonrpc: "2.0", id: "s1", result: {} }, inSession(id))).status).toBe(404);
    expect(upstream.calls()).toHaveLength(0);
  });

  test("has ids of its own at each place, so that no answer finds another question, and no stream another's client", async () => {
    let finish = (): void => undefined;
    upstream.respond = (_arrived, asked) => {
      if (asked.method !== "tools/call") return opens(asked);
      const question = `{"jsonrpc":"2.0","id":"of-the-server","method":"elicitation/create","params":${QUESTION}}`;
      return {
        act: (response, _socket, own) => {
          response.writeHead(200, { "content-type": "text/event-stream" }).write(`data: ${question}\n\n`);
          finish = () => void response.end(`data: {"jsonrpc":"2.0","id":${own},"result":${OK_RESULT}}\n\n`);
        },
      };
    };
    const id = await initialize();
    const ask = async (): Promise<{ stream: RawStream; event: string; asked: string }> => {
      const stream = await listen(call(1), inSession(id));
      const events = () => stream.events.filter(({ data }) => data.includes("elicitation/create"));
      await waitUntil(() => events().length > 0);
      const [event] = events();
      return { stream, event: event?.id ?? "", asked: JSON.parse(event?.data ?? "").id };
    };
    const before = await ask();
    finish();
    await before.stream.ended;
    await restart();
    const after = await ask();
    upstream.forget();
    expect(after.asked).not.toBe(before.asked);
    const answer = (to: string) => send({ jsonrpc: "2.0", id: to, result: { action: "accept", content: {} } }, inSession(id));
    expect((await answer(before.asked)).status).toBe(400);
    expect(upstream.arrived).toEqual([]);
    const back = [...inSession(id), ["Last-Event-ID", before.event]] as HeaderList;
    expect((await send(undefined, back, "/mcp/alpha", ALICE, "GET")).status).toBe(400);
    expect((await answer(after.asked)).status).toBe(202);
    expect(upstream.arrived.map(({ text }) => JSON.parse(text).id)).toEqual(["of-the-server"]);
    finish();
    await after.stream.ended;
  });

  test("goes on with several servers, each of which is opened anew", async () => {
    const id = await initialize("/mcp");
    await restart();
    const listed = await send({ jsonrpc: "2.0", id: 1, method: "tools/list" }, inSession(id), "/mcp");
    expect(listed.text).toContain("alpha__echo");
    const called = await send({ ...call(2), params: { name: "alpha__echo", arguments: {} } }, inSession(id), "/mcp");
    expect(called.text).toContain("done");
    expect((await send(undefined, inSession(id), "/mcp", ALICE, "DELETE")).status).toBe(204);
    await restart();
    expect((await send({ jsonrpc: "2.0", id: 1, method: "tools/list" }, inSession(id), "/mcp")).status).toBe(404);
  });
});

describe("a call of several rounds", () => {
  beforeEach(() => begin("both"));

  const modern: HeaderList = [
    ["Mcp-Protocol-Version", "2026-07-28"],
    ["Mcp-Method", "tools/call"],
    ["Mcp-Name", "echo"],
  ];
  const meta = {
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
      "io.modelcontextprotocol/clientInfo": { name: "tester", version: "1" },
    },
  };

  test("goes on after a restart, once, and counts as one call", async () => {
    upstream.respond = (arrived, asked) =>
      asked.method === "tools/call" && !arrived.text.includes("inputResponses") ? { result: ASKED } : undefined;
    const first = await send(call(1, meta), modern);
    const state: unknown = first.json().result.requestState;
    expect(typeof state).toBe("string");
    expect(first.text).not.toContain("the-server-s-own");
    await restart();
    const answers = { requestState: state, inputResponses: { who: { action: "accept", content: {} } } };
    const second = await send(call(2, { ...meta, ...answers }), modern);
    expect(second.json().result.content[0].text).toBe("done");
    expect(lastCall()?.text).toContain('"requestState":"the-server-s-own"');
    await restart();
    // Used up: the same again is a new call, the second of two.
    const again = await send(call(3, { ...meta, ...answers }), modern);
    expect(again.json().result.resultType).toBe("input_required");
    expect(lastCall()?.text).not.toContain("the-server-s-own");
    const full = await send(call(4, meta), modern);
    expect(full.json().result.isError).toBe(true);
    expect(upstream.calls()).toHaveLength(3);
  });
});
