/** What is not one strict JSON-RPC message of the protocol goes no further: each trap, over HTTP, before a real server. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type RawGateway, startGateway, TOKEN } from "../support/raw-gateway.ts";
import { exchangeBytes, readAnswer, writeHttp } from "../support/raw-http.ts";
import { tool } from "../support/raw-upstream.ts";

let gateway: RawGateway;
beforeAll(async () => {
  const tools = `[${tool("echo")},${tool("danger")}]`;
  const policy = { version: "1", default: "allow", tools: { danger: { action: "deny" } } };
  gateway = await startGateway({ servers: { alpha: { policy, tools } } });
  await gateway.call("echo");
});
afterAll(() => gateway.stop());
beforeEach(() => gateway.upstream.forget());

const call = (params: string): string => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;
const echo = (args: string): string => call(`{"name":"echo","arguments":${args}}`);
const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

interface Trap {
  readonly name: string;
  readonly body: string | Uint8Array;
  readonly status: number;
  readonly code: number;
  /** The id of the answer, as it stands there. */
  readonly id?: string;
}

const bytes = (...parts: (string | number[])[]): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part as string)));

const REFUSED: readonly Trap[] = [
  { name: "an empty batch", body: "[]", status: 400, code: -32600 },
  { name: "a batch of one call", body: `[${echo("{}")}]`, status: 400, code: -32600 },
  { name: "a batch with blanks before it", body: ` \r\n\t[${echo("{}")},${echo("{}")}]`, status: 400, code: -32600 },
  { name: "a batch of notifications", body: '[{"jsonrpc":"2.0","method":"notifications/initialized"}]', status: 400, code: -32600 },
  { name: "nothing", body: "", status: 400, code: -32700 },
  { name: "blanks", body: "  \n ", status: 400, code: -32700 },
  { name: "a text", body: '"tools/call"', status: 400, code: -32700 },
  { name: "null", body: "null", status: 400, code: -32700 },
  { name: "a number", body: "1", status: 400, code: -32700 },
  { name: "a message with words behind it", body: `${echo("{}")} x`, status: 400, code: -32700 },
  { name: "two messages", body: `${echo("{}")}\n${echo("{}")}`, status: 400, code: -32700 },
  { name: "a byte order mark", body: bytes([0xef, 0xbb, 0xbf], echo("{}")), status: 400, code: -32700 },
  { name: "UTF-16", body: Buffer.from(echo("{}"), "utf16le"), status: 400, code: -32700 },
  { name: "a comment", body: echo("{/* none */}"), status: 400, code: -32700 },
  { name: "a trailing comma", body: echo('{"a":1,}'), status: 400, code: -32700 },
  { name: "single quotes", body: echo("{'a':1}"), status: 400, code: -32700 },
  { name: "NaN", body: echo('{"a":NaN}'), status: 400, code: -32700 },
  { name: "Infinity", body: echo('{"a":-Infinity}'), status: 400, code: -32700 },
  { name: "a number that overflows", body: echo('{"a":1e400}'), status: 400, code: -32700 },
  { name: "a number that overflows downwards", body: echo('{"a":-1e400}'), status: 400, code: -32700 },
  { name: "a number that vanishes", body: echo('{"a":1e-400}'), status: 400, code: -32700 },
  { name: "an octal number", body: echo('{"a":010}'), status: 400, code: -32700 },
  { name: "a plus sign", body: echo('{"a":+1}'), status: 400, code: -32700 },
  { name: "a lone high surrogate", body: echo('{"a":"\\ud800"}'), status: 400, code: -32700 },
  { name: "a lone low surrogate in a key", body: echo('{"\\udc00":1}'), status: 400, code: -32700 },
  { name: "a raw control character", body: echo('{"a":"\u0001"}'), status: 400, code: -32700 },
  { name: "a raw line break in a text", body: echo('{"a":"x\ny"}'), status: 400, code: -32700 },
  {
    name: "invalid UTF-8",
    body: bytes('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"', [0xff], '"}}'),
    status: 400,
    code: -32700,
  },
  {
    name: "an overlong slash",
    body: bytes('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"', [0xc0, 0xaf], '"}}'),
    status: 400,
    code: -32700,
  },
  {
    name: "a surrogate in UTF-8",
    body: bytes('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"', [0xed, 0xa0, 0x80], '"}}'),
    status: 400,
    code: -32700,
  },
  { name: "too deep a list", body: echo(`{"a":${nested(200)}}`), status: 400, code: -32700 },
  { name: "a hundred thousand brackets", body: echo(`{"a":${nested(100_000)}}`), status: 400, code: -32700 },
  { name: "brackets that never close", body: `{"a":${"[".repeat(500_000)}`, status: 400, code: -32700 },
  {
    name: "a doubled method",
    body: '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"danger"}}',
    status: 400,
    code: -32700,
  },
  { name: "a doubled id", body: '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', status: 400, code: -32700 },
  {
    name: "doubled params",
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"},"params":{"name":"danger"}}',
    status: 400,
    code: -32700,
  },
  { name: "a doubled name", body: call('{"name":"echo","name":"danger"}'), status: 400, code: -32700 },
  { name: "a name doubled by an escape", body: call('{"name":"echo","n\\u0061me":"danger"}'), status: 400, code: -32700 },
  { name: "doubled arguments", body: call('{"name":"echo","arguments":{},"arguments":{"a":1}}'), status: 400, code: -32700 },
  { name: "a doubled argument, deep down", body: echo('{"a":[{"b":1,"b":2}]}'), status: 400, code: -32700 },
  {
    name: "a doubled key of _meta",
    body: call('{"name":"echo","_meta":{"progressToken":1,"progressToken":2}}'),
    status: 400,
    code: -32700,
  },
  { name: "Name beside name", body: call('{"name":"echo","Name":"danger"}'), status: 400, code: -32600, id: "1" },
  { name: "NAME alone", body: call('{"NAME":"danger"}'), status: 400, code: -32600, id: "1" },
  { name: "a name with NUL behind it", body: call('{"name":"echo","name\\u0000x":"danger"}'), status: 400, code: -32600, id: "1" },
  { name: "a full-width name", body: call('{"name":"echo","ｎａｍｅ":"danger"}'), status: 400, code: -32600, id: "1" },
  {
    name: "params with a long s",
    body: '{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{"name":"danger"}}',
    status: 400,
    code: -32600,
  },
  { name: "Method beside method", body: '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}', status: 400, code: -32600 },
  { name: "an ID in capitals", body: '{"jsonrpc":"2.0","ID":1,"method":"ping"}', status: 400, code: -32600 },
  { name: "arguments in capitals", body: call('{"name":"echo","Arguments":{"a":1}}'), status: 400, code: -32600, id: "1" },
  { name: "no jsonrpc", body: '{"id":1,"method":"ping"}', status: 400, code: -32600, id: "1" },
  { name: "jsonrpc 1.0", body: '{"jsonrpc":"1.0","id":1,"method":"ping"}', status: 400, code: -32600, id: "1" },
  { name: "jsonrpc as a number", body: '{"jsonrpc":2.0,"id":1,"method":"ping"}', status: 400, code: -32600, id: "1" },
  { name: "an id of null", body: '{"jsonrpc":"2.0","id":null,"method":"ping"}', status: 400, code: -32600 },
  { name: "an id with a fraction", body: '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', status: 400, code: -32600 },
  { name: "an id beyond the safe range", body: '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', status: 400, code: -32600 },
  { name: "an id that is a list", body: '{"jsonrpc":"2.0","id":[1],"method":"ping"}', status: 400, code: -32600 },
  { name: "an id that is true", body: '{"jsonrpc":"2.0","id":true,"method":"ping"}', status: 400, code: -32600 },
  { name: "a method and a result", body: '{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}', status: 400, code: -32600, id: "1" },
  {
    name: "a method and an error",
    body: '{"jsonrpc":"2.0","id":1,"method":"ping","error":{"code":1,"message":"x"}}',
    status: 400,
    code: -32600,
    id: "1",
  },
  { name: "a method that is a number", body: '{"jsonrpc":"2.0","id":1,"method":7}', status: 400, code: -32600, id: "1" },
  { name: "no method", body: '{"jsonrpc":"2.0","id":1,"params":{}}', status: 400, code: -32600, id: "1" },
  {
    name: "params as a list",
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["danger"]}',
    status: 400,
    code: -32600,
    id: "1",
  },
  { name: "params of null", body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}', status: 400, code: -32600, id: "1" },
  { name: "_meta as a text", body: call('{"name":"echo","_meta":"x"}'), status: 400, code: -32600, id: "1" },
  { name: "arguments as a list", body: call('{"name":"echo","arguments":[1]}'), status: 200, code: -32602, id: "1" },
  { name: "arguments as a text", body: call('{"name":"echo","arguments":"{}"}'), status: 200, code: -32602, id: "1" },
  { name: "arguments of null", body: call('{"name":"echo","arguments":null}'), status: 200, code: -32602, id: "1" },
  { name: "a name that is a number", body: call('{"name":1}'), status: 200, code: -32602, id: "1" },
  { name: "a name that is a list", body: call('{"name":["echo"]}'), status: 200, code: -32602, id: "1" },
  { name: "no name", body: call("{}"), status: 200, code: -32602, id: "1" },
  { name: "an unknown method", body: '{"jsonrpc":"2.0","id":1,"method":"tools/exec"}', status: 200, code: -32601, id: "1" },
  {
    name: "a known method in capitals",
    body: '{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"danger"}}',
    status: 200,
    code: -32601,
    id: "1",
  },
  {
    name: "a known method with a blank",
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call ","params":{"name":"danger"}}',
    status: 200,
    code: -32601,
    id: "1",
  },
  {
    name: "a method of tasks",
    body: '{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"x"}}',
    status: 200,
    code: -32601,
    id: "1",
  },
  {
    name: "a server's method",
    body: '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}',
    status: 200,
    code: -32601,
    id: "1",
  },
  { name: "__proto__ as a method", body: '{"jsonrpc":"2.0","id":1,"method":"__proto__"}', status: 200, code: -32601, id: "1" },
  { name: "constructor as a method", body: '{"jsonrpc":"2.0","id":1,"method":"constructor"}', status: 200, code: -32601, id: "1" },
];

