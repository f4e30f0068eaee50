import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { FailureError } from "../../src/kernel/failure.ts";
import { createAddressGuard } from "../../src/upstream/address-guard.ts";
import { createHttpUpstream, type HttpUpstream, type UpstreamRequest } from "../../src/upstream/http-upstream.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./certificate.ts";
import { createRecorder, openUpstream, startServer, type Told } from "./loopback-server.ts";

const HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const call = (body: string, more: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  method: "POST",
  headers: HEADERS,
  body: Buffer.from(body),
  ...more,
});

function send(upstream: HttpUpstream, request: UpstreamRequest): Promise<Told> {
  const recorder = createRecorder();
  upstream.exchange(request, recorder);
  return recorder.done;
}

/** The one fault of an exchange that had no end. */
function faultOf(told: Told): { reason: string; sent: string } {
  expect(told.ended).toBe(false);
  expect(told.faults).toHaveLength(1);
  const { reason, sent } = told.faults[0] as { reason: string; sent: string };
  return { reason, sent };
}

describe("an exchange", () => {
  test("sends the bytes and gives the answer's", async () => {
    const server = await startServer((request, response) => {
      response.writeHead(200, { "content-type": "application/json", "x-other": "1" });
      response.end(`{"echo":${request.body}}`);
    });
    const told = await send(openUpstream(`${server.url}?a=1`), call('{ "n": 1.0 }'));
    expect(told).toMatchObject({ status: 200, body: '{"echo":{ "n": 1.0 }}', ended: true, faults: [] });
    expect(told.headers["content-type"]).toBe("application/json");
    expect(server.arrived[0]).toMatchObject({ method: "POST", url: "/mcp?a=1", body: '{ "n": 1.0 }' });
  });

  test("carries the server's own headers and the protocol's, and never the client's", async () => {
    const server = await startServer((_request, response) => response.end("{}"));
    const upstream = openUpstream(server.url, { Authorization: "Bearer upstream-credential", "X-Api-Key": "k", "Mcp-Param-Fixed": "own" });
    await send(
      upstream,
      call("{}", {
        headers: {
          ...HEADERS,
          authorization: "Bearer the-clients",
          cookie: "sid=1",
          "proxy-authorization": "Basic x",
          forwarded: "for=1.2.3.4",
          "x-forwarded-for": "1.2.3.4",
          host: "elsewhere.example",
          "accept-encoding": "gzip",
          origin: "https://evil.example",
          "mcp-session-id": "s1",
          "mcp-protocol-version": "2025-11-25",
          "mcp-method": "tools/call",
          "mcp-name": "x",
          "mcp-param-region": "eu",
          "mcp-param-fixed": "the client's",
          traceparent: "00-a-b-01",
        },
      }),
    );
    expect(server.arrived[0]?.headers).toEqual({
      host: `127.0.0.1:${server.port}`,
      connection: "keep-alive",
      "content-length": "2",
      "accept-encoding": "identity",
      authorization: "Bearer upstream-credential",
      "x-api-key": "k",
      "mcp-param-fixed": "own",
      ...HEADERS,
      "mcp-session-id": "s1",
      "mcp-protocol-version": "2025-11-25",
      "mcp-method": "tools/call",
      "mcp-name": "x",
      "mcp-param-region": "eu",
      traceparent: "00-a-b-01",
    });
  });

  test("keeps its connection for the next", async () => {
    const server = await startServer((_request, response) => response.end("{}"));
    const upstream = openUpstream(server.url);
    for (let count = 0; count < 5; count++) await send(upstream, call("{}"));
    // The second may be asked for before the first connection is known to be free.
    expect(server.connections()).toBeLessThan(3);
  });

  test("gives each piece of a stream when it comes", async () => {
    // The second piece is written when the first has come: held back, it would never be.
    const { promise: came, resolve: comes } = Promise.withResolvers<void>();
    const server = await startServer((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
      void came.then(() => response.end("data: 2\n\n"));
    });
    const recorder = createRecorder(() => {
      comes();
      return true;
    });
    openUpstream(server.url).exchange(call("{}"), recorder);
    expect((await recorder.done).body).toBe("data: 1\n\ndata: 2\n\n");
  });

  test("holds the server back while its sink asks for a pause", async () => {
    let written = 0;
    const block = Buffer.alloc(256 * 1024, 1);
    const server = await startServer((_request, response) => {
      response.writeHead(200);
      const write = (): void => {
        while (written < 128) {
          written++;
          if (!response.write(block)) {
            response.once("drain", write);
            return;
          }
        }
        response.end();
      };
      write();
    });
    let received = 0;
    let paused = true;
    const recorder = { ...createRecorder(), onData: (chunk: Buffer): boolean => ((received += chunk.length), !paused) };
    const exchange = openUpstream(server.url).exchange(call("{}"), recorder);
    await pause(300);
    expect(received).toBeLessThan(1024 * 1024);
    expect(written).toBeLessThan(128);
    paused = false;
    exchange.resume();
    expect((await recorder.done).ended).toBe(true);
    expect(received).toBe(128 * block.length);
  });

  test("looks through informational answers", async () => {
    const server = await startServer((_request, response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: "</a>; rel=preload" });
      response.end("{}");
    });
    expect(await send(openUpstream(server.url), call("{}"))).toMatchObject({ status: 200, ended: true });
  });

  test("hands statuses with bodies through as they are", async () => {
    const server = await startServer((_request, response) => {
      response.writeHead(404, { "content-type": "application/json" });
      response.end('{"error":1}');
    });
    expect(await send(openUpstream(server.url), call("{}"))).toMatchObject({ status: 404, body: '{"error":1}', ended: true });
  });
});

