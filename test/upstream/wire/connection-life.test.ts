import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { createAddressGuard } from "../../../src/upstream/address-guard.ts";
import { createHttpUpstream, type HttpUpstream, type UpstreamRequest } from "../../../src/upstream/http-upstream.ts";
import { createRecorder, openUpstream, type Told } from "../loopback-server.ts";
import { startRawAnswers } from "./raw-answers.ts";

const answer = (body: string, fields = ""): string => `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
const POISON = answer("poison");

function send(upstream: HttpUpstream, body = "{}", more: Partial<UpstreamRequest> = {}): Promise<Told> {
  const recorder = createRecorder();
  upstream.exchange({ method: "POST", headers: {}, body: Buffer.from(body), ...more }, recorder);
  return recorder.done;
}

const isWhole = (body: string): object => ({ ended: true, faults: [], body });
const isFault = (reason: string, sent: string): object => ({ ended: false, faults: [{ reason, sent }] });

describe("a connection", () => {
  test("is used again, the last used first, for one request at a time", async () => {
    const held: (() => void)[] = [];
    const server = await startRawAnswers((socket, request) => {
      const reply = (): void => void socket.write(answer(request.slice(-1)));
      if (request.endsWith("h")) held.push(reply);
      else reply();
    });
    const upstream = openUpstream(server.url);
    const parallel = [send(upstream, "h"), send(upstream, "h"), send(upstream, "h")];
    while (held.length < 3) await pause(2);
    for (const reply of held) reply();
    for (const told of await Promise.all(parallel)) expect(told).toMatchObject(isWhole("h"));
    for (const body of ["a", "b", "c", "d"]) expect(await send(upstream, body)).toMatchObject(isWhole(body));
    expect(server.sockets).toHaveLength(3);
    const requestsOf = server.arrived.map((text) => text.split("POST ").length - 1).sort((a, b) => a - b);
    expect(requestsOf).toEqual([1, 1, 5]);
  });

  test("writes head and body as they are", async () => {
    const server = await startRawAnswers((socket) => socket.write(answer("{}")));
    const upstream = openUpstream(`${server.url}?a=%20b`, { "X-Own": "v\xe9" });
    await send(upstream, '{"é":1}', { headers: { "mcp-name": "n", cookie: "c" }, authorization: "Bearer t" });
    expect(server.arrived).toEqual([
      `POST /mcp?a=%20b HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nconnection: keep-alive\r\naccept-encoding: identity\r\n` +
        'X-Own: v\xe9\r\nmcp-name: n\r\nauthorization: Bearer t\r\ncontent-length: 8\r\n\r\n{"\xc3\xa9":1}',
    ]);
    upstream.exchange({ method: "DELETE", path: "/other", headers: {} }, createRecorder());
    while (!server.arrived.join("").includes("DELETE")) await pause(2);
    expect(server.arrived.join("")).toMatch(/DELETE \/other HTTP\/1\.1\r\nhost: [^]*\r\nX-Own: v\xe9\r\n\r\n$/);
  });

  test.each([0, 1, 32 * 1024, 32 * 1024 + 1, 3 * 1024 * 1024])("carries a body of %i bytes", async (length) => {
    let size = -1;
    const server = await startRawAnswers((socket, request) => {
      size = request.length - request.indexOf("\r\n\r\n") - 4;
      socket.write(answer("{}"));
    });
    expect(await send(openUpstream(server.url), "x".repeat(length))).toMatchObject(isWhole("{}"));
    expect(size).toBe(length);
  });

  test("is not used again where more came with an answer", async () => {
    const server = await startRawAnswers((socket, request) => socket.write(answer(request.slice(-1)) + POISON));
    const upstream = openUpstream(server.url, {}, { callConnections: 1 });
    const all = await Promise.all(["a", "b", "c"].map((body) => send(upstream, body)));
    expect(all.map((told) => told.body)).toEqual(["a", "b", "c"]);
    expect(server.sockets).toHaveLength(3);
  });

  test("ends where bytes come that nobody asked for", async () => {
    const server = await startRawAnswers((socket, request) => socket.write(answer(request.slice(-1))));
    const upstream = openUpstream(server.url);
    expect(await send(upstream, "a")).toMatchObject(isWhole("a"));
    const closed = new Promise((resolve) => server.sockets[0]?.on("close", resolve));
    server.sockets[0]?.write(POISON);
    await closed;
    expect(await send(upstream, "b")).toMatchObject(isWhole("b"));
    expect(server.sockets).toHaveLength(2);
  });

  test.each([
    ["has been written to", POISON],
    ["has been ended", undefined],
  ])("is replaced where it %s before a request left, which leaves once", async (_what, bytes) => {
    const server = await startRawAnswers((socket, request) => socket.write(answer(request.slice(-1))));
    const upstream = openUpstream(server.url);
    expect(await send(upstream, "a")).toMatchObject(isWhole("a"));
    await turn();
    if (bytes === undefined) server.sockets[0]?.end();
    else server.sockets[0]?.write(bytes);
    expect(await send(upstream, "b")).toMatchObject(isWhole("b"));
    expect(server.sockets).toHaveLength(2);
    expect(server.arrived.join("").split("POST ")).toHaveLength(3);
  });

  test("is looked at again when it has only just become free, though a request waits", async () => {
    const server = await startRawAnswers((socket, request) => socket.write(answer(request.slice(-1))));
    const upstream = openUpstream(server.url, {}, { callConnections: 1 });
    const first = createRecorder();
    // In the very turn in which the answer ended, and the next request got the connection.
    const onEnd = (): void => {
      server.sockets[0]?.write(POISON);
      first.onEnd();
    };
    upstream.exchange({ method: "POST", headers: {}, body: Buffer.from("a") }, { ...first, onEnd });
    const second = send(upstream, "b");
    expect(await first.done).toMatchObject(isWhole("a"));
    expect(await second).toMatchObject(isWhole("b"));
    expect(server.sockets).toHaveLength(2);
  });

  test("is not used again where the server says so, or would keep it too shortly", async () => {
    for (const fields of ["Connection: close\r\n", "Keep-Alive: timeout=2\r\n"]) {
      const server = await startRawAnswers((socket) => socket.write(answer("{}", fields)));
      const upstream = openUpstream(server.url);
      for (let count = 0; count < 3; count++) expect(await send(upstream)).toMatchObject(isWhole("{}"));
      expect(server.sockets).toHaveLength(3);
    }
  });

  test("ends when nobody needs it, sooner than the server would end it", async () => {
    const server = await startRawAnswers((socket) => socket.write(answer("{}", "Keep-Alive: timeout=3\r\n")));
    const upstream = openUpstream(server.url);
    for (let count = 0; count < 2; count++) expect(await send(upstream)).toMatchObject(isWhole("{}"));
    expect(server.sockets).toHaveLength(1);
    await new Promise((resolve) => server.sockets[0]?.on("close", resolve));
  });

  test("is not used again where a request was answered before it was written whole", async () => {
    const server = await startRawAnswers(() => undefined);
    const upstream = openUpstream(server.url);
    const told = send(upstream, "x".repeat(32 * 1024 * 1024));
    while (server.sockets.length === 0) await pause(2);
    const [socket] = server.sockets;
    socket?.pause();
    const closed = new Promise((resolve) => socket?.on("close", resolve));
    socket?.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
    expect(await told).toMatchObject({ status: 413, ...isWhole("no") });
    socket?.resume();
    await closed;
  });

  test("is opened to the next address of a name where the first does not answer", async () => {
    const server = await startRawAnswers((socket) => socket.write(answer("{}")));
    const guard = createAddressGuard({ allow: ["127.0.0.0/8"], resolve: () => Promise.resolve(["127.9.9.9", "127.0.0.1"]) });
    const upstream = createHttpUpstream({ url: `http://name.example:${server.port}/`, headers: {}, guard });
    onTestFinished(() => upstream.close());
    expect(await send(upstream)).toMatchObject(isWhole("{}"));
  });
});

