/** What happens while a call is under way: a grant revoked, a client gone, a policy changed, two requests on one line. */

import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { BODY_TIMEOUT_MS, readBody } from "../../src/gateway/receive.ts";
import { restoreGrant, revokeGrant } from "../../src/identity/change-grants.ts";
import { type RawGateway, startGateway, TOKEN } from "../support/raw-gateway.ts";
import { exchangeBytes, writeHttp } from "../support/raw-http.ts";
import type { Reply } from "../support/raw-upstream.ts";

let gateway: RawGateway;
let release: (() => void)[] = [];
beforeAll(async () => {
  gateway = await startGateway({ servers: { alpha: { policy: { version: "1", default: "allow" } } } });
  await gateway.call("echo");
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.upstream.forget();
  gateway.upstream.respond = () => undefined;
  release = [];
});

/** Calls wait until the test lets them go. */
function holdCalls(): void {
  const hold: Reply = {
    act: (response, _socket, id) =>
      void release.push(() => {
        response
          .writeHead(200, { "content-type": "application/json" })
          .end(`{"jsonrpc":"2.0","id":${id},"result":{"content":[],"canary":"held-answer"}}`);
      }),
  };
  gateway.upstream.respond = (_arrived, asked) => (asked.method === "tools/call" ? hold : undefined);
}

const arrive = async (count: number): Promise<void> =>
  vi.waitFor(() => expect(release).toHaveLength(count), { timeout: 10_000, interval: 5 });

describe("a call under way", () => {
  test("whose grant is revoked ends at the server; its answer is dropped, and that is on record", async () => {
    holdCalls();
    const folder = await gateway.folder();
    const act = { by: "test", nowMs: Date.now() };
    const entries = await gateway.during(async () => {
      const asked = gateway.call("echo");
      await arrive(1);
      await folder.store.write((batch) => revokeGrant(batch, "first", act));
      release[0]?.();
      const answer = await asked;
      expect(answer.status).toBe(401);
      expect(answer.text).not.toContain("held-answer");
    }, 2);
    await folder.store.write((batch) => restoreGrant(batch, "first", act));
    expect(entries.filter(({ kind }) => kind === "outcome")).toMatchObject([
      { outcome: "ok", code: "grant_revoked", tool: "echo", grant: "first" },
    ]);
    expect((await gateway.call("none-of-that")).status).toBe(200);
  });

  test("whose client is gone goes on, once, and its outcome is on record", async () => {
    holdCalls();
    const entries = await gateway.during(async () => {
      const socket = connect(gateway.port, "127.0.0.1");
      socket.on("error", () => undefined);
      const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{}}}';
      socket.write(
        writeHttp({
          path: "/mcp/alpha",
          headers: [
            ["Host", "localhost"],
            ["Authorization", `Bearer ${TOKEN}`],
            ["Content-Type", "application/json"],
          ],
          body,
        }),
      );
      await arrive(1);
      socket.destroy();
      await new Promise((resolve) => setTimeout(resolve, 50));
      release[0]?.();
    }, 2);
    expect(entries.map(({ kind, outcome }) => [kind, outcome])).toEqual([
      ["intent", null],
      ["outcome", "ok"],
    ]);
    expect(gateway.upstream.calls()).toHaveLength(1);
  });

  test("is not disturbed by the one behind it on the same line, and both are answered in order", async () => {
    const one = (id: number, close: boolean) =>
      writeHttp({
        path: "/mcp/alpha",
        headers: [
          ["Host", "localhost"],
          ["Authorization", `Bearer ${TOKEN}`],
          ["Content-Type", "application/json"],
          ...(close ? [["Connection", "close"] as const] : []),
        ],
        body: `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":{}}}`,
      });
    const came = (await exchangeBytes(gateway.port, [Buffer.concat([one(1, false), one(2, false), one(3, true)])])).toString();
    expect([...came.matchAll(/"id":(\d)/g)].map((match) => match[1])).toEqual(["1", "2", "3"]);
    expect(gateway.upstream.calls()).toHaveLength(3);
  });

  test("is sent once, though the server closes idle connections under it", async () => {
    gateway.upstream.respond = (_arrived, asked) =>
      asked.method !== "tools/call"
        ? undefined
        : {
            act: (response, socket, id) => {
              response.writeHead(200, { "content-type": "application/json" }).end(`{"jsonrpc":"2.0","id":${id},"result":{"content":[]}}`);
              response.on("finish", () => setTimeout(() => socket.destroy(), 1));
            },
          };
    const entries = await gateway.during(async () => {
      for (let count = 0; count < 40; count++) expect((await gateway.call("echo", `{"n":${count}}`)).status).toBe(200);
    }, 80);
    const numbers = gateway.upstream.calls().map(({ message }) => /"n":(\d+)/.exec(JSON.stringify(message))?.[1]);
    expect(numbers).toEqual([...new Set(numbers)]);
    const lost = entries.filter(({ kind, outcome }) => kind === "outcome" && outcome !== "ok");
    expect(numbers.length + lost.length).toBeGreaterThanOrEqual(40);
  });
});

describe("a changed configuration", () => {
  test("holds for the next call, and a call under way keeps what it was judged by", async () => {
    holdCalls();
    const asked = gateway.call("echo");
    await arrive(1);
    gateway.rewriteConfig((config: { policies?: Record<string, { document: object }> }) => {
      const policies = { "alpha-policy": { server: "alpha", document: { version: "1", default: "deny" } } };
      return { ...config, policies };
    });
    await vi.waitFor(async () => expect((await gateway.call("echo-not-there")).text).toContain("not_allowed"), {
      timeout: 15_000,
      interval: 100,
    });
    release[0]?.();
    expect((await asked).text).toContain("held-answer");
    expect((await gateway.call("echo")).text).toContain("not_allowed");
    expect(gateway.upstream.calls()).toHaveLength(1);
    const revisions = (await gateway.entries())
      .filter(({ tool }) => tool === "echo")
      .slice(-3)
      .map((entry) => entry["policyRevision"]);
    expect(revisions[0]).toBe(revisions[1]);
    expect(revisions[2]).not.toBe(revisions[0]);
  });
});

describe("a body", () => {
  afterAll(() => {
    vi.useRealTimers();
  });

  test("that never ends is given up after its time", async () => {
    vi.useFakeTimers();
    const stream = new PassThrough();
    const read = readBody(stream as unknown as IncomingMessage, { bodyLimitBytes: 100 });
    stream.write('{"jsonrpc"');
    await vi.advanceTimersByTimeAsync(BODY_TIMEOUT_MS - 1);
    let given = false;
    void read.then(() => {
      given = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(given).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await read).toBeUndefined();
  });
});
