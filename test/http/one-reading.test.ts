/**
 * Two readers stand on one connection and must never read it in two ways: for every request, plain, odd or hostile, and
 * however its bytes arrive, the quick way with Node's server behind it answers what Node's server alone answers.
 */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cut, startTwoReaders, type TwoReaders, talk } from "../support/two-readers.ts";

let readers: TwoReaders;
beforeAll(async () => {
  readers = await startTwoReaders();
});
afterAll(() => readers.stop());

const PLAIN_FIELDS = "Host: a\r\nContent-Type: application/json\r\nAuthorization: Bearer abc\r\n";
const post = (fields: string, body = "", target = "/mcp/a", base = PLAIN_FIELDS): string =>
  `POST ${target} HTTP/1.1\r\n${base}${fields}\r\n${body}`;
const PLAIN = post("Content-Length: 5\r\n", "hello");
const CHUNKS = "5\r\nhello\r\n0\r\n\r\n";
const SMUGGLED = "POST /mcp/b HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nbad";

/** Name → what comes over the wire. */
const CASES: Readonly<Record<string, string>> = {
  plain: PLAIN,
  "no body": post("Content-Length: 0\r\n"),
  "an ending connection": post("Content-Length: 5\r\nConnection: close\r\n", "hello"),
  "a kept connection, in capitals": post("Content-Length: 5\r\nConnection: Keep-Alive\r\n", "hello"),
  "bytes behind an ending connection": post("Content-Length: 5\r\nConnection: close\r\n", `hello${SMUGGLED}`),
  "two lengths that agree": post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
  "two lengths that differ": post("Content-Length: 5\r\nContent-Length: 0\r\n", "hello"),
  "two lengths in one": post("Content-Length: 5, 5\r\n", "hello"),
  "a length with a sign": post("Content-Length: +5\r\n", "hello"),
  "a negative length": post("Content-Length: -5\r\n", "hello"),
  "a length in hexadecimal": post("Content-Length: 0x5\r\n", "hello"),
  "a length with zeros before it": post("Content-Length: 0005\r\n", "hello"),
  "a length with a blank in it": post("Content-Length: 5 0\r\n", "hello"),
  "a length of nothing": post("Content-Length:\r\n", "hello"),
  "a length beyond all numbers": post("Content-Length: 99999999999999999999999\r\n", "hello"),
  "a length that wraps round": post("Content-Length: 18446744073709551621\r\n", "hello"),
  "no length": post("", "hello"),
  "a length, then chunks": post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", `${CHUNKS}${SMUGGLED}`),
  "chunks, then a length": post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", `${CHUNKS}${SMUGGLED}`),
  chunks: post("Transfer-Encoding: chunked\r\n", CHUNKS),
  "chunks with an extension": post("Transfer-Encoding: chunked\r\n", "5;a=b\r\nhello\r\n0\r\n\r\n"),
  "chunks with a huge extension": post("Transfer-Encoding: chunked\r\n", `5;${"a".repeat(20_000)}\r\nhello\r\n0\r\n\r\n`),
  "chunks with bare line ends": post("Transfer-Encoding: chunked\r\n", "5\nhello\n0\n\n"),
  "chunks with a trailer": post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nContent-Length: 7\r\n\r\n"),
  "chunks, obfuscated by a tab": post("Transfer-Encoding:\tchunked\r\nContent-Length: 5\r\n", CHUNKS),
  "chunks, obfuscated by a blank": post("Transfer-Encoding : chunked\r\nContent-Length: 5\r\n", CHUNKS),
  "chunks, obfuscated by another coding": post("Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n", CHUNKS),
  "chunks, obfuscated by a vertical tab": post("Transfer-Encoding:\x0bchunked\r\nContent-Length: 5\r\n", CHUNKS),
  "chunks twice": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", CHUNKS),
  "a bare LF after a field": post("X-A: b\nContent-Length: 5\r\n", "hello"),
  "a bare LF everywhere": PLAIN.replaceAll("\r\n", "\n"),
  "a bare CR after a field": post("X-A: b\rContent-Length: 5\r\n", "hello"),
  "a bare CR in a value": post("X-A: b\rc\r\nContent-Length: 5\r\n", "hello"),
  "a line end of CR CR LF": post("X-A: b\r\r\nContent-Length: 5\r\n", "hello"),
  "NUL in a value": post("X-A: b\0c\r\nContent-Length: 5\r\n", "hello"),
  "NUL in a name": post("X\0A: b\r\nContent-Length: 5\r\n", "hello"),
  "DEL in a value": post("X-A: b\x7fc\r\nContent-Length: 5\r\n", "hello"),
  "octets over ASCII in a value": post("X-A: \xe9\xff\r\nContent-Length: 5\r\n", "hello"),
  "octets over ASCII in a name": post("X\xe9: a\r\nContent-Length: 5\r\n", "hello"),
  "a folded value": post("X-A: b\r\n c\r\nContent-Length: 5\r\n", "hello"),
  "a folded length": post("Content-Length:\r\n 5\r\n", "hello"),
  "a blank before the colon": post("Content-Length : 5\r\n", "hello"),
  "a blank before the first name": post(" X-A: b\r\nContent-Length: 5\r\n", "hello"),
  "a field without a name": post(": b\r\nContent-Length: 5\r\n", "hello"),
  "a field without a colon": post("X-A\r\nContent-Length: 5\r\n", "hello"),
  "blanks around a value": post("X-A: \t b \t \r\nContent-Length:\t 5 \t\r\n", "hello"),
  "an empty value": post("X-A:\r\nOrigin: \r\nContent-Length: 5\r\n", "hello"),
  "no host": post("Content-Length: 5\r\n", "hello", "/mcp/a", ""),
  "an empty host": post("Host:\r\nContent-Length: 5\r\n", "hello", "/mcp/a", ""),
  "two hosts": post("Host: b\r\nContent-Length: 5\r\n", "hello"),
  "two bearers": post("Authorization: Bearer def\r\nContent-Length: 5\r\n", "hello"),
  "two origins": post("Origin: http://a\r\nOrigin: http://b\r\nContent-Length: 5\r\n", "hello"),
  "two fields of one name": post("Mcp-Name: a\r\nmcp-name: b\r\nContent-Length: 5\r\n", "hello"),
  "names of Object's own": post("__proto__: a\r\nconstructor: b\r\nContent-Length: 5\r\n", "hello"),
  "what is expected": post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"),
  "what is expected and is not known": post("Expect: tea\r\nContent-Length: 5\r\n", "hello"),
  "another protocol": post("Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 5\r\n", "hello"),
  "options of the connection": post("Connection: close, keep-alive\r\nContent-Length: 5\r\n", "hello"),
  "a field named by the connection": post("Connection: authorization\r\nContent-Length: 5\r\n", "hello"),
  "the connection of a proxy": post("Proxy-Connection: close\r\nContent-Length: 5\r\n", "hello"),
  "two connections": post("Connection: keep-alive\r\nConnection: close\r\nContent-Length: 5\r\n", "hello"),
  "an absolute target": post("Content-Length: 5\r\n", "hello", "http://b/mcp/a"),
  "an asterisk": post("Content-Length: 5\r\n", "hello", "*"),
  "an authority": post("Content-Length: 5\r\n", "hello", "b:80"),
  "two slashes": post("Content-Length: 5\r\n", "hello", "//mcp/a"),
  "a fragment": post("Content-Length: 5\r\n", "hello", "/mcp/a#b"),
  "a blank in the target": post("Content-Length: 5\r\n", "hello", "/mcp/a b"),
  "a tab in the target": post("Content-Length: 5\r\n", "hello", "/mcp/a\tb"),
  "NUL in the target": post("Content-Length: 5\r\n", "hello", "/mcp/a\0b"),
  "octets over ASCII in the target": post("Content-Length: 5\r\n", "hello", "/mcp/\xe9"),
  "a long target": post("Content-Length: 5\r\n", "hello", `/mcp/${"a".repeat(3_000)}`),
  "a query": post("Content-Length: 5\r\n", "hello", "/mcp/a?b=c&d=%20"),
  "another path": post("Content-Length: 5\r\n", "hello", "/healthz"),
  "HTTP/1.0": PLAIN.replace("HTTP/1.1", "HTTP/1.0"),
  "HTTP/1.2": PLAIN.replace("HTTP/1.1", "HTTP/1.2"),
  "HTTP/2.0": PLAIN.replace("HTTP/1.1", "HTTP/2.0"),
  "HTTP/0.9": "POST /mcp/a\r\n\r\n",
  "a protocol in lower case": PLAIN.replace("HTTP/1.1", "http/1.1"),
  "a method in lower case": PLAIN.replace("POST", "post"),
  "a method with more behind it": PLAIN.replace("POST", "POSTX"),
  "two blanks after the method": PLAIN.replace("POST ", "POST  "),
  "two blanks before the version": PLAIN.replace(" HTTP", "  HTTP"),
  "a blank after the version": PLAIN.replace("HTTP/1.1", "HTTP/1.1 "),
  "a line before the first": `\r\n${PLAIN}`,
  "a bare LF before the first": `\n${PLAIN}`,
  "a blank before the first": ` ${PLAIN}`,
  GET: "GET /mcp/a HTTP/1.1\r\nHost: a\r\n\r\n",
  DELETE: "DELETE /mcp/a HTTP/1.1\r\nHost: a\r\n\r\n",
  "two at once": PLAIN + SMUGGLED,
  "three at once": PLAIN + SMUGGLED + PLAIN,
  "one and nonsense": `${PLAIN}nonsense\r\n\r\n`,
  "one and a line and one": `${PLAIN}\r\n${SMUGGLED}`,
  "one and the beginning of one": PLAIN + SMUGGLED.slice(0, 30),
  "one and a GET": `${PLAIN}GET /mcp/a HTTP/1.1\r\nHost: a\r\n\r\n`,
  "a body that is cut off": PLAIN.slice(0, -2),
  "a head that is cut off": PLAIN.slice(0, 40),
  "nothing but a beginning": "POS",
  "nothing at all": "",
  "another protocol's beginning": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "the beginning of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "many fields": post(`${Array.from({ length: 80 }, (_, at) => `X-${at}: a\r\n`).join("")}Content-Length: 5\r\n`, "hello"),
  "long fields": post(`X-A: ${"a".repeat(20_000)}\r\nContent-Length: 5\r\n`, "hello"),
  "fields without bound": post(`X-A: ${"a".repeat(40_000)}\r\nContent-Length: 5\r\n`, "hello"),
  "a body as large as the quick way takes": post("Content-Length: 65536\r\n", "b".repeat(65_536)),
  "a larger body": post("Content-Length: 65537\r\n", "b".repeat(65_537)),
};

