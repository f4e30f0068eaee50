/** What a server may say, as two clients understand it: undici's, and ours, which may only refuse more. */
import { Pool } from "undici";
import { describe, expect, onTestFinished, test } from "vitest";
import { createRecorder, openUpstream } from "../loopback-server.ts";
import { startRawAnswers, writePieces } from "./raw-answers.ts";

const ok = (fields: string, body = ""): string => `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${body}`;
const chunked = (body: string): string => ok("Transfer-Encoding: chunked", body);

/** Understood alike by both. */
const PLAIN: readonly string[] = [
  ok("Content-Length: 5\r\nContent-Type: application/json", "hello"),
  ok("Content-Length:5", "hello"),
  ok("Content-Length: \t 5", "hello"),
  ok("CONTENT-LENGTH: 005", "hello"),
  ok("Content-Length: 0"),
  ok("Content-Length: 5", "hello and more"),
  ok("Content-Length: 5\r\nConnection: close", "hello"),
  ok("X-A: 1\r\nX-A: 2\r\nx-a: 3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 1", "x"),
  ok("X-Latin: \xe9\xff\r\nX-Empty:\r\nContent-Length: 1", "x"),
  "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx",
  "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx",
  "HTTP/1.1 200 a reason \xe9\r\nContent-Length: 1\r\n\r\nx",
  "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
  "HTTP/1.0 200 OK\r\n\r\nuntil the end",
  "HTTP/1.1 200 OK\r\n\r\nuntil the end",
  "HTTP/1.1 200 OK\r\n\r\n",
  ok("Connection: keep-alive", "until the end"),
  chunked("5\r\nhello\r\n0\r\n\r\n"),
  chunked("1\r\nh\r\n04\r\nello\r\n00\r\n\r\n"),
  chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"),
  chunked('5;a=b;c="d;\\"e";f\r\nhello\r\n0;last\r\n\r\n'),
  chunked("5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n"),
  chunked("0\r\n\r\n"),
  ok("transfer-encoding:  CHUNKED", "1\r\nx\r\n0\r\n\r\nmore"),
  "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
  "HTTP/1.1 204 No Content\r\n\r\n",
  "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
  "HTTP/1.1 503 x\r\nContent-Length: 2\r\nRetry-After: 1\r\n\r\nno",
  ok("Content-Encoding: identity\r\nContent-Length: 1", "x"),
  ok("Content-Type: text/event-stream", "data: 1\n\ndata: 2\n\n"),
];