describe("an answer is refused", () => {
  test.each([301, 302, 303, 307, 308])("where it is a redirect (%i), and nobody goes there", async (status) => {
    const target = await startServer((_request, response) => response.end("secret"));
    const server = await startServer((_request, response) => {
      response.writeHead(status, { location: target.url });
      response.end();
    });
    const told = await send(openUpstream(server.url, { authorization: "Bearer x" }), call("{}"));
    expect(faultOf(told)).toEqual({ reason: "redirect", sent: "unknown" });
    expect(told.status).toBeUndefined();
    expect(target.arrived).toEqual([]);
  });

  test.each(["gzip", "br", "x-unknown", "identity, gzip"])("where it is encoded (%s)", async (encoding) => {
    const server = await startServer((_request, response) => {
      response.writeHead(200, { "content-encoding": encoding });
      response.end(gzipSync("{}"));
    });
    expect(faultOf(await send(openUpstream(server.url), call("{}")))).toEqual({ reason: "encoding", sent: "unknown" });
  });

  test("where it is larger than asked for", async () => {
    const server = await startServer((_request, response) => response.end("x".repeat(10_000)));
    const told = await send(openUpstream(server.url), call("{}", { answerLimitBytes: 9_999 }));
    expect(faultOf(told)).toEqual({ reason: "too_large", sent: "unknown" });
    expect((await send(openUpstream(server.url), call("{}", { answerLimitBytes: 10_000 }))).ended).toBe(true);
  });

  test("where it does not come in time, before its head and within it", async () => {
    const server = await startServer((request, response) => {
      if (request.body === "late") return;
      response.writeHead(200);
      response.write("a");
    });
    const upstream = openUpstream(server.url, {}, { answerTimeoutMs: 200 });
    expect(faultOf(await send(upstream, call("late")))).toEqual({ reason: "answer_timeout", sent: "unknown" });
    expect(faultOf(await send(upstream, call("cut")))).toEqual({ reason: "answer_timeout", sent: "unknown" });
  });
});