describe("a request", () => {
  test.each([
    ["a header that ends its line", { headers: { "mcp-name": "a\nb" } }],
    ["NUL in a header", { headers: { "mcp-name": "a\0" } }],
    ["a header beyond Latin-1", { headers: { "mcp-name": "\u0100" } }],
    ["a header's name with a blank", { headers: { "mcp-param-a b": "x" } }],
    ["a header's name that ends its line", { headers: { "mcp-param-a\r\nx": "x" } }],
    ["a header's name with a colon", { headers: { "mcp-param-a:": "x" } }],
    ["a credential that ends its line", { authorization: "Bearer a\r\nx: y" }],
    ["a path that ends its line", { path: "/a HTTP/1.1\r\nx: y" }],
    ["a path with a blank", { path: "/a b" }],
    ["a path beyond ASCII", { path: "/\xe9" }],
    ["another server's address as a path", { path: "http://evil.example/" }],
    ["no path's slash", { path: "" }],
  ])("with %s does not leave", async (_what, more: Partial<UpstreamRequest>) => {
    const server = await startRawAnswers((socket) => socket.write(answer("{}")));
    expect(await send(openUpstream(server.url), "{}", more)).toMatchObject(isFault("unsendable", "not_sent"));
    expect(server.sockets).toEqual([]);
  });

  test("fails with its connection's opening, and so do those that wait behind it", async () => {
    const server = await startRawAnswers(() => undefined);
    const upstream = openUpstream(server.url.replace("127.0.0.1", "127.0.0.2"), {}, { callConnections: 1 });
    const guard = createAddressGuard({ allow: ["127.0.0.0/8"], resolve: () => Promise.reject(new Error("none")) });
    const dead = createHttpUpstream({ url: `http://127.9.9.9:${server.port}/`, headers: {}, guard, bounds: { callConnections: 2 } });
    onTestFinished(() => dead.close());
    for (const told of await Promise.all(Array.from({ length: 7 }, () => send(dead)))) {
      expect(told).toMatchObject(isFault("connect", "not_sent"));
    }
    // Not on the list, so nobody is asked.
    for (const told of await Promise.all([send(upstream), send(upstream)])) {
      expect(told).toMatchObject(isFault("address_refused", "not_sent"));
    }
    expect([dead.waiting, upstream.waiting, server.sockets.length]).toEqual([0, 0, 0]);
  });

  test("that waits when all is closed was not sent; of one under way nobody knows", async () => {
    const server = await startRawAnswers(() => undefined);
    const upstream = openUpstream(server.url, {}, { callConnections: 1 });
    const first = send(upstream, "a");
    while (server.arrived.join("") === "") await pause(2);
    const second = send(upstream, "b");
    await upstream.close();
    expect(await first).toMatchObject(isFault("closed", "unknown"));
    expect(await second).toMatchObject(isFault("closed", "not_sent"));
    expect(upstream.waiting).toBe(0);
  });

  test("whose answer's head comes byte by byte for ever is given up", async () => {
    const server = await startRawAnswers((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nX: ");
      const drip = setInterval(() => socket.write("x"), 10);
      socket.on("close", () => clearInterval(drip));
    });
    const upstream = openUpstream(server.url, {}, { answerTimeoutMs: 200 });
    expect(await send(upstream)).toMatchObject(isFault("answer_timeout", "unknown"));
  });

  test("is waited for as long as its server says that it works", async () => {
    const server = await startRawAnswers((socket) => {
      let count = 0;
      const say = setInterval(() => {
        if (++count < 8) socket.write("HTTP/1.1 102 Processing\r\n\r\n");
        else socket.write(answer("{}"));
      }, 100);
      socket.on("close", () => clearInterval(say));
    });
    expect(await send(openUpstream(server.url, {}, { answerTimeoutMs: 400 }))).toMatchObject(isWhole("{}"));
  });
});

