/** One server's session under a client's: opened when it is needed, waited for by all, opened again when it is forgotten. */
import { describe, expect, it } from "vitest";
import { type Opened, SessionLink } from "../../src/gateway/several/session-link.ts";
import { asData } from "../../src/mcp/refusal.ts";
import type { AnswerSink, HttpUpstream, UpstreamRequest } from "../../src/upstream/http-upstream.ts";

type Answering = (request: UpstreamRequest, sink: AnswerSink) => void;

const opened = (id: number): Opened => ({
  upstreamSession: `own-${id}`,
  revision: "2025-06-18",
  capabilities: asData({}),
  instructions: undefined,
});
const READ = Buffer.from('{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{}}');
const CALL = Buffer.from('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}}');
const TOLD = Buffer.from('{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}');

function rig(answer: Answering, open: () => Promise<Opened | undefined>) {
  const sent: UpstreamRequest[] = [];
  const upstream: HttpUpstream = {
    exchange(request, sink) {
      sent.push(request);
      queueMicrotask(() => answer(request, sink));
      return { cancel: () => sink.onFault({ reason: "cancelled", sent: "unknown", detail: "" }), resume: () => undefined };
    },
    waiting: 0,
    close: async () => undefined,
  };
  let openings = 0;
  let unreachable = 0;
  const link = new SessionLink({
    upstream,
    open: () => (openings++, open()),
    onOpened: () => undefined,
    onUnreachable: () => unreachable++,
  });
  const ask = (body: Buffer | undefined, method: UpstreamRequest["method"] = "POST"): Promise<string> =>
    new Promise((resolve) => {
      const headers = { "mcp-session-id": "", "mcp-protocol-version": "2025-11-25", accept: "x" };
      link.exchange(
        { method, body, headers },
        {
          onStart: (status) => resolve(`status ${status}`),
          onData: () => true,
          onEnd: () => undefined,
          onFault: ({ reason, sent: left }) => resolve(`${reason} ${left}`),
        },
      );
    });
  return { link, sent, ask, openings: () => openings, unreachable: () => unreachable };
}

const fine: Answering = (_request, sink) => {
  sink.onStart(200, {});
  sink.onEnd();
};
const forgetful =
  (known: string): Answering =>
  (request, sink) => {
    sink.onStart(request.headers["mcp-session-id"] === known ? 200 : 404, {});
    sink.onData(Buffer.from("session not found"));
    sink.onEnd();
  };

describe("a session that is opened when it is needed", () => {
  it("is opened once for all that wait, and carries its own id and revision", async () => {
    const { ask, sent, openings } = rig(fine, async () => opened(1));
    expect(await Promise.all([ask(READ), ask(CALL), ask(undefined, "GET")])).toEqual(["status 200", "status 200", "status 200"]);
    expect(openings()).toBe(1);
    for (const { headers } of sent)
      expect(headers).toEqual({ "mcp-session-id": "own-1", "mcp-protocol-version": "2025-06-18", accept: "x" });
  });

  it("names no session to a server that keeps none", async () => {
    const { ask, sent } = rig(fine, async () => ({ ...opened(1), upstreamSession: undefined }));
    await ask(CALL);
    expect(sent[0]?.headers).not.toHaveProperty("mcp-session-id");
  });

  it("that can't be opened sends nothing, and is tried again with the next request", async () => {
    let works = false;
    const { ask, sent, unreachable } = rig(fine, async () => (works ? opened(1) : undefined));
    expect(await ask(CALL)).toBe("connect not_sent");
    expect(sent).toEqual([]);
    expect(unreachable()).toBe(1);
    works = true;
    expect(await ask(CALL)).toBe("status 200");
  });

  it("is not opened to be ended, nor for a request that was cancelled meanwhile", async () => {
    const gate = Promise.withResolvers<Opened>();
    const { ask, link, sent, openings } = rig(fine, () => gate.promise);
    expect(await ask(undefined, "DELETE")).toBe("cancelled not_sent");
    expect(openings()).toBe(0);
    const faults: string[] = [];
    const sink = {
      onStart: () => undefined,
      onData: () => true,
      onEnd: () => undefined,
      onFault: (fault: { sent: string }) => faults.push(fault.sent),
    };
    const waiting = link.exchange({ method: "POST", body: CALL, headers: {} }, sink as unknown as AnswerSink);
    waiting.cancel();
    gate.resolve(opened(1));
    await link.ready();
    expect(faults).toEqual(["not_sent"]);
    expect(sent).toEqual([]);
  });
});

describe("a session that the server has forgotten", () => {
  it("is opened again for what only reads, which is then sent a second time", async () => {
    let count = 0;
    const { ask, sent, openings } = rig(forgetful("own-2"), async () => opened(++count));
    expect(await ask(READ)).toBe("status 200");
    expect([openings(), sent.length]).toEqual([2, 2]);
  });

  it("costs a call and a notification their answer: neither is sent twice", async () => {
    for (const body of [CALL, TOLD]) {
      let count = 0;
      const { ask, sent } = rig(forgetful("own-2"), async () => opened(++count));
      expect(await ask(body)).toBe("broken unknown");
      expect(sent.length).toBe(1);
      expect(await ask(body)).toBe("status 200");
    }
  });

  it("is the server's alone: a 404 never reaches the client's own session, not even where the server keeps none", async () => {
    const { ask, sent } = rig(forgetful("never"), async () => ({ ...opened(1), upstreamSession: undefined }));
    expect(await ask(CALL)).toBe("broken unknown");
    expect(await ask(READ)).toBe("broken unknown");
    expect(sent.length).toBe(3);
  });

  it("again and again ends in a fault, not in a circle", async () => {
    let count = 0;
    const { ask, sent } = rig(forgetful("never"), async () => opened(++count));
    expect(await ask(READ)).toBe("broken unknown");
    expect(sent.length).toBe(2);
  });
});