describe("a request certainly never left", () => {
  test("where nobody listens", async () => {
    const server = createTcpServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect(faultOf(await send(openUpstream(`http://127.0.0.1:${port}/`), call("{}")))).toEqual({ reason: "connect", sent: "not_sent" });
  });

  test("where the address is refused, for a literal and for a name", async () => {
    const server = await startServer((_request, response) => response.end());
    const guard = createAddressGuard({ allow: [], resolve: () => Promise.resolve(["127.0.0.1"]) });
    for (const host of ["127.0.0.1", "name.example", "localhost"]) {
      const upstream = createHttpUpstream({ url: `http://${host}:${server.port}/`, headers: {}, guard });
      onTestFinished(() => upstream.close());
      expect(faultOf(await send(upstream, call("{}")))).toEqual({ reason: "address_refused", sent: "not_sent" });
    }
    expect(server.connections()).toBe(0);
  });

  test("where the name does not resolve", async () => {
    const guard = createAddressGuard({ allow: [], resolve: () => Promise.reject(new Error("ENOTFOUND")) });
    const upstream = createHttpUpstream({ url: "http://gone.example/", headers: {}, guard });
    onTestFinished(() => upstream.close());
    expect(faultOf(await send(upstream, call("{}")))).toMatchObject({ sent: "not_sent" });
  });

  test("where it was cancelled while it waited, and it does not leave later", async () => {
    const server = await startServer((request, response) => {
      if (request.body !== "slow") response.end("{}");
      else setTimeout(() => response.end("{}"), 200);
    });
    const upstream = openUpstream(server.url, {}, { callConnections: 1 });
    const slow = send(upstream, call("slow"));
    const recorder = createRecorder();
    const waiting = upstream.exchange(call("cancelled"), recorder);
    expect(upstream.waiting).toBeGreaterThan(0);
    waiting.cancel();
    waiting.cancel();
    expect(faultOf(await recorder.done)).toEqual({ reason: "cancelled", sent: "not_sent" });
    expect((await slow).ended).toBe(true);
    expect((await send(upstream, call("next"))).ended).toBe(true);
    expect(server.arrived.map((arrived) => arrived.body)).toEqual(["slow", "next"]);
    expect(upstream.waiting).toBe(0);
  });

  test("where its signal had ended, or ends while it waits", async () => {
    const server = await startServer(() => {});
    const upstream = openUpstream(server.url, {}, { callConnections: 1 });
    const told = await send(upstream, call("{}", { signal: AbortSignal.abort() }));
    expect(faultOf(told)).toEqual({ reason: "cancelled", sent: "not_sent" });
    void send(upstream, call("hangs"));
    const late = await send(upstream, call("{}", { signal: AbortSignal.timeout(50) }));
    expect(faultOf(late)).toEqual({ reason: "cancelled", sent: "not_sent" });
    expect(server.arrived.map((arrived) => arrived.body)).toEqual(["hangs"]);
  });

  test("where no connection is free in time", async () => {
    const server = await startServer(() => {});
    const upstream = openUpstream(server.url, {}, { callConnections: 1, waitTimeoutMs: 50 });
    void send(upstream, call("hangs"));
    expect(faultOf(await send(upstream, call("{}")))).toEqual({ reason: "wait_timeout", sent: "not_sent" });
  });

  test("never where it is under way already, however long it takes", async () => {
    const server = await startServer((_request, response) => void setTimeout(() => response.end("late"), 200));
    const upstream = openUpstream(server.url, {}, { waitTimeoutMs: 50 });
    expect((await send(upstream, call("{}"))).body).toBe("late");
  });

  test("where too many wait already", async () => {
    const server = await startServer(() => {});
    const upstream = openUpstream(server.url, {}, { callConnections: 1, waitingRequests: 3 });
    void send(upstream, call("hangs"));
    while (server.arrived.length === 0) await pause(5);
    for (let count = 0; count < 3; count++) void send(upstream, call("waits"));
    expect(faultOf(await send(upstream, call("{}")))).toEqual({ reason: "busy", sent: "not_sent" });
  });

  test("where a header can't be sent", async () => {
    const server = await startServer((_request, response) => response.end());
    const told = await send(openUpstream(server.url), call("{}", { headers: { "mcp-name": "a\r\nx-evil: 1" } }));
    expect(faultOf(told)).toEqual({ reason: "unsendable", sent: "not_sent" });
    expect(server.arrived).toEqual([]);
  });

  test("where it is closed", async () => {
    const server = await startServer((_request, response) => response.end());
    const upstream = openUpstream(server.url);
    await upstream.close();
    expect(faultOf(await send(upstream, call("{}")))).toEqual({ reason: "closed", sent: "not_sent" });
  });

  test("and its sink is told only when whoever asked has the handle", () => {
    const recorder = createRecorder();
    const upstream = openUpstream("http://127.0.0.1:9/");
    upstream.exchange(call("{}", { headers: { "mcp-name": "\n" } }), recorder);
    expect(recorder.told.faults).toEqual([]);
    return expect(recorder.done).resolves.toMatchObject({ faults: [{ reason: "unsendable" }] });
  });
});