describe("a message that is not strict", () => {
  test.each(REFUSED)("$name", async ({ body, status, code, id }) => {
    const entries = await gateway.during(async () => {
      const answer = await gateway.post(body);
      expect([answer.status, answer.json().error?.code]).toEqual([status, code]);
      expect(answer.text).toMatch(new RegExp(`^\\{"jsonrpc":"2\\.0","id":${id ?? "null"},"error":`));
      expect(answer.headers["content-type"]).toBe("application/json");
    }, 1);
    expect(gateway.upstream.arrived).toEqual([]);
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({
      decision: "deny",
      code: "invalid_request",
      server: "alpha",
      grant: "first",
      identity: "first@example.com",
    });
  });

  test("the refused method stands in the log, the arguments nowhere", async () => {
    const [entry] = await gateway.during(
      () => gateway.post('{"jsonrpc":"2.0","id":"r-1","method":"tools/exec","params":{"canary":"canary-of-a-refused-message"}}'),
      1,
    );
    expect(entry).toMatchObject({ kind: "envelope", code: "invalid_request" });
    expect(gateway.kept().includes("canary-of-a-refused-message")).toBe(false);
  });

  test("a notification that nobody knows is recorded and has no answer", async () => {
    const entries = await gateway.during(async () => {
      const answer = await gateway.post('{"jsonrpc":"2.0","method":"notifications/tools/call","params":{"name":"echo"}}');
      expect([answer.status, answer.text]).toEqual([202, ""]);
    }, 1);
    expect(entries).toMatchObject([{ kind: "envelope", decision: "deny", code: "invalid_request" }]);
    expect(gateway.upstream.arrived).toEqual([]);
  });

  test.each(["tools/call", "tools/list", "initialize", "ping", "resources/read"])("%s without an id is no request", async (method) => {
    const answer = await gateway.post(`{"jsonrpc":"2.0","method":"${method}","params":{"name":"echo","uri":"a:b"}}`);
    expect([answer.status, answer.json().error.code]).toEqual([400, -32600]);
    expect(answer.text).toContain('"id":null');
    expect(gateway.upstream.arrived).toEqual([]);
  });
});