describe("a sink", () => {
  test("that pauses at every piece gets every byte, and no time runs against it", async () => {
    const pieces = Array.from({ length: 40 }, (_, index) => `${index % 10}`.repeat(20_000));
    const server = await startRawAnswers((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n`);
      for (const piece of pieces) socket.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
      socket.write("0\r\n\r\n");
    });
    const recorder = createRecorder(() => {
      setTimeout(() => exchange.resume(), 10);
      return false;
    });
    const upstream = openUpstream(server.url, {}, { answerTimeoutMs: 5000 });
    const exchange = upstream.exchange({ method: "POST", headers: {}, body: Buffer.from("{}") }, recorder);
    expect(await recorder.done).toMatchObject(isWhole(pieces.join("")));
  });

  test("that pauses longer than a server may be silent has its answer all the same", async () => {
    const server = await startRawAnswers((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", () => setImmediate(() => socket.write("b")));
    });
    const recorder = createRecorder((_chunk, told) => told.body !== "a");
    const upstream = openUpstream(server.url, {}, { answerTimeoutMs: 100 });
    const exchange = upstream.exchange({ method: "POST", headers: {}, body: Buffer.from("{}") }, recorder);
    while (recorder.told.body === "") await pause(2);
    await pause(500);
    expect(recorder.told.faults).toEqual([]);
    exchange.resume();
    expect(await recorder.done).toMatchObject(isWhole("ab"));
  });

  test("that cancels at the head hears nothing more than that", async () => {
    const server = await startRawAnswers((socket) => socket.write(answer("body")));
    const upstream = openUpstream(server.url);
    const recorder = createRecorder();
    const { promise, resolve } = Promise.withResolvers<void>();
    const exchange = upstream.exchange(
      { method: "POST", headers: {}, body: Buffer.from("{}") },
      {
        ...recorder,
        onStart() {
          exchange.cancel();
          resolve();
        },
      },
    );
    await promise;
    expect(await recorder.done).toMatchObject({ ...isFault("cancelled", "unknown"), body: "" });
    expect(await send(upstream)).toMatchObject(isWhole("body"));
    expect(server.sockets).toHaveLength(2);
  });

  test("that fails at the head or the end harms nobody else", async () => {
    const server = await startRawAnswers((socket) => socket.write(answer("body")));
    const upstream = openUpstream(server.url);
    const failing = createRecorder();
    const bug = (): never => {
      throw new Error("bug");
    };
    upstream.exchange({ method: "POST", headers: {}, body: Buffer.from("{}") }, { ...failing, onStart: bug });
    expect(await failing.done).toMatchObject(isFault("broken", "unknown"));
    upstream.exchange({ method: "POST", headers: {}, body: Buffer.from("{}") }, { ...createRecorder(), onEnd: bug });
    expect(await send(upstream)).toMatchObject(isWhole("body"));
  });
});
