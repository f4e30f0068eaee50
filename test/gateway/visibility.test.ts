/** What may be seen and called: hidden, unknown and unselected names are one thing to the agent, and three in the log. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type RawGateway, startGateway } from "../support/raw-gateway.ts";
import type { RawAnswer } from "../support/raw-http.ts";
import { tool } from "../support/raw-upstream.ts";

const NAMES = ["tool_free", "tool_hide", "tool_deny", "tool_pers"];
const TOOLS = `[${NAMES.map((name) => tool(name, `,"description":"d1.0","x":{"n":1.0}`)).join(",")}]`;
const rules = { tool_deny: { action: "deny", reason: "Never." } };

let open: RawGateway;
let closed: RawGateway;
beforeAll(async () => {
  open = await startGateway({
    servers: { alpha: { policy: { version: "1", default: "allow", hide: ["tool_hide"], tools: rules }, tools: TOOLS } },
  });
  const listed = { ...rules, tool_free: {} };
  closed = await startGateway({
    servers: { alpha: { policy: { version: "1", default: "deny", hide: ["tool_hide"], tools: listed }, tools: TOOLS } },
  });
  await Promise.all([open.call("tool_free"), closed.call("tool_free")]);
});
afterAll(() => Promise.all([open.stop(), closed.stop()]));
beforeEach(() => {
  for (const { upstream } of [open, closed]) {
    upstream.forget();
    upstream.respond = () => undefined;
  }
});

/** Everything that came but the date, with the name and the ids of the decision made alike. */
function blur(answer: RawAnswer, name: string): string {
  return answer.bytes
    .toString("utf8")
    .replace(/^Date: .*$/im, "")
    .replaceAll(name, "NAME")
    .replace(/("sallyport\/decision":\{"id":")[0-9a-z]{26}/, "$1ID");
}

async function ask(gateway: RawGateway, name: string): Promise<RawAnswer> {
  return await gateway.post(
    `{"jsonrpc":"2.0","id":"same","method":"tools/call","params":{"name":${JSON.stringify(name)},"arguments":{"a":1}}}`,
  );
}

describe("under default allow", () => {
  test("a hidden tool answers as one that is not there, byte for byte", async () => {
    const entries = await open.during(async () => {
      const hidden = await ask(open, "tool_hide");
      const unknown = await ask(open, "tool_nope");
      expect(blur(hidden, "tool_hide")).toBe(blur(unknown, "tool_nope"));
      expect(hidden.json()).toEqual({ jsonrpc: "2.0", id: "same", error: { code: -32602, message: "Unknown tool: tool_hide" } });
    }, 2);
    expect(entries).toMatchObject([
      { kind: "denial", tool: "tool_hide", decision: "deny", code: "unknown_tool", rule: "(hidden)" },
      { kind: "denial", tool: "tool_nope", decision: "deny", code: "unknown_tool", rule: "(unknown tool)" },
    ]);
    expect(open.upstream.arrived).toEqual([]);
  });

  test.each([
    "TOOL_FREE",
    "tool_free ",
    " tool_free",
    "tool_free\u0000",
    "tool_fre\u0065\u0301",
    "tool\u200b_free",
    "tool-free",
    "*",
    "tool_*",
    "__proto__",
    "constructor",
    "tool_free/../tool_deny",
    "../tool_free",
    "ｔool_free",
  ])("%j is another name than any on the list", async (name) => {
    const answer = await ask(open, name);
    expect(answer.json().error).toEqual({ code: -32602, message: `Unknown tool: ${name}` });
    expect(open.upstream.arrived).toEqual([]);
  });
});

describe("under default deny", () => {
  test("hidden, unknown and unselected answer alike, byte for byte", async () => {
    const names = ["tool_hide", "tool_nope", "tool_pers"];
    const entries = await closed.during(async () => {
      const answers = [];
      for (const name of names) answers.push(blur(await ask(closed, name), name));
      expect(new Set(answers).size).toBe(1);
      expect((await ask(closed, "tool_pers")).json()).toEqual({
        jsonrpc: "2.0",
        id: "same",
        result: {
          content: [{ type: "text", text: '[POLICY DENIED] Tool "tool_pers" is not allowed by policy.' }],
          isError: true,
          _meta: { "sallyport/decision": { id: expect.any(String), code: "not_allowed" } },
        },
      });
    }, 4);
    expect(entries.map(({ code, rule }) => [code, rule])).toEqual([
      ["not_allowed", "(hidden)"],
      ["not_allowed", "(default deny)"],
      ["not_allowed", "(default deny)"],
      ["not_allowed", "(default deny)"],
    ]);
    expect(closed.upstream.arrived).toEqual([]);
  });
});

describe("tools/list", () => {
  const shown = (answer: RawAnswer): string[] => answer.json().result.tools.map(({ name }: { name: string }) => name);

  test("shows what may be called and what is denied by name", async () => {
    expect(shown(await open.post('{"jsonrpc":"2.0","id":1,"method":"tools/list"}'))).toEqual(["tool_free", "tool_deny", "tool_pers"]);
    expect(shown(await closed.post('{"jsonrpc":"2.0","id":1,"method":"tools/list"}'))).toEqual(["tool_free", "tool_deny"]);
  });

  test("keeps each shown tool as the server wrote it", async () => {
    const answer = await closed.post('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
    expect(answer.text).toContain(tool("tool_free", `,"description":"d1.0","x":{"n":1.0}`));
  });

  test.each(["1", "1.0", '"\\u0031"', '"a"', "-0", "1e3"])("is filtered whatever its id (%s)", async (id) => {
    const answer = await closed.post(`{"jsonrpc":"2.0","id":${id},"method":"tools/\\u006cist"}`);
    expect(shown(answer)).toEqual(["tool_free", "tool_deny"]);
    expect(answer.text).toContain(`"id":${id},`);
  });

  test("is filtered on every page, in events, and with an empty cursor", async () => {
    closed.upstream.respond = (_arrived, asked) => {
      if (asked.method !== "tools/list") return undefined;
      const cursor = asked.params?.["cursor"];
      const page = cursor === undefined ? [NAMES[0], NAMES[1]] : [NAMES[2], NAMES[3]];
      const tools = page.map((name) => tool(name as string, `,"description":"d1.0","x":{"n":1.0}`)).join(",");
      const result = `{"tools":[${tools}]${cursor === undefined ? ',"nextCursor":""' : ""},"more":1.0}`;
      return {
        act: (response, _socket, id) =>
          void response
            .writeHead(200, { "content-type": "text/event-stream" })
            .end(`data: {"jsonrpc":"2.0","id":${id},"result":${result}}\n\n`),
      };
    };
    const first = await closed.post('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', { headers: [["Accept", "application/json"]] });
    expect([shown(first), first.json().result.nextCursor]).toEqual([["tool_free"], ""]);
    expect(first.text).toContain('"more":1.0');
    const second = await closed.post('{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":""}}', {
      headers: [["Accept", "application/json"]],
    });
    expect(shown(second)).toEqual(["tool_deny"]);
  });

  test.each([
    ["is no list", '{"tools":{"tool_hide":{}}}'],
    ["doubles its tools", '{"tools":[],"tools":[{"name":"tool_hide"}]}'],
    ["spells them in capitals beside", '{"tools":[],"Tools":[{"name":"tool_hide"}]}'],
    ["is null", '{"tools":null}'],
  ])("that %s is not passed", async (_name, result) => {
    open.upstream.respond = (_arrived, asked) => (asked.method === "tools/list" ? { result } : undefined);
    const answer = await open.post('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
    expect(answer.json().error.code).toBe(-32603);
    expect(answer.text).not.toContain("tool_hide");
  });
});

describe("resources and prompts", () => {
  let gateway: RawGateway;
  beforeAll(async () => {
    const policy = {
      version: "1",
      default: "allow",
      resources: {
        default: "deny",
        allow: ["file:///docs/**", "note://*"],
        deny: ["file:///docs/secret/**"],
        hide: ["file:///docs/hidden/**"],
      },
      prompts: { default: "deny", allow: ["greet"], deny: ["blocked"], hide: ["hidden"] },
    };
    gateway = await startGateway({
      servers: {
        alpha: {
          policy,
          respond: (_arrived, asked) => {
            const uri = asked.params?.["uri"];
            if (asked.method === "resources/read") {
              if (uri === "file:///docs/nope")
                return { error: '{"code":-32002,"message":"Resource not found","data":{"uri":"file:///docs/nope"}}' };
              return { result: `{"contents":[{"uri":${JSON.stringify(uri)},"text":"t"}]}` };
            }
            if (asked.method === "prompts/get")
              return asked.params?.["name"] === "greet"
                ? { result: '{"messages":[]}' }
                : { error: '{"code":-32602,"message":"Prompt nope not found"}' };
            if (asked.method === "resources/list")
              return {
                result:
                  '{"resources":[{"uri":"file:///docs/a","name":"a"},{"uri":"file:///docs/secret/b","name":"b"},{"uri":"file:///docs/hidden/c","name":"c"},{"uri":"file:///etc/d","name":"d"}]}',
              };
            if (asked.method === "prompts/list")
              return { result: '{"prompts":[{"name":"greet"},{"name":"blocked"},{"name":"hidden"},{"name":"other"}]}' };
            if (asked.method === "resources/templates/list")
              return {
                result:
                  '{"resourceTemplates":[{"uriTemplate":"file:///docs/{x}","name":"x"},{"uriTemplate":"file:///{x}","name":"y"},{"uriTemplate":"{x}","name":"z"},{"uriTemplate":"note://{x}","name":"n"}]}',
              };
            if (asked.method === "completion/complete") return { result: '{"completion":{"values":["v"]}}' };
            if (asked.method.startsWith("resources/")) return { result: "{}" };
            return undefined;
          },
        },
      },
    });
    await gateway.call("echo");
  });
  afterAll(() => gateway.stop());
  beforeEach(() => gateway.upstream.forget());

  const read = (uri: string, method = "resources/read") =>
    gateway.post(`{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"uri":${JSON.stringify(uri)}}}`);
  const get = (name: string) => gateway.post(`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":${JSON.stringify(name)}}}`);

  test("what is allowed passes as it came", async () => {
    for (const uri of ["file:///docs/a", "file:///docs/a/b%20c", "note://x", "file:///docs/A?q=1#f", "file:///docs/ü"]) {
      const answer = await read(uri);
      expect(answer.json().result?.contents[0].uri).toBe(uri);
    }
    expect(gateway.upstream.calls("resources/read")).toHaveLength(5);
    expect((await get("greet")).json().result.messages).toEqual([]);
  });

  test("what is denied by name says so, and who asked stands in the log", async () => {
    const entries = await gateway.during(async () => {
      const answer = await read("file:///docs/secret/b");
      expect(answer.json().error).toMatchObject({
        code: -32602,
        data: { "sallyport/decision": { code: "denied", rule: "/resources/deny/0" } },
      });
      expect((await get("blocked")).json().error).toMatchObject({
        code: -32602,
        data: { "sallyport/decision": { code: "denied", rule: "/prompts/deny/0" } },
      });
    }, 2);
    expect(entries).toMatchObject([
      {
        kind: "denial",
        method: "resources/read",
        tool: "file:///docs/secret/b",
        code: "denied",
        rule: "/resources/deny/0",
        identity: "first@example.com",
      },
      { kind: "denial", method: "prompts/get", tool: "blocked", code: "denied", rule: "/prompts/deny/0" },
    ]);
    expect(gateway.upstream.arrived).toEqual([]);
  });

  test("hidden, unselected and unknown answer alike", async () => {
    const uris = ["file:///docs/nope", "file:///docs/hidden/c", "file:///etc/nope"];
    const answers = [];
    for (const uri of uris) answers.push(blur(await read(uri), uri).replace(/content-length: \d+/i, ""));
    expect(new Set(answers).size).toBe(1);
    const prompts = [];
    for (const name of ["nope00", "hidden", "other0"]) prompts.push(blur(await get(name), name));
    expect(new Set(prompts).size).toBe(1);
    expect(gateway.upstream.arrived.map(({ message }) => message?.method)).toEqual(["resources/read"]);
  });

  test.each([
    "file:///docs/../etc/passwd",
    "file:///docs/./a",
    "file:///docs/%2e%2e/etc",
    "file:///docs/%2E%2E/etc",
    "file:///docs/a%2fb",
    "file:///docs/a%2Fb",
    "file:///docs/a%5cb",
    "file:///docs\\..\\etc",
    "file:///docs/..",
    "note://user@host",
    "note://user:pass@host/x",
    "file:///docs/a\u0000",
    "file:///docs/a\nb",
    "file:///docs/.%2e/x",
    "file:///docs/a\u007f",
  ])("%j is refused before selection", async (uri) => {
    for (const method of ["resources/read", "resources/subscribe"]) {
      const answer = await read(uri, method);
      expect(answer.json().error).toMatchObject({
        code: -32602,
        data: { "sallyport/decision": { code: "invalid_arguments", rule: "(uri)" } },
      });
    }
    expect(gateway.upstream.arrived).toEqual([]);
  });

  test.each([
    "FILE:///docs/a",
    "file://docs/a",
    "file:/docs/a",
    "file:///DOCS/a",
    "file:////docs/a",
    "file:///etc/passwd#/docs/",
    "http://evil/docs/a",
    "note:x",
    "file:///docsx/a",
    " file:///docs/a",
  ])("%j is another one", async (uri) => {
    expect((await read(uri)).json().error).toMatchObject({ code: -32002, message: "Resource not found" });
    expect(gateway.upstream.arrived).toEqual([]);
  });

  test("lists show what may be asked for and what is denied by name", async () => {
    const list = async (method: string) => (await gateway.post(`{"jsonrpc":"2.0","id":1,"method":"${method}"}`)).json().result;
    expect((await list("resources/list")).resources.map(({ name }: { name: string }) => name)).toEqual(["a", "b"]);
    expect((await list("prompts/list")).prompts.map(({ name }: { name: string }) => name)).toEqual(["greet", "blocked"]);
    expect((await list("resources/templates/list")).resourceTemplates.map(({ name }: { name: string }) => name)).toEqual(["n"]);
  });

  test("subscribing and completing need the permission of what they name", async () => {
    expect((await read("file:///docs/a", "resources/subscribe")).json().result).toEqual({});
    for (const uri of ["file:///etc/x", "file:///docs/hidden/c"])
      expect((await read(uri, "resources/subscribe")).json().error.code).toBe(-32002);
    const complete = (ref: string) =>
      gateway.post(`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":${ref},"argument":{"name":"a","value":"b"}}}`);
    expect((await complete('{"type":"ref/prompt","name":"greet"}')).json().result.completion.values).toEqual(["v"]);
    expect((await complete('{"type":"ref/resource","uri":"note://{x}"}')).json().result.completion.values).toEqual(["v"]);
    for (const ref of [
      '{"type":"ref/prompt","name":"hidden"}',
      '{"type":"ref/prompt","name":"blocked"}',
      '{"type":"ref/resource","uri":"file:///{x}"}',
      '{"type":"ref/resource","uri":"file:///etc/x"}',
      '{"type":"ref/prompt","name":"greet","uri":"file:///etc/x"}',
      '{"type":"ref/resource","name":"greet","uri":"note://x"}',
    ])
      expect((await complete(ref)).json().error).toBeDefined();
    expect(gateway.upstream.calls("completion/complete")).toHaveLength(2);
    expect(gateway.upstream.calls("resources/subscribe")).toHaveLength(1);
  });
});

describe("without a policy, and without a list", () => {
  test("a grant without a policy may nothing, and sees nothing", async () => {
    const gateway = await startGateway({ servers: { alpha: { policy: undefined } } });
    try {
      const entries = await gateway.during(async () => {
        const call = (await gateway.call("echo")).json().result;
        expect(call).toMatchObject({ isError: true, _meta: { "sallyport/decision": { code: "no_policy" } } });
        expect(call._meta["sallyport/decision"].rule).toBeUndefined();
      }, 1);
      expect(entries).toMatchObject([{ code: "no_policy", rule: "(no policy)", tool: "echo" }]);
      expect((await gateway.post('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')).json().result.tools).toEqual([]);
      expect(gateway.upstream.calls()).toEqual([]);
    } finally {
      await gateway.stop();
    }
  });

  test("while no list is accepted every call is unavailable, hidden or not", async () => {
    const policy = { version: "1", default: "allow", hide: ["hidden"], tools: { denied: { action: "deny" } } };
    const gateway = await startGateway({
      servers: {
        alpha: {
          policy,
          respond: (_arrived, asked) => (asked.method === "tools/list" ? { error: '{"code":-32603,"message":"not now"}' } : undefined),
        },
      },
    });
    try {
      const entries = await gateway.during(async () => {
        for (const name of ["echo", "hidden", "denied", "nobody"]) {
          const { result } = (await gateway.call(name)).json();
          expect(result).toMatchObject({ isError: true, _meta: { "sallyport/decision": { code: "unavailable" } } });
        }
      }, 4);
      expect(entries.map(({ code }) => code)).toEqual(["unavailable", "unavailable", "unavailable", "unavailable"]);
      expect(gateway.upstream.calls()).toEqual([]);
    } finally {
      await gateway.stop();
    }
  });
});