/** Refused, whatever undici makes of it. */
const REFUSED: readonly string[] = [
  "",
  "garbage\r\n\r\n",
  "HTTP/1.1 200 OK",
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
  "HTTP/2.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
  "HTTP/1.9 200 OK\r\nContent-Length: 1\r\n\r\nx",
  "HTTP/01.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
  "ICY 200 OK\r\nContent-Length: 1\r\n\r\nx",
  "RTSP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
  "HTTP/1.1 999 x\r\nContent-Length: 1\r\n\r\nx",
  "HTTP/1.1 2x0 x\r\nContent-Length: 1\r\n\r\nx",
  "HTTP/1.1\t200 OK\r\nContent-Length: 1\r\n\r\nx",
  "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
  "HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
  "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
  "HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
  "HTTP/1.1 301 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.1 304 x\r\n\r\n",
  ok("Content-Length: 5\r\nContent-Length: 5", "hello"),
  ok("Content-Length: 5\r\nContent-Length: 1", "hello"),
  ok("Content-Length: 5, 5", "hello"),
  ok("Content-Length: 5;", "hello"),
  ok("Content-Length: +5", "hello"),
  ok("Content-Length: -5", "hello"),
  ok("Content-Length: 5 5", "hello"),
  ok("Content-Length: 0x5", "hello"),
  ok("Content-Length: 5e0", "hello"),
  ok("Content-Length:", "hello"),
  ok("Content-Length: 18446744073709551616", "hello"),
  ok("Content-Length: 18446744073709551621", "hello"),
  ok("Content-Length: 6", "hello"),
  ok("Content-Length : 5", "hello"),
  ok("Content-Length\t: 5", "hello"),
  ok(" Content-Length: 5", "hello"),
  ok("Content-Length: 5\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
  ok("Transfer-Encoding: chunked\r\nContent-Length: 5", "5\r\nhello\r\n0\r\n\r\n"),
  ok("Transfer-Encoding: gzip", "hello"),
  ok("Transfer-Encoding: gzip, chunked", "5\r\nhello\r\n0\r\n\r\n"),
  ok("Transfer-Encoding: chunked, identity", "5\r\nhello\r\n0\r\n\r\n"),
  ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "5\r\nhello\r\n0\r\n\r\n"),
  ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
  ok("Transfer-Encoding: \x0bchunked", "5\r\nhello\r\n0\r\n\r\n"),
  ok("Transfer-Encoding : chunked", "5\r\nhello\r\n0\r\n\r\n"),
  ok("Transfer-Encoding:\r\n chunked", "5\r\nhello\r\n0\r\n\r\n"),
  "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  ok("X: a\r\n folded\r\nContent-Length: 1", "x"),
  ok("X: a\rb\r\nContent-Length: 1", "x"),
  ok("X: a\nContent-Length: 1", "x"),
  ok("X: a\0b\r\nContent-Length: 1", "x"),
  ok("X\0: a\r\nContent-Length: 1", "x"),
  ok(": a\r\nContent-Length: 1", "x"),
  ok("no colon\r\nContent-Length: 1", "x"),
  ok("Content-Type: application/json\r\nContent-Type: text/event-stream\r\nContent-Length: 1", "x"),
  ok("Mcp-Session-Id: a\r\nMcp-Session-Id: b\r\nContent-Length: 1", "x"),
  ok("Content-Encoding: gzip\r\nContent-Length: 1", "x"),
  chunked("5\r\nhello\r\n"),
  chunked("5\r\nhel"),
  chunked("5\r\nhello\r\n0\r\n"),
  chunked("5\r\nhello0\r\n\r\n"),
  chunked("4\r\nhello\r\n0\r\n\r\n"),
  chunked("6\r\nhello\r\n0\r\n\r\n"),
  chunked("5\nhello\n0\n\n"),
  chunked("5\r\nhello\n0\r\n\r\n"),
  chunked("5\rX\nhello\r\n0\r\n\r\n"),
  chunked("0x5\r\nhello\r\n0\r\n\r\n"),
  chunked("-5\r\nhello\r\n0\r\n\r\n"),
  chunked(" 5\r\nhello\r\n0\r\n\r\n"),
  chunked("5 \r\nhello\r\n0\r\n\r\n"),
  chunked("5\t\r\nhello\r\n0\r\n\r\n"),
  chunked("g\r\nhello\r\n0\r\n\r\n"),
  chunked(";a\r\nhello\r\n0\r\n\r\n"),
  chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"),
  chunked("5;a\nhello\r\n0\r\n\r\n"),
  chunked('5;a="\r\n"\r\nhello\r\n0\r\n\r\n'),
  chunked("5\r\nhello\r\n0\r\nContent-Length: 7\r\n\r\n"),
  chunked("5\r\nhello\r\n0\r\nX : 1\r\n\r\n"),
  chunked("5\r\nhello\r\n0\r\nX: 1\r\n folded\r\n\r\n"),
];

interface Outcome {
  readonly isWhole: boolean;
  readonly status?: number | undefined;
  readonly headers?: Record<string, unknown> | undefined;
  readonly body?: string | undefined;
}

/** Repeated fields of undici's are lists; as node itself does, ours are joined. */
function joinHeaders(headers: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) && name !== "set-cookie" ? value.join(", ") : value]),
  );
}

