import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_EXTENSION_BYTES } from "../../src/http/read-chunks.ts";
import { MAX_HEAD_BYTES, MAX_HEAD_FIELDS, MAX_INFORMATIONAL, ResponseReader } from "../../src/http/read-response.ts";
import { MAX_STATUS_LINE_BYTES } from "../../src/http/read-status-line.ts";

interface Read {
  told: string;
  status?: number;
  headers?: Record<string, unknown>;
  body: string;
  keepsAlive?: boolean;
  /** Bytes behind the response. */
  rest?: string;
}

/** Gives the text in these pieces, each in a buffer that is wiped afterwards, then the end. */
function readPieces(pieces: readonly Buffer[]): Read {
  const reader = new ResponseReader(new Set(["content-type"]));
  const read: Read = { told: "more", body: "" };
  const taker = {
    onHead(status: number, headers: Record<string, unknown>): boolean {
      read.status = status;
      read.headers = { ...headers };
      return true;
    },
    onBody(bytes: Buffer, start: number, end: number): boolean {
      read.body += bytes.toString("latin1", start, end);
      return true;
    },
  };
  reader.reset();
  for (const [index, piece] of pieces.entries()) {
    const shared = Buffer.concat([piece, Buffer.from("HTTP/1.1 299 beyond\r\n\r\n")]);
    read.told = reader.push(shared, piece.length, taker);
    shared.fill(0x21);
    if (read.told === "more") continue;
    if (read.told !== "complete") return read;
    read.rest = Buffer.concat([piece.subarray(reader.end), ...pieces.slice(index + 1)]).toString("latin1");
    read.keepsAlive = reader.keepsAlive;
    return read;
  }
  read.told = reader.finish();
  if (read.told === "complete") read.keepsAlive = reader.keepsAlive;
  return read;
}

const read = (text: string): Read => readPieces([Buffer.from(text, "latin1")]);
const withHead = (fields: string, body = ""): string => `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${body}`;
const chunked = (body: string): string => withHead("Transfer-Encoding: chunked", body);