const AT_EVERY_BYTE: ReadonlySet<string> = new Set(["plain", "two at once", "a length, then chunks", "a bare LF everywhere"]);
const bytesOf = (text: string): Buffer => Buffer.from(text, "latin1");

describe("the quick way and Node's server read alike", () => {
  test.each(Object.keys(CASES))("%s", async (name) => {
    const bytes = bytesOf(CASES[name] as string);
    const compare = async (places: readonly number[]): Promise<void> => {
      const pieces = cut(bytes, places);
      const [alone, front] = await Promise.all([talk(readers.node, pieces), talk(readers.front, pieces)]);
      expect(front, `cut at ${places.join(", ")}`).toBe(alone);
    };
    await compare([]);
    const step = AT_EVERY_BYTE.has(name) ? 1 : Math.ceil(bytes.length / 40) || 1;
    const places = Array.from({ length: Math.floor(bytes.length / step) }, (_, at) => at * step + 1);
    for (let at = 0; at < places.length; at += 25) {
      await Promise.all(places.slice(at, at + 25).map((place) => compare([place])));
    }
    await compare(places);
  });

  test("and what is plain goes the quick way", async () => {
    const before = readers.quick();
    await talk(readers.front, [bytesOf(PLAIN), bytesOf(PLAIN), bytesOf(PLAIN)]);
    expect(readers.quick() - before).toBe(3);
  });

  test("and what was cut at one place goes the quick way as well", async () => {
    const before = readers.quick();
    const bytes = bytesOf(PLAIN);
    for (let place = 1; place < bytes.length; place += 7) await talk(readers.front, cut(bytes, [place]));
    expect(readers.quick() - before).toBe(Math.ceil((bytes.length - 1) / 7));
  });
});