describe("what came of a request is unknown", () => {
  test("where the connection breaks before the answer's head, and it is not sent again", async () => {
    const server = await startServer((_request, _response, raw) => raw.socket.resetAndDestroy());
    const upstream = openUpstream(server.url);
    expect(faultOf(await send(upstream, call("once")))).toEqual({ reason: "broken", sent: "unknown" });
    await pause(100);
    expect(server.arrived).toHaveLength(1);
  });

  test("where it breaks within the body", async () => {
    const server = await startServer((_request, response, raw) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half", () => raw.socket.destroy());
    });
    const told = await send(openUpstream(server.url), call("{}"));
    expect(told.status).toBe(200);
    expect(faultOf(told)).toEqual({ reason: "broken", sent: "unknown" });
  });

  test("where it is cancelled afterwards, and the server sees the stream end", async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const server = await startServer((_request, response) => {
      response.on("close", resolve);
      response.writeHead(200);
      response.write("a");
    });
    const recorder = createRecorder();
    const exchange = openUpstream(server.url).exchange(call("{}"), recorder);
    while (recorder.told.status === undefined) await pause(5);
    exchange.cancel();
    expect(faultOf(await recorder.done)).toEqual({ reason: "cancelled", sent: "unknown" });
    await closed;
  });

  test("where what answers is not HTTP", async () => {
    const sockets: Socket[] = [];
    const server = createTcpServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      socket.once("data", () => socket.write("SSH-2.0-OpenSSH_9.9\r\n"));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    expect(faultOf(await send(openUpstream(`http://127.0.0.1:${port}/`), call("{}")))).toEqual({ reason: "broken", sent: "unknown" });
  });

  test("where its sink fails, which ends it", async () => {
    const server = await startServer((_request, response) => response.end("{}"));
    const recorder = createRecorder(() => {
      throw new Error("bug");
    });
    openUpstream(server.url).exchange(call("{}"), recorder);
    expect(faultOf(await recorder.done)).toEqual({ reason: "broken", sent: "unknown" });
  });

  test("and no request is ever sent twice, though connections break at every turn", async () => {
    let turn = 0;
    const server = await startServer((_request, response, raw) => {
      turn++;
      if (turn % 3 === 0) raw.socket.destroy();
      else if (turn % 3 === 1) {
        response.setHeader("connection", "close");
        response.end("{}");
      } else response.end("{}", () => raw.socket.destroy());
    });
    const upstream = openUpstream(server.url, {}, { callConnections: 4 });
    const all = await Promise.all(Array.from({ length: 100 }, (_, id) => send(upstream, call(String(id)))));
    const counts = new Map<string, number>();
    for (const { body } of server.arrived) counts.set(body, (counts.get(body) ?? 0) + 1);
    expect([...counts.values()].filter((times) => times > 1)).toEqual([]);
    for (const [id, told] of all.entries()) {
      expect(told.ended ? 1 : told.faults.length).toBe(1);
      const isNotSent = told.faults[0]?.sent === "not_sent";
      expect(isNotSent && counts.has(String(id))).toBe(false);
    }
  });
});

