/** Which way a request goes: to the server as it is, or to the front that translates. */
import { describe, expect, it } from "vitest";
import type { Era } from "../../src/mcp/revisions.ts";
import { type BridgedOptions, createBridgedUpstream, ERA_VERDICT_MS } from "../../src/upstream/bridged-upstream.ts";
import type { AnswerSink, HttpUpstream, UpstreamRequest } from "../../src/upstream/http-upstream.ts";
import { OPENING_LIMIT_BYTES } from "../../src/upstream/try-opening.ts";

interface Scripted extends HttpUpstream {
  readonly asked: UpstreamRequest[];
  cancelled: number;
  closed: boolean;
}

type Script = (request: UpstreamRequest, sink: AnswerSink) => void;

const answerWith =
  (status: number, type: string, ...chunks: string[]): Script =>
  (_request, sink) => {
    sink.onStart(status, { "content-type": type });
    for (const chunk of chunks) sink.onData(Buffer.from(chunk));
    sink.onEnd();
  };

function script(name: string, act: Script = answerWith(200, "application/json", `"${name}"`)): Scripted {
  const upstream: Scripted = {
    asked: [],
    cancelled: 0,
    closed: false,
    waiting: 0,
    exchange(request, sink) {
      upstream.asked.push(request);
      queueMicrotask(() => act(request, sink));
      return { cancel: () => void upstream.cancelled++, resume: () => undefined };
    },
    close: async () => {
      upstream.closed = true;
    },
  };
  return upstream;
}

interface Told {
  readonly statuses: number[];
  text: string;
  end: string | undefined;
  readonly done: Promise<void>;
}

function listenTo(): { sink: AnswerSink; told: Told } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const told: Told = { statuses: [], text: "", end: undefined, done: promise };
  const finish = (end: string): void => {
    expect(told.end, "an end comes once").toBeUndefined();
    told.end = end;
    resolve();
  };
  const sink: AnswerSink = {
    onStart: (status) => void told.statuses.push(status),
    onData: (chunk) => {
      told.text += chunk.toString();
      return true;
    },
    onEnd: () => finish("end"),
    onFault: (fault) => finish(`${fault.reason}/${fault.sent}`),
  };
  return { sink, told };
}

const OPENING: UpstreamRequest = { method: "POST", headers: {}, body: Buffer.from('{"jsonrpc":"2.0","id":1,"method":"initialize"}') };
const LEGACY: UpstreamRequest = { method: "POST", headers: { "mcp-protocol-version": "2025-11-25", "mcp-session-id": "s" } };
const MODERN: UpstreamRequest = { method: "POST", headers: { "mcp-protocol-version": "2026-07-28" } };
const RESULT = '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}';
const ERROR = '{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"unsupported"}}';

function build(era: Era | undefined | Promise<Era | undefined>, act?: Script, more: Partial<BridgedOptions> = {}) {
  const server = script("server", act);
  const legacyFront = script("legacy front");
  const modernFront = script("modern front");
  const clock = { nowMs: 0 };
  const bridged = createBridgedUpstream({
    server,
    findEra: () => era,
    createLegacyFront: () => legacyFront,
    createModernFront: () => modernFront,
    now: () => clock.nowMs,
    ...more,
  });
  const ask = async (request: UpstreamRequest): Promise<Told> => {
    const { sink, told } = listenTo();
    bridged.exchange(request, sink);
    await told.done;
    return told;
  };
  return { server, legacyFront, modernFront, clock, bridged, ask };
}