const odd = fc.constantFrom("\r", "\n", "\r\n", "\0", " ", "\t", ":", ",", "\x7f", "\xa0", "\x0b", "0", "5", "a", ";", "\r\n\r\n");
const harmless = fc.constantFrom(
  "Connection: keep-alive",
  "Accept: application/json, text/event-stream",
  "Content-Type: application/json",
  "Mcp-Session-Id: abc",
  "Origin: http://a",
);
const risky = fc.oneof(
  fc.constantFrom(
    "Content-Length: 5",
    "content-length: 0",
    "Content-Length: 12",
    "Transfer-Encoding: chunked",
    "Host: a",
    "Connection: close",
    "Expect: 100-continue",
    "Upgrade: websocket",
  ),
  fc.tuple(fc.string({ maxLength: 6 }), fc.string({ maxLength: 8 })).map(([name, value]) => `${name}: ${value}`),
);
const request = fc
  .record({
    method: fc.oneof({ weight: 8, arbitrary: fc.constant("POST") }, { weight: 1, arbitrary: fc.constantFrom("GET", "PUT", "post") }),
    target: fc.constantFrom("/mcp/a", "/mcp/a", "/mcp", "/mcp/a?b", "/", "*", "http://a/mcp/a"),
    fields: fc.array(fc.oneof({ weight: 5, arbitrary: harmless }, { weight: 1, arbitrary: risky }), { maxLength: 4 }),
    isFramed: fc.oneof({ weight: 6, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    body: fc.constantFrom("hello", "hello", "", CHUNKS, SMUGGLED),
    end: fc.oneof({ weight: 9, arbitrary: fc.constant("\r\n") }, { weight: 1, arbitrary: fc.constant("\n") }),
  })
  .map(({ method, target, fields, isFramed, body, end }) => {
    const framed = isFramed ? ["Host: a", `Content-Length: ${body.length}`] : [];
    return `${method} ${target} HTTP/1.1${end}${[...framed, ...fields].map((line) => line + end).join("")}${end}${body}`;
  });

/** What the server was given, as its answers tell it. */
const toldIn = (answers: string): string[] => answers.match(/\{"method":.*?"body":"(?:[^"\\]|\\.)*"\}/g) ?? [];

/**
 * Where several come at once and one of them is refused, how many of those before it still get their answer is the chance
 * of a turn with Node's server too. What the quick way hands on is then the same requests, or fewer, and never others.
 */
function expectAlike(front: string, alone: string): void {
  if (front === alone) return;
  const [ours, nodes] = [toldIn(front), toldIn(alone)];
  const isRefused = /HTTP\/1\.1 4\d\d |HTTP\/1\.1 100 /;
  expect(isRefused.test(front) && isRefused.test(alone), `${front}\n---\n${alone}`).toBe(true);
  expect(nodes.slice(0, ours.length)).toEqual(ours);
}

test("whatever comes, however it is cut, it is read alike", { timeout: 120_000 }, async () => {
  const before = readers.quick();
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      fc.array(fc.record({ at: fc.nat(600), sign: odd, over: fc.nat(2) }), { maxLength: 2 }),
      fc.array(fc.nat(600), { maxLength: 4 }),
      async (requests, isPipelined, changes, places) => {
        let text = requests.join("");
        for (const { at, sign, over } of changes) {
          const place = at % (text.length + 1);
          text = text.slice(0, place) + sign + text.slice(place + over);
        }
        let end = 0;
        const ends = requests.map((one) => (end += one.length));
        const pieces = cut(bytesOf(text), isPipelined ? places : [...places, ...ends]);
        const [alone, front] = await Promise.all([talk(readers.node, pieces), talk(readers.front, pieces)]);
        expectAlike(front, alone);
      },
    ),
    { numRuns: 600 },
  );
  // Enough of it was plain that the two did not only agree in refusing.
  expect(readers.quick() - before).toBeGreaterThan(20);
});