function askUndici(pool: Pool): Promise<Outcome> {
  return new Promise((resolve) => {
    let status: number | undefined;
    let headers: Record<string, unknown> = {};
    const pieces: Buffer[] = [];
    pool.dispatch(
      { path: "/mcp", method: "POST", headers: { "content-type": "application/json" }, body: "{}" },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, code, fields) => {
          if (code >= 200) [status, headers] = [code, joinHeaders(fields)];
        },
        onResponseData: (_controller, piece) => void pieces.push(Buffer.from(piece)),
        onResponseEnd: () => resolve({ isWhole: true, status, headers, body: Buffer.concat(pieces).toString("latin1") }),
        onResponseError: () => resolve({ isWhole: false }),
      },
    );
  });
}

async function askOurs(url: string): Promise<Outcome> {
  const recorder = createRecorder();
  const upstream = openUpstream(url);
  upstream.exchange({ method: "POST", headers: { "content-type": "application/json" }, body: Buffer.from("{}") }, recorder);
  const { status, headers, ended, faults, body } = await recorder.done;
  await upstream.close();
  expect((ended ? 1 : 0) + faults.length).toBe(1);
  if (ended) return { isWhole: true, status, headers: { ...headers }, body };
  expect(faults[0]?.sent).toBe("unknown");
  return { isWhole: false };
}

/** The answer as it is cut for the request of this number: nowhere, everywhere, or at one byte. */
function cutFor(number: number, bytes: Buffer): Buffer[] {
  if (number === 0) return [bytes];
  if (number > bytes.length) return [...bytes].map((octet) => Buffer.of(octet));
  return [bytes.subarray(0, number), bytes.subarray(number)];
}

/** Both clients' understanding of one answer: undici's of the whole, ours of it cut at every byte and byte by byte. */
async function compare(answer: string): Promise<{ undici: Outcome; ours: Outcome[] }> {
  const bytes = Buffer.from(answer, "latin1");
  const server = await startRawAnswers((socket, request) => {
    writePieces(socket, cutFor(Number(/\?cut=(\d+)/.exec(request)?.[1] ?? 0), bytes), () => socket.end());
  });
  const pool = new Pool(`http://127.0.0.1:${server.port}`, { connections: 1, pipelining: 1 });
  onTestFinished(() => pool.destroy());
  const undici = await askUndici(pool);
  const numbers = Array.from({ length: bytes.length + 2 }, (_, number) => number);
  return { undici, ours: await Promise.all(numbers.map((number) => askOurs(`${server.url}?cut=${number}`))) };
}

const utf8 = (text: string): string => Buffer.from(text, "latin1").toString("utf8");

describe("an answer that is plain", () => {
  test.each(PLAIN.map((answer) => [answer]))("%j is understood as undici understands it", async (answer) => {
    const { undici, ours } = await compare(answer);
    expect(undici.isWhole).toBe(true);
    for (const outcome of ours) expect(outcome).toEqual({ ...undici, body: utf8(undici.body ?? "") });
  });
});

describe("an answer that two readers could understand in two ways, or that is none", () => {
  test.each(REFUSED.map((answer) => [answer]))("%j is refused", async (answer) => {
    const { ours } = await compare(answer);
    expect(ours.filter((outcome) => outcome.isWhole)).toEqual([]);
  });
});

describe("what undici refuses or spells in its own way, and the standard does not", () => {
  test.each([
    ["an answer that goes on unasked", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"],
    ["a blank behind a length", ok("Content-Length: 1 \t", "x")],
    ["a blank behind a coding", ok("Transfer-Encoding: chunked ", "1\r\nx\r\n0\r\n\r\n")],
  ])("%s", async (_name, answer) => {
    const { ours } = await compare(answer);
    for (const outcome of ours) expect(outcome).toMatchObject({ isWhole: true, status: 200, body: "x" });
  });
});