describe("a response", () => {
  test("of a length", () => {
    expect(read(withHead("Content-Type: text/plain\r\nContent-Length: 5\r\nX: a\r\nx: b", "hello!"))).toEqual({
      told: "complete",
      status: 200,
      headers: { "content-type": "text/plain", "content-length": "5", x: "a, b" },
      body: "hello",
      keepsAlive: true,
      rest: "!",
    });
  });

  test("in chunks, with extensions and trailers", () => {
    const body = '5\r\nhello\r\n00a;a;b=c;d="e;\\" "\r\n0123456789\r\n000;x\r\nX-Trailer: 1\r\n\r\nnext';
    expect(read(chunked(body))).toMatchObject({ told: "complete", body: "hello0123456789", keepsAlive: true, rest: "next" });
  });

  test("until the connection ends", () => {
    expect(read("HTTP/1.1 200 OK\r\n\r\nall of it")).toMatchObject({ told: "complete", body: "all of it", keepsAlive: false });
    expect(read("HTTP/1.0 200\r\n\r\n")).toMatchObject({ told: "complete", body: "", keepsAlive: false });
  });

  test.each([204, 304])("without a body (%i), whatever it says of one", (status) => {
    expect(read(`HTTP/1.1 ${status} x\r\n\r\n`)).toMatchObject({ told: "complete", status, body: "", keepsAlive: true });
    expect(read(`HTTP/1.1 ${status} x\r\nContent-Length: 0\r\n\r\n`)).toMatchObject({ told: "complete", keepsAlive: true });
    expect(read(`HTTP/1.1 ${status} x\r\nContent-Length: 2\r\n\r\nab`)).toMatchObject({ told: "complete", body: "", keepsAlive: false });
    expect(read(`HTTP/1.1 ${status} x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toMatchObject({ body: "", keepsAlive: false });
  });

  test("behind informational ones", () => {
    const early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    expect(read(`HTTP/1.1 100 Continue\r\n\r\n${early}${withHead("Content-Length: 1", "a")}`)).toEqual({
      told: "complete",
      status: 200,
      headers: { "content-length": "1" },
      body: "a",
      keepsAlive: true,
      rest: "",
    });
    expect(read(`${early.repeat(MAX_INFORMATIONAL)}${withHead("Content-Length: 0")}`).told).toBe("complete");
    expect(read(`${early.repeat(MAX_INFORMATIONAL + 1)}${withHead("Content-Length: 0")}`).told).toBe("too_many_informational");
  });

  test.each([
    ["HTTP/1.1", "", true],
    ["HTTP/1.1", "Connection: keep-alive\r\n", true],
    ["HTTP/1.1", "Connection: close\r\n", false],
    ["HTTP/1.1", "Connection: x, CLOSE\r\n", false],
    ["HTTP/1.1", "Connection: keep-alive\r\nConnection: Close\r\n", false],
    ["HTTP/1.0", "", false],
    ["HTTP/1.0", "Connection: Keep-Alive\r\n", true],
    ["HTTP/1.0", "Connection: keep-alive, close\r\n", false],
  ])("%s with %j keeps the connection: %j", (version, fields, keepsAlive) => {
    expect(read(`${version} 200 OK\r\n${fields}Content-Length: 0\r\n\r\n`)).toMatchObject({ told: "complete", keepsAlive });
  });

  test("has names that mean nothing to an object, and cookies as a list", () => {
    const { headers } = read(withHead("__proto__: x\r\nconstructor: y\r\nSet-Cookie: a=1, 2\r\nSet-Cookie: b=2\r\nContent-Length: 0"));
    expect(Object.entries(headers ?? {})).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
      ["set-cookie", ["a=1, 2", "b=2"]],
      ["content-length", "0"],
    ]);
  });

  test("says how long the server keeps the connection", () => {
    for (const [value, ms] of [
      ["timeout=5", 5000],
      ["timeout=5, max=100", 5000],
      ["max=1, timeout=30", 30_000],
      ["max=1", undefined],
      ["timeout=x", undefined],
    ] as const) {
      const reader = new ResponseReader(new Set());
      reader.reset();
      const bytes = Buffer.from(withHead(`Keep-Alive: ${value}\r\nContent-Length: 0`));
      expect(reader.push(bytes, bytes.length, { onHead: () => true, onBody: () => true })).toBe("complete");
      expect([value, reader.keepAliveMs]).toEqual([value, ms]);
    }
  });

  test("ends where its taker wants no more", () => {
    const bytes = Buffer.from(chunked("1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
    let pieces = 0;
    const reader = new ResponseReader(new Set());
    reader.reset();
    expect(reader.push(bytes, bytes.length, { onHead: () => true, onBody: () => ++pieces < 1 })).toBe("stopped");
    expect(pieces).toBe(1);
    reader.reset();
    expect(reader.push(bytes, bytes.length, { onHead: () => false, onBody: () => true })).toBe("stopped");
  });
});

const REFUSED: readonly (readonly [string, string, string])[] = [
  ["another protocol", "SSH-2.0-OpenSSH_9.9\r\n", "invalid_status_line"],
  ["another version", "HTTP/2 200 OK\r\n\r\n", "invalid_status_line"],
  ["another minor version", "HTTP/1.2 200 OK\r\n\r\n", "invalid_status_line"],
  ["small letters", "http/1.1 200 OK\r\n\r\n", "invalid_status_line"],
  ["an empty line in front", "\r\nHTTP/1.1 200 OK\r\n\r\n", "invalid_status_line"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n", "invalid_status_line"],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "invalid_status_line"],
  ["a status of none", "HTTP/1.1 099 OK\r\n\r\n", "invalid_status_line"],
  ["a status of no class", "HTTP/1.1 600 OK\r\n\r\n", "invalid_status_line"],
  ["two blanks before the status", "HTTP/1.1  200 OK\r\n\r\n", "invalid_status_line"],
  ["a bare LF behind the status", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "invalid_status_line"],
  ["a bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", "invalid_status_line"],
  ["NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n", "invalid_status_line"],
  ["an endless reason", `HTTP/1.1 200 ${"x".repeat(MAX_STATUS_LINE_BYTES)}`, "invalid_status_line"],
  ["an upgrade", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "unasked_upgrade"],
  ["a length on an informational one", "HTTP/1.1 103 x\r\nContent-Length: 5\r\n\r\n", "invalid_length"],
  ["a folded field", withHead("A: 1\r\n b\r\nContent-Length: 0"), "invalid_name"],
  ["a length and a coding", withHead("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), "length_and_coding"],
  ["a coding and a length", withHead("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"), "length_and_coding"],
  ["two lengths", withHead("Content-Length: 5\r\nContent-Length: 6", "hello!"), "repeated_field"],
  ["one length twice", withHead("Content-Length: 5\r\nContent-Length: 5", "hello"), "repeated_field"],
  ["a list of lengths", withHead("Content-Length: 5, 5", "hello"), "invalid_length"],
  ["a length with a sign", withHead("Content-Length: +5", "hello"), "invalid_length"],
  ["a negative length", withHead("Content-Length: -1", "hello"), "invalid_length"],
  ["a length in hexadecimal", withHead("Content-Length: 0x5", "hello"), "invalid_length"],
  ["a length with a fraction", withHead("Content-Length: 5.0", "hello"), "invalid_length"],
  ["no length's digits", withHead("Content-Length:", "hello"), "invalid_length"],
  ["a length beyond numbers", withHead("Content-Length: 99999999999999999999", "hello"), "invalid_length"],
  ["an unknown coding", withHead("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), "unknown_coding"],
  ["chunked before another", withHead("Transfer-Encoding: chunked, gzip", "0\r\n\r\n"), "unknown_coding"],
  ["identity", withHead("Transfer-Encoding: identity", "abc"), "unknown_coding"],
  ["chunked twice", withHead("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), "unknown_coding"],
  ["chunked with a parameter", withHead("Transfer-Encoding: chunked;a=b", "0\r\n\r\n"), "unknown_coding"],
  ["an odd spelling of chunked", withHead("Transfer-Encoding: xchunked", "0\r\n\r\n"), "unknown_coding"],
  ["no coding's name", withHead("Transfer-Encoding:", "0\r\n\r\n"), "unknown_coding"],
  ["chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "unknown_coding"],
  ["a field that stands once only", withHead("Content-Type: a\r\nContent-Type: a\r\nContent-Length: 0"), "repeated_field"],
  ["no size", chunked("\r\nabc"), "invalid_chunk_size"],
  ["a size with a blank", chunked("5 \r\nhello\r\n0\r\n\r\n"), "invalid_chunk_size"],
  ["a size behind a blank", chunked(" 5\r\nhello\r\n0\r\n\r\n"), "invalid_chunk_size"],
  ["a size with a sign", chunked("+5\r\nhello\r\n0\r\n\r\n"), "invalid_chunk_size"],
  ["a size with 0x", chunked("0x5\r\nhello\r\n0\r\n\r\n"), "invalid_chunk_size"],
  ["a size beyond bounds", chunked("fffffffffffff\r\n"), "invalid_chunk_size"],
  ["a size's bare LF", chunked("5\nhello\r\n0\r\n\r\n"), "invalid_chunk_size"],
  ["a size's bare CR", chunked("5\rhello\r\n0\r\n\r\n"), "invalid_chunk_size"],
  ["an extension without a name", chunked("5;\r\nhello\r\n0\r\n\r\n"), "invalid_chunk_extension"],
  ["an extension behind a blank", chunked("5; a\r\nhello\r\n0\r\n\r\n"), "invalid_chunk_extension"],
  ["a bare LF in an extension", chunked("5;a\nhello\r\n0\r\n\r\n"), "invalid_chunk_extension"],
  ["a bare LF in a quoted extension", chunked('5;a="\n"\r\nhello\r\n0\r\n\r\n'), "invalid_chunk_extension"],
  ["an escaped CR in an extension", chunked('5;a="\\\r\n"\r\nhello\r\n0\r\n\r\n'), "invalid_chunk_extension"],
  ["words behind a quoted extension", chunked('5;a="b"c\r\nhello\r\n0\r\n\r\n'), "invalid_chunk_extension"],
  ["a value that is missing", chunked("5;a=\r\nhello\r\n0\r\n\r\n"), "invalid_chunk_extension"],
  ["endless extensions", chunked(`5;${"a".repeat(MAX_EXTENSION_BYTES + 1)}`), "chunk_extensions_too_long"],
  ["data longer than its size", chunked("4\r\nhello\r\n0\r\n\r\n"), "invalid_chunk_end"],
  ["a bare LF behind data", chunked("5\r\nhello\n0\r\n\r\n"), "invalid_chunk_end"],
  ["a bare CR behind data", chunked("5\r\nhello\r0\r\n\r\n"), "invalid_chunk_end"],
  ["a bad trailer", chunked("0\r\na b: 1\r\n\r\n"), "invalid_name"],
  ["a length in the trailers", chunked("0\r\nContent-Length: 5\r\n\r\n"), "forbidden_trailer"],
  ["a coding in the trailers", chunked("0\r\ntransfer-encoding: chunked\r\n\r\n"), "forbidden_trailer"],
  ["a bare LF at the very end", chunked("0\r\n\n"), "invalid_line_end"],
  ["a length that is not met", withHead("Content-Length: 6", "hello"), "cut_short"],
  ["chunks without the last", chunked("5\r\nhello\r\n"), "cut_short"],
  ["chunks without the last line", chunked("0\r\n"), "cut_short"],
  ["half a head", "HTTP/1.1 200 OK\r\nContent-Le", "cut_short"],
  ["nothing", "", "cut_short"],
  ["an informational one alone", "HTTP/1.1 103 x\r\n\r\n", "cut_short"],
];

describe("refuses", () => {
  test.each(REFUSED)("%s, wherever it is cut", (_name, text, fault) => {
    const bytes = Buffer.from(text, "latin1");
    for (let cut = 0; cut <= Math.min(bytes.length, 200); cut++) {
      expect([cut, readPieces([bytes.subarray(0, cut), bytes.subarray(cut)]).told]).toEqual([cut, fault]);
    }
    expect(readPieces([...bytes].map((octet) => Buffer.of(octet))).told).toBe(fault);
  });

  test("heads and trailers beyond their bounds, in one piece and byte by byte", () => {
    for (const text of [
      `HTTP/1.1 200 OK\r\nA: ${"x".repeat(MAX_HEAD_BYTES)}`,
      `HTTP/1.1 200 OK\r\n${"x".repeat(MAX_HEAD_BYTES)}`,
      chunked(`0\r\nA: ${"x".repeat(MAX_HEAD_BYTES)}`),
    ]) {
      expect(read(text).told).toBe("too_long");
      expect(readPieces([...Buffer.from(text)].map((octet) => Buffer.of(octet))).told).toBe("too_long");
    }
    expect(read(withHead("A: 1\r\n".repeat(MAX_HEAD_FIELDS) + "A: 1")).told).toBe("too_many");
    expect(read(withHead(`${"A: 1\r\n".repeat(MAX_HEAD_FIELDS - 1)}Content-Length: 0`)).told).toBe("complete");
  });
});

describe("laws", () => {
  const part = fc.constantFrom(
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 200\r\n",
    "HTTP/1.1 103 x\r\n",
    "HTTP/1.1 204 \r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "X: y\r\n",
    "\r\n",
    "3\r\nabc\r\n",
    "1;a=b\r\n",
    "0\r\n",
    "\r\n\r\n",
    "abc",
    "a",
    "\n",
    "\r",
    "\0",
    " ",
  );

  test("whatever the bytes, and wherever they are cut, the same is read", () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 6 }), fc.boolean(), (parts, places, isLikely) => {
        const bytes = Buffer.from((isLikely ? "HTTP/1.1 200 OK\r\n" : "") + parts.join(""), "latin1");
        const cuts = [...places.map((place) => place % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b);
        const pieces = cuts.slice(1).map((cut, index) => bytes.subarray(cuts[index], cut));
        const whole = readPieces([bytes]);
        expect(readPieces(pieces)).toEqual(whole);
        expect(readPieces([...bytes].map((octet) => Buffer.of(octet)))).toEqual(whole);
      }),
      { numRuns: 3000 },
    );
  });

  test("a body comes whole in chunks of any sizes", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" }), { maxLength: 10 }),
        fc.nat(),
        (list, place) => {
          const text = chunked(`${list.map((data) => `${data.length.toString(16)}\r\n${data}\r\n`).join("")}0\r\n\r\n`);
          const bytes = Buffer.from(text, "latin1");
          const cut = place % bytes.length;
          const expected = { told: "complete", body: list.join(""), rest: "" };
          expect(readPieces([bytes.subarray(0, cut), bytes.subarray(cut)])).toMatchObject(expected);
        },
      ),
    );
  });
});