describe("streams that stay open", () => {
  test("take no connection from calls and may be silent", async () => {
    const server = await startServer((request, response) => {
      if (request.method === "POST") response.end("{}");
      else response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    });
    const upstream = openUpstream(server.url, {}, { callConnections: 1, answerTimeoutMs: 1_000 });
    const streams = Array.from({ length: 5 }, () => createRecorder());
    for (const recorder of streams) upstream.exchange({ method: "GET", headers: { accept: "text/event-stream" }, stream: true }, recorder);
    while (streams.some((recorder) => recorder.told.status === undefined)) await pause(5);
    await pause(2_500);
    expect((await send(upstream, call("{}"))).ended).toBe(true);
    expect(streams.flatMap((recorder) => recorder.told.faults)).toEqual([]);
    await upstream.close();
    for (const recorder of streams) expect(faultOf(await recorder.done).sent).toBe("unknown");
  });
});

describe("TLS", () => {
  async function startTls(): Promise<{ port: number; names: (string | false | null | undefined)[] }> {
    const names: (string | false | null | undefined)[] = [];
    const server = createTlsServer({ key: TEST_KEY, cert: TEST_CERTIFICATE }, (_request, response) => response.end("{}"));
    server.on("secureConnection", (socket) => names.push(socket.servername));
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    return { port: (server.address() as AddressInfo).port, names };
  }
  const guard = createAddressGuard({ allow: ["127.0.0.1"], resolve: () => Promise.resolve(["127.0.0.1"]) });

  test("keeps to the name while the connection keeps to the address", async () => {
    const { port, names } = await startTls();
    const upstream = createHttpUpstream({ url: `https://server.example:${port}/`, headers: {}, guard, ca: TEST_CERTIFICATE });
    onTestFinished(() => upstream.close());
    expect(await send(upstream, call("{}"))).toMatchObject({ status: 200, ended: true });
    expect(names).toEqual(["server.example"]);
  });

  test.each(["other.example", "127.0.0.1"])("refuses a certificate that is not %s's, and nothing was sent", async (host) => {
    const { port } = await startTls();
    const upstream = createHttpUpstream({ url: `https://${host}:${port}/`, headers: {}, guard, ca: TEST_CERTIFICATE });
    onTestFinished(() => upstream.close());
    expect(faultOf(await send(upstream, call("{}")))).toEqual({ reason: "connect", sent: "not_sent" });
  });

  test("refuses a certificate that nobody vouches for", async () => {
    const { port } = await startTls();
    const upstream = createHttpUpstream({ url: `https://server.example:${port}/`, headers: {}, guard });
    onTestFinished(() => upstream.close());
    expect(faultOf(await send(upstream, call("{}")))).toEqual({ reason: "connect", sent: "not_sent" });
  });
});

describe("a configuration that can't be used", () => {
  const guard = createAddressGuard({ allow: [], resolve: () => Promise.resolve([]) });

  test.each(["", "example.com", "ftp://example.com/", "file:///etc/passwd", "http://user:pass@example.com/", "http://"])(
    "%j is no address",
    (url) => {
      expect(() => createHttpUpstream({ url, headers: {}, guard })).toThrow(FailureError);
    },
  );

  test.each([
    { Host: "a" },
    { "Transfer-Encoding": "chunked" },
    { "Content-Length": "1" },
    { Connection: "close" },
    { "Mcp-Session-Id": "x" },
    { "Accept-Encoding": "gzip" },
    { "bad name": "x" },
    { "X-A": "line\r\nX-B: 1" },
    { "X-A": "日本" },
    { "X-A": "1", "x-a": "2" },
  ])("%j are no headers of a server's own", (headers) => {
    expect(() => createHttpUpstream({ url: "http://example.com/", headers: headers as Record<string, string>, guard })).toThrow(
      FailureError,
    );
  });

  test("says which header, and never its value", () => {
    expect(() => createHttpUpstream({ url: "http://example.com/", headers: { "X-Key": "secret\nvalue" }, guard })).toThrow(/X-Key/);
    expect(() => createHttpUpstream({ url: "http://example.com/", headers: { "X-Key": "secret\nvalue" }, guard })).not.toThrow(/secret/);
  });
});
