/** What goes to a server and what comes back: the bytes that were judged, the client's own id, and nothing else. */
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type RawGateway, startGateway, TOKEN } from "../support/raw-gateway.ts";
import type { HeaderList } from "../support/raw-http.ts";
import { OK_RESULT, tool } from "../support/raw-upstream.ts";

const KEY = "upstream-credential-0123456789";
const PARAM_TOOL = tool("region", "").replace(
  '{"type":"object"}',
  '{"type":"object","properties":{"area":{"type":"string","x-mcp-header":"Area"}}}',
);

let gateway: RawGateway;
beforeAll(async () => {
  const tools = `[${tool("echo")},${PARAM_TOOL}]`;
  const policy = { version: "1", default: "allow" };
  const headers = { Authorization: `Bearer ${KEY}`, "X-Team": "support" };
  gateway = await startGateway({ servers: { alpha: { policy, tools, headers, entry: { meta: ["com.example/kept"] } } } });
  await gateway.call("echo");
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.upstream.forget();
  gateway.upstream.respond = () => undefined;
});

const request = (id: string, args: string): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":${args}}}`;
const sent = (): string => gateway.upstream.calls()[0]?.text ?? "";

describe("ids", () => {
  const IDS = [
    "1",
    "0",
    "-1",
    "-0",
    "1.0",
    "1.00",
    "1e2",
    "10E-1",
    "100e-2",
    "9007199254740991",
    "-9007199254740991",
    '""',
    '"1"',
    '"1.0"',
    '"a b"',
    '"\\u0061"',
    '"\\"\\\\\\/\\n\\t"',
    '"\u00e9"',
    '"\\u00e9"',
    '"\\ud83d\\ude00"',
    '"😀"',
    '"null"',
    '"__proto__"',
    '"</script>"',
    '"\\u2028"',
    '"\u2028"',
    `"${"x".repeat(256)}"`,
  ];
  test.each(IDS)("%s comes back as it was spelt", async (id) => {
    for (const name of ["echo", "nobody"]) {
      const answer = await gateway.post(request(id, "{}").replace("echo", name));
      expect(answer.text.startsWith(`{"jsonrpc":"2.0","id":${id},"`)).toBe(true);
      expect(answer.status).toBe(200);
    }
    expect(sent()).toMatch(/^\{"jsonrpc":"2\.0","id":\d+,"method":"tools\/call"/);
  });

  test("blanks around an id are not part of it", async () => {
    const answer = await gateway.post('{ "jsonrpc" : "2.0" , "id" :  7.0  , "method" : "tools/call" , "params" : { "name" : "echo" } }');
    expect(answer.text).toMatch(/^\{"jsonrpc":"2\.0","id":7\.0,"result":/);
  });

  test("of calls at the same time are not confused, though they are the same", async () => {
    gateway.upstream.respond = (_arrived, asked) => {
      if (asked.method !== "tools/call") return undefined;
      const { n } = (asked.params as { arguments: { n: number } }).arguments;
      return {
        act: (response, _socket, id) =>
          void setTimeout(
            () =>
              response
                .writeHead(200, { "content-type": "application/json" })
                .end(`{"jsonrpc":"2.0","id":${id},"result":{"content":[],"n":${n}}}`),
            40 - n * 2,
          ),
      };
    };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => gateway.post(request("7", `{"n":${n}}`))));
    expect(answers.map((answer) => answer.json().result.n)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    const ids = gateway.upstream.calls().map(({ message }) => message?.id);
    expect(new Set(ids).size).toBe(20);
  });
});

/** JSON texts that a parser and printer would change. */
const SPELLINGS = [
  "{}",
  "{ }",
  "{\n\t}",
  '{"a":1.0}',
  '{"a":12345678901234567890}',
  '{"a":0.1000000000000000055511151231257827}',
  '{"a":-0}',
  '{"a":1E3,"b":1e+3}',
  '{"a":1.50}',
  '{ "a" : 1 ,\r\n "b":[ 1 , 2 ] }',
  '{"a":"\\u0041\\u00e9"}',
  '{"a":"\\/"}',
  '{"a":"é😀\u2028"}',
  '{"a":"\\ud83d\\ude00"}',
  '{"\\u0061":1}',
  '{"b":1,"a":2}',
  '{"__proto__":{"x":1}}',
  '{"constructor":1,"toString":2}',
  '{"name":"danger","arguments":{},"method":"x","jsonrpc":"1.0","id":9}',
  '{"a":null,"b":true,"c":false}',
  '{"a":""}',
  '{"":1}',
  '{"a":[[[[[[]]]]]]}',
  '{"a":123456789.123456789123456789e-30}',
];

describe("arguments", () => {
  test.each(SPELLINGS)("%s are sent as they came", async (args) => {
    expect((await gateway.post(request("1", args))).status).toBe(200);
    expect(sent()).toMatch(/"arguments":/);
    expect(sent().includes(`"arguments":${args}`)).toBe(true);
    expect(gateway.upstream.calls()).toHaveLength(1);
  });

  test("of any text are sent as they came", async () => {
    const spaced = fc
      .tuple(fc.json({ maxDepth: 4 }), fc.constantFrom("", " ", "\n", "\t\r\n "))
      .map(([json, space]) => `{${space}"v"${space}:${space}${json}${space}}`);
    await fc.assert(
      fc.asyncProperty(spaced, async (args) => {
        gateway.upstream.forget();
        const answer = await gateway.post(request("1", args));
        if (answer.status === 400) return expect(sent()).toBe("");
        expect(sent().includes(`"arguments":${args}`)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test("left out are left out, and members of params that nobody knows stay", async () => {
    await gateway.post('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}');
    expect(sent()).not.toContain("arguments");
    expect(JSON.parse(sent()).params.name).toBe("echo");
  });
});

describe("results", () => {
  const RESULTS = [
    OK_RESULT,
    '{"content":[],"structuredContent":{"n":12345678901234567890,"x":1.0}}',
    '{ "content" : [ ] ,\n "x":1E5 }',
    '{"content":[{"type":"text","text":"\\u00e9\\/\\ud83d\\ude00"}],"isError":true}',
    '{"content":[{"type":"text","text":"é😀\u2028</script>"}]}',
    '{"content":[],"_meta":{"com.example/x":[1.0]},"more":{"id":7,"result":{}}}',
    '{"content":[],"__proto__":{"a":1}}',
    `{"content":[{"type":"text","text":"${"y".repeat(300_000)}"}]}`,
  ];
  test.each(RESULTS.map((result, at) => [at, result] as const))("number %d comes back as it was sent", async (_at, result) => {
    gateway.upstream.respond = (_arrived, asked) => (asked.method === "tools/call" ? { result } : undefined);
    const answer = await gateway.post(request('"r"', "{}"));
    expect(answer.text).toBe(`{"jsonrpc":"2.0","id":"r","result":${result}}`);
  });

  test("as an event come back as an event or as JSON, with the same bytes", async () => {
    const result = '{"content":[],"n":1.0,"big":12345678901234567890}';
    gateway.upstream.respond = (_arrived, asked) =>
      asked.method !== "tools/call"
        ? undefined
        : {
            act: (response, _socket, id) => {
              response.writeHead(200, { "content-type": "text/event-stream" });
              response.write(
                `: hello\r\n\r\nid: 1\r\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"m"}}\r\n\r\n`,
              );
              response.end(`event: message\ndata: {"jsonrpc":"2.0",\ndata: "id":${id},"result":${result}}\n\n`);
            },
          };
    const events = await gateway.post(request("1.0", "{}"), { headers: [["Accept", "application/json, text/event-stream"]] });
    expect(events.headers["content-type"]).toBe("text/event-stream");
    expect(events.text).toContain('"method":"notifications/message"');
    expect(events.text).toContain(`{"jsonrpc":"2.0","id":1.0,"result":${result}}`);
    expect(events.text).not.toContain("hello");
    const json = await gateway.post(request("1.0", "{}"), { headers: [["Accept", "application/json"]] });
    expect(json.headers["content-type"]).toBe("application/json");
    expect(json.text).toBe(`{"jsonrpc":"2.0","id":1.0,"result":${result}}`);
  });

  test.each([
    '{"code":-32603,"message":"broken","data":{"n":1.0}}',
    '{"code":1,"message":"é"}',
    '{"code":-32000,"message":"x","data":[12345678901234567890]}',
  ])("that are errors come back as they were sent: %s", async (error) => {
    gateway.upstream.respond = (_arrived, asked) => (asked.method === "tools/call" ? { error } : undefined);
    expect((await gateway.post(request("1", "{}"))).text).toBe(`{"jsonrpc":"2.0","id":1,"error":${error}}`);
  });
});

describe("headers", () => {
  const CANARIES: HeaderList = [
    ["Cookie", "session=canary-cookie"],
    ["X-Api-Key", "canary-api-key"],
    ["X-Forwarded-For", "203.0.113.77"],
    ["Forwarded", "for=203.0.113.78"],
    ["X-Team", "canary-team"],
    ["Proxy-Authorization", "Basic canary-proxy"],
    ["Referer", "http://localhost/canary-referer"],
    ["User-Agent", "canary-agent"],
    ["Accept-Encoding", "gzip, br"],
    ["Accept-Language", "canary-language"],
    ["Origin", "http://localhost"],
    ["Te", "trailers"],
    ["Via", "1.1 canary-via"],
    ["X-Mcp-Session", "canary-x"],
    ["Mcp-Secret", "canary-mcp"],
    ["If-None-Match", "canary-etag"],
    ["Range", "bytes=0-1"],
    ["Upgrade-Insecure-Requests", "1"],
    ["Last-Event-ID", "canary-event"],
  ];
  test("of the client's own do not go to the server", async () => {
    expect((await gateway.post(request("1", "{}"), { headers: CANARIES })).status).toBe(200);
    const bytes = gateway.upstream.bytes().toString("latin1");
    expect(bytes).not.toMatch(/canary|203\.0\.113|gzip|cookie/i);
    expect(bytes).not.toContain(TOKEN);
    const [{ headers } = { headers: {} }] = gateway.upstream.calls();
    expect(headers).toMatchObject({ authorization: `Bearer ${KEY}`, "x-team": "support", "accept-encoding": "identity" });
    expect(Object.keys(headers).sort()).toEqual([
      "accept",
      "accept-encoding",
      "authorization",
      "connection",
      "content-length",
      "content-type",
      "host",
      "mcp-protocol-version",
      "x-team",
    ]);
  });

  test("of the server's do not go to the client", async () => {
    gateway.upstream.respond = (_arrived, asked) =>
      asked.method !== "tools/call"
        ? undefined
        : {
            act: (response, _socket, id) =>
              void response
                .writeHead(200, {
                  "content-type": "application/json",
                  "set-cookie": "a=canary",
                  "x-powered-by": "canary",
                  "www-authenticate": "Bearer canary",
                  server: "canary",
                  "access-control-allow-origin": "*",
                })
                .end(`{"jsonrpc":"2.0","id":${id},"result":${OK_RESULT}}`),
          };
    const answer = await gateway.post(request("1", "{}"));
    expect(answer.status).toBe(200);
    expect(answer.bytes.toString("latin1")).not.toMatch(/canary|access-control/i);
  });
});

describe("_meta", () => {
  test("reaches a server as progress, trace and what its entry lists", async () => {
    const meta =
      '{"progressToken":"p1","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","com.example/kept":{"n":1.0},"com.example/secret":"canary-meta","sallyport/decision":{"code":"allow"},"io.modelcontextprotocol/related-task":{"taskId":"canary-task"}}';
    await gateway.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{},"_meta":${meta}}}`);
    expect(JSON.parse(sent()).params._meta).toEqual({
      progressToken: "p1",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "com.example/kept": { n: 1 },
    });
    expect(gateway.upstream.bytes().toString()).not.toMatch(/canary|sallyport\/decision/);
  });
});

describe("the modern era", () => {
  const META =
    '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"stranger","version":"9"}}';
  const modern = (name: string, args = "{}", method = "tools/call") =>
    `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"name":"${name}","arguments":${args},${META}}}`;
  const GOOD: HeaderList = [
    ["MCP-Protocol-Version", "2026-07-28"],
    ["Mcp-Method", "tools/call"],
    ["Mcp-Name", "echo"],
  ];
  const without = (name: string): HeaderList => GOOD.filter(([other]) => other !== name);
  const changed = (name: string, value: string): HeaderList => [...without(name), [name, value]];

  test("passes when headers and body agree, and the server is told who we are", async () => {
    const answer = await gateway.post(modern("echo"), { headers: GOOD });
    expect(answer.status).toBe(200);
    expect(answer.json().result.resultType).toBe("complete");
    const [{ headers, message } = { headers: {}, message: undefined }] = gateway.upstream.calls();
    expect(headers).toMatchObject({ "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "echo" });
    expect(message?.params?.["_meta"]).toMatchObject({ "io.modelcontextprotocol/clientInfo": { name: "sallyport" } });
    expect(gateway.upstream.bytes().toString()).not.toContain("stranger");
  });

  const MISMATCHES: readonly (readonly [string, HeaderList])[] = [
    ["no version", without("MCP-Protocol-Version")],
    ["another version", changed("MCP-Protocol-Version", "2025-11-25")],
    ["a version given twice", [...GOOD, ["MCP-Protocol-Version", "2026-07-28"]]],
    ["no method", without("Mcp-Method")],
    ["another method", changed("Mcp-Method", "tools/list")],
    ["a method in capitals", changed("Mcp-Method", "Tools/Call")],
    ["a method given twice", [...GOOD, ["Mcp-Method", "tools/call"]]],
    ["no name", without("Mcp-Name")],
    ["another name", changed("Mcp-Name", "danger")],
    ["a name in capitals", changed("Mcp-Name", "Echo")],
    ["a name given twice", [...GOOD, ["Mcp-Name", "echo"]]],
    ["two names in one", changed("Mcp-Name", "echo, danger")],
    ["another name in base64", changed("Mcp-Name", `=?base64?${Buffer.from("danger").toString("base64")}?=`)],
    ["broken base64", changed("Mcp-Name", "=?base64?ZWNobw?=")],
    ["base64 that is no text", changed("Mcp-Name", "=?base64?/w==?=")],
  ];
  test.each(MISMATCHES)("is refused with %s", async (_name, headers) => {
    const entries = await gateway.during(async () => {
      const answer = await gateway.post(modern("echo"), { headers });
      expect([answer.status, answer.json().error.code]).toEqual([400, -32020]);
    }, 1);
    expect(entries).toMatchObject([{ decision: "deny", code: "invalid_request" }]);
    expect(gateway.upstream.arrived).toEqual([]);
  });

  test("takes a name in base64", async () => {
    const headers = changed("Mcp-Name", `=?base64?${Buffer.from("echo").toString("base64")}?=`);
    expect((await gateway.post(modern("echo"), { headers })).status).toBe(200);
    expect(gateway.upstream.calls()).toHaveLength(1);
  });

  test.each([
    ["tools/exec", 404, -32601],
    ["initialize", 404, -32601],
    ["ping", 404, -32601],
    ["logging/setLevel", 404, -32601],
    ["resources/subscribe", 404, -32601],
    ["tasks/get", 404, -32601],
  ])("does not know %s", async (method, status, code) => {
    const headers: HeaderList = [
      ["MCP-Protocol-Version", "2026-07-28"],
      ["Mcp-Method", method],
      ["Mcp-Name", "x"],
    ];
    const answer = await gateway.post(modern("x", "{}", method).replace('"arguments"', '"taskId":"x","arguments"'), { headers });
    expect([answer.status, answer.json().error.code]).toEqual([status, code]);
    expect(gateway.upstream.arrived).toEqual([]);
  });

  test("speaks no version that nobody knows", async () => {
    const answer = await gateway.post(modern("echo").replace("2026-07-28", "2031-01-01"), {
      headers: changed("MCP-Protocol-Version", "2031-01-01"),
    });
    expect([answer.status, answer.json().error.code]).toEqual([400, -32022]);
    expect(answer.json().error.data).toMatchObject({ requested: "2031-01-01", supported: expect.arrayContaining(["2026-07-28"]) });
  });

  test("in the header alone is not modern, and not legacy either", async () => {
    const answer = await gateway.post(request("1", "{}"), { headers: GOOD });
    expect([answer.status, answer.json().error.code]).toEqual([400, -32602]);
    expect(gateway.upstream.arrived).toEqual([]);
  });

  test("without capabilities is not whole", async () => {
    const body =
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}';
    const answer = await gateway.post(body, { headers: GOOD });
    expect([answer.status, answer.json().error.code]).toEqual([400, -32602]);
  });

  describe("with a mirrored argument", () => {
    const named: HeaderList = changed("Mcp-Name", "region");
    test.each<readonly [string, string, HeaderList, boolean]>([
      ["agrees", '{"area":"eu"}', [["Mcp-Param-Area", "eu"]], true],
      ["agrees in base64", '{"area":"eu"}', [["mcp-param-area", `=?base64?${Buffer.from("eu").toString("base64")}?=`]], true],
      ["is left out on both sides", "{}", [], true],
      ["differs", '{"area":"eu"}', [["Mcp-Param-Area", "us"]], false],
      ["is missing", '{"area":"eu"}', [], false],
      ["is there without the argument", "{}", [["Mcp-Param-Area", "eu"]], false],
      [
        "comes twice",
        '{"area":"eu"}',
        [
          ["Mcp-Param-Area", "eu"],
          ["Mcp-Param-Area", "eu"],
        ],
        false,
      ],
      ["is malformed", '{"area":"eu"}', [["Mcp-Param-Area", "=?base64?***?="]], false],
    ])("it %s", async (_name, args, more, passes) => {
      const answer = await gateway.post(modern("region", args), { headers: [...named, ...more] });
      if (passes) {
        expect(answer.status).toBe(200);
        expect(gateway.upstream.calls()[0]?.headers["mcp-param-area"]).toBe(args === "{}" ? undefined : "eu");
      } else {
        expect([answer.status, answer.json().error.code]).toEqual([400, -32020]);
        expect(gateway.upstream.calls()).toEqual([]);
      }
    });
  });

  test("gives a server no state that a stranger made up", async () => {
    const body = modern("echo").replace('"name"', '"requestState":"canary-state","inputResponses":{"a":{"canary":1}},"name"');
    expect((await gateway.post(body, { headers: GOOD })).status).toBe(200);
    expect(gateway.upstream.calls()).toHaveLength(1);
    expect(gateway.upstream.bytes().toString()).not.toMatch(/canary|requestState|inputResponses/);
  });
});