describe("a server of both eras' clients", () => {
  it("is asked as it is in its own era, and through a front in the other", async () => {
    const legacy = build("legacy");
    expect((await legacy.ask(LEGACY)).text).toBe('"server"');
    expect((await legacy.ask(OPENING)).text).toBe('"server"');
    expect((await legacy.ask(MODERN)).text).toBe('"modern front"');
    const modern = build("modern");
    expect((await modern.ask(MODERN)).text).toBe('"server"');
    expect((await modern.ask(LEGACY)).text).toBe('"legacy front"');
  });

  it.each([
    ["JSON", "application/json", [RESULT]],
    ["events, in pieces", "text/event-stream", ["data: ", `${RESULT}\n`, "\n"]],
  ])("goes on directly when a modern server takes a legacy opening (%s)", async (_name, type, chunks) => {
    const { server, legacyFront, ask } = build("modern", answerWith(200, type, ...chunks));
    const told = await ask(OPENING);
    expect(told.text).toBe(chunks.join(""));
    expect(told.statuses).toEqual([200]);
    await ask(LEGACY);
    expect(server.asked).toEqual([OPENING, LEGACY]);
    expect(legacyFront.asked).toEqual([]);
  });

  it.each([
    ["an error", answerWith(200, "application/json", ERROR)],
    ["a refused version", answerWith(400, "application/json", ERROR)],
    ["no such method", answerWith(404, "text/plain", "no")],
    ["an empty answer", answerWith(202, "text/plain")],
  ])("turns to the front with the same opening after %s, and stays there", async (_name, act) => {
    const { server, legacyFront, ask } = build("modern", act);
    const told = await ask(OPENING);
    expect(told.text).toBe('"legacy front"');
    expect(told.statuses).toEqual([200]);
    await ask(OPENING);
    await ask(LEGACY);
    expect(server.asked).toEqual([OPENING]);
    expect(legacyFront.asked).toEqual([OPENING, OPENING, LEGACY]);
  });

  it("asks again when the verdict is old, and sends what follows the way of the last opening", async () => {
    let act = answerWith(404, "text/plain", "no");
    const { server, legacyFront, clock, ask } = build("modern", (request, sink) => act(request, sink));
    await ask(OPENING);
    clock.nowMs += ERA_VERDICT_MS;
    await ask(LEGACY);
    expect(legacyFront.asked).toHaveLength(2);
    act = answerWith(200, "application/json", RESULT);
    await ask(OPENING);
    await ask(LEGACY);
    expect(server.asked).toEqual([OPENING, OPENING, LEGACY]);
  });

  it.each([401, 403, 500, 503])("does not take a status %i for a word about eras", async (status) => {
    const { server, legacyFront, ask } = build("modern", answerWith(status, "text/plain", "no"));
    const told = await ask(OPENING);
    expect(told.statuses).toEqual([status]);
    expect(legacyFront.asked).toEqual([]);
    await ask(OPENING);
    expect(server.asked).toHaveLength(2);
  });

  it("does not take a broken connection for one either", async () => {
    const { legacyFront, ask } = build("modern", (_request, sink) => sink.onFault({ reason: "broken", sent: "unknown", detail: "" }));
    expect((await ask(OPENING)).end).toBe("broken/unknown");
    expect(legacyFront.asked).toEqual([]);
  });

  it("keeps no answer to an opening beyond its bound", async () => {
    const big = "x".repeat(OPENING_LIMIT_BYTES + 1);
    const { legacyFront, ask } = build("modern", answerWith(200, "application/json", big));
    expect((await ask(OPENING)).text).toHaveLength(big.length);
    expect(legacyFront.asked).toEqual([]);
  });

  it.each([
    ["application/json", ""],
    ["text/event-stream", "data: "],
  ])("reads an opening that comes in tiny pieces once (%s)", { timeout: 10_000 }, async (type, head) => {
    const words = "x".repeat(OPENING_LIMIT_BYTES - 1024);
    const text = `${head}{"jsonrpc":"2.0","id":1,"result":{"instructions":"${words}"}}\n\n`;
    const chunks = Array.from({ length: Math.ceil(text.length / 32) }, (_, index) => text.slice(index * 32, index * 32 + 32));
    const { server, legacyFront, ask } = build("modern", answerWith(200, type, ...chunks));
    expect((await ask(OPENING)).text).toBe(text);
    await ask(LEGACY);
    expect([server.asked.length, legacyFront.asked.length]).toEqual([2, 0]);
  });

  it("asks a modern server directly where nothing was opened: it may keep no sessions, and is never tried with a call", async () => {
    const { server, legacyFront, ask } = build("modern", answerWith(400, "application/json", ERROR));
    const call: UpstreamRequest = { method: "POST", headers: {}, body: Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/call"}') };
    expect((await ask(call)).statuses).toEqual([400]);
    expect(server.asked).toEqual([call]);
    await ask(OPENING);
    expect((await ask(call)).text).toBe('"legacy front"');
    expect(legacyFront.asked).toEqual([OPENING, call]);
  });

  it("waits until the era is known, and lets a request go before that", async () => {
    const found = Promise.withResolvers<Era | undefined>();
    const { server, bridged, ask } = build(found.promise);
    const { sink, told } = listenTo();
    bridged.exchange(MODERN, sink).cancel();
    expect(told.end).toBe("cancelled/not_sent");
    const asked = ask(MODERN);
    found.resolve("modern");
    expect((await asked).text).toBe('"server"');
    expect(server.asked).toHaveLength(1);
  });

  it.each([
    ["nothing", async () => undefined],
    ["a fault", async () => await Promise.reject(new Error("no"))],
  ])("leaves the word to the server where asking for the era ends in %s", async (_name, findEra) => {
    const refused: Script = (_request, sink) => sink.onFault({ reason: "login_required", sent: "not_sent", detail: "" });
    const { server, legacyFront, ask } = build("modern", refused, { findEra });
    expect((await ask(LEGACY)).end).toBe("login_required/not_sent");
    expect((await ask(OPENING)).end).toBe("login_required/not_sent");
    expect(server.asked).toEqual([LEGACY, OPENING]);
    expect(legacyFront.asked).toEqual([]);
  });

  it("closes its fronts and the server, and sends nothing afterwards", async () => {
    const { server, legacyFront, modernFront, bridged, ask } = build("modern");
    await ask(LEGACY);
    await bridged.close();
    expect([server.closed, legacyFront.closed, modernFront.closed]).toEqual([true, true, false]);
    expect((await ask(MODERN)).end).toBe("closed/not_sent");
  });
});