describe("the body", () => {
  test.each([
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["multipart/form-data; boundary=x", 415],
    ["application/jsonp", 415],
    ["application/json-seq", 415],
    ["application/json, text/plain", 415],
    ["application/json; charset=utf-16", 415],
    ["application/json; charset=latin1", 415],
    ["", 415],
    [null, 415],
    ["application/json; charset=utf-8", 200],
    ['application/json;charset="UTF-8"', 200],
    ["APPLICATION/JSON", 200],
  ])("of type %s is answered %d", async (contentType, status) => {
    const answer = await gateway.post(echo("{}"), { contentType });
    expect(answer.status).toBe(status);
    expect(gateway.upstream.calls()).toHaveLength(status === 200 ? 1 : 0);
  });

  test.each(["gzip", "br", "deflate", "zstd", "x-gzip", "GZIP", "gzip, identity", "chunked", "aes128gcm"])(
    "encoded as %s is answered 415",
    async (encoding) => {
      const answer = await gateway.post(gzipSync(echo("{}")), { headers: [["Content-Encoding", encoding]] });
      expect(answer.status).toBe(415);
      expect(gateway.upstream.arrived).toEqual([]);
    },
  );

  const head = (more: readonly (readonly [string, string])[]) =>
    writeHttp({
      path: "/mcp/alpha",
      headers: [["Host", "localhost"], ["Authorization", `Bearer ${TOKEN}`], ["Content-Type", "application/json"], ...more],
    });

  test("declared over the cap is answered 413 before it is sent", async () => {
    const answer = readAnswer(await exchangeBytes(gateway.port, [head([["Content-Length", String(4 * 1024 * 1024 + 1)]])]));
    expect(answer.status).toBe(413);
    expect(answer.headers["connection"]).toBe("close");
  });

  test("of exactly the cap passes", async () => {
    const cap = 4 * 1024 * 1024;
    const rest = echo('{"a":""}').length;
    const answer = await gateway.post(echo(`{"a":"${"x".repeat(cap - rest)}"}`));
    expect(answer.status).toBe(200);
    expect(answer.json().result.content[0].text).toBe("done");
    const over = await gateway.post(echo(`{"a":"${"x".repeat(cap - rest + 1)}"}`));
    expect(over.status).toBe(413);
  });

  test("in chunks over the cap is answered 413, and the connection ends there", async () => {
    const chunk = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(0x100000, 32), Buffer.from("\r\n")]);
    const came = await exchangeBytes(gateway.port, [head([["Transfer-Encoding", "chunked"]]), chunk, chunk, chunk, chunk, chunk]);
    expect(readAnswer(came).status).toBe(413);
    expect(came.toString("latin1").match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(gateway.upstream.arrived).toEqual([]);
  });

  test("with a length and chunks at once is no request at all", async () => {
    const both = head([
      ["Content-Length", "5"],
      ["Transfer-Encoding", "chunked"],
      ["Connection", "close"],
    ]);
    const came = await exchangeBytes(gateway.port, [both, Buffer.from(`${echo("{}").length.toString(16)}\r\n${echo("{}")}\r\n0\r\n\r\n`)]);
    expect(came.toString("latin1")).not.toContain("200 OK");
    expect(gateway.upstream.arrived).toEqual([]);
  });

  test("that comes byte by byte is read as one", async () => {
    const text = echo('{"a":"ü"}');
    const pieces = [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
    const start = head([
      ["Content-Length", String(Buffer.byteLength(text))],
      ["Connection", "close"],
    ]);
    const answer = readAnswer(
      await exchangeBytes(gateway.port, [start, ...pieces.flatMap((piece, at) => (at % 20 === 0 ? [1, piece] : [piece]))]),
    );
    expect(answer.json().result.content[0].text).toBe("done");
  });

  test("that the client gives up on leaves nothing behind", async () => {
    const { connect } = await import("node:net");
    const socket = connect(gateway.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(head([["Content-Length", "1000"]]));
    socket.write('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}');
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    expect((await gateway.call("echo")).status).toBe(200);
    expect(gateway.upstream.calls()).toHaveLength(1);
  });
});
