import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { printJson } from "../../src/kernel/json.ts";
import { readMessage, sliceOf } from "../../src/mcp/message.ts";
import { isRefusal, type Refusal } from "../../src/mcp/refusal.ts";
import { keyOfId } from "../../src/mcp/request-id.ts";
import { bytesOf, json, LIMITS, object, read, readRequest, text } from "./support.ts";

function refusalOf(value: unknown): Refusal {
  const message = read(value);
  if (!isRefusal(message)) throw new Error(`accepted: ${JSON.stringify(value)}`);
  return message;
}

const P = '"params":{"name":"a","arguments":{}}';

describe("what is refused", () => {
  const cases: readonly [string, string, number, number][] = [
    ["an empty body", "", -32700, 400],
    ["white space alone", " \n ", -32700, 400],
    ["a text", '"x"', -32700, 400],
    ["a cut object", '{"jsonrpc":"2.0","id":1', -32700, 400],
    ["something behind it", '{"jsonrpc":"2.0","id":1,"method":"ping"}{}', -32700, 400],
    ["two lines", '{"jsonrpc":"2.0","id":1,"method":"ping"}\n{"jsonrpc":"2.0","id":2,"method":"ping"}', -32700, 400],
    ["a byte order mark", '\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}', -32700, 400],
    ["NaN", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":NaN}}}`, -32700, 400],
    [
      "a number beyond doubles",
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1e400}}}`,
      -32700,
      400,
    ],
    ["a lone surrogate", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\ud800"}}`, -32700, 400],
    ["a raw line break in a text", `{"jsonrpc":"2.0","id":1,"method":"a\nb"}`, -32700, 400],
    ["a comment", `{"jsonrpc":"2.0","id":1,"method":"ping"/**/}`, -32700, 400],
    ["a doubled method", '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"ping"}', -32700, 400],
    ["a doubled params", `{"jsonrpc":"2.0","id":1,"method":"tools/call",${P},${P}}`, -32700, 400],
    ["a doubled name", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"safe","name":"danger"}}', -32700, 400],
    ["a doubled argument", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"x":2}}}', -32700, 400],
    ["a key doubled by an escape", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","\\u006eame":"b"}}', -32700, 400],
    ["a batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, -32600, 400],
    ["a batch of two", `[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]`, -32600, 400],
    ["an empty batch", "[]", -32600, 400],
    ["a batch behind white space", " \r\n\t[]", -32600, 400],
    ["no version", '{"id":1,"method":"ping"}', -32600, 400],
    ["version 1.0", '{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, 400],
    ["a version as number", '{"jsonrpc":2.0,"id":1,"method":"ping"}', -32600, 400],
    ["no method", '{"jsonrpc":"2.0","id":1}', -32600, 400],
    ["an empty method", '{"jsonrpc":"2.0","id":1,"method":""}', -32600, 400],
    ["a method that is no text", '{"jsonrpc":"2.0","id":1,"method":["ping"]}', -32600, 400],
    ["a null method", '{"jsonrpc":"2.0","id":1,"method":null}', -32600, 400],
    ["params as list", '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32600, 400],
    ["params null", '{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', -32600, 400],
    ["params as text", '{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}', -32600, 400],
    ["method and result", '{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}', -32600, 400],
    ["method and error", '{"jsonrpc":"2.0","id":1,"method":"ping","error":{"code":1,"message":""}}', -32600, 400],
    ["result and error", '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}', -32600, 400],
    ["a result and params", '{"jsonrpc":"2.0","id":1,"result":{},"params":{}}', -32600, 400],
    ["a result without id", '{"jsonrpc":"2.0","result":{}}', -32600, 400],
    ["a result for null", '{"jsonrpc":"2.0","id":null,"result":{}}', -32600, 400],
    ["a result that is a list", '{"jsonrpc":"2.0","id":1,"result":[]}', -32600, 400],
    ["an error without message", '{"jsonrpc":"2.0","id":1,"error":{"code":1}}', -32600, 400],
    ["an error with a fraction", '{"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":""}}', -32600, 400],
    ["meta as list", '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":[]}}', -32600, 400],
    ["a progress token of null", '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"progressToken":null}}}', -32600, 400],
    ["a progress token of 1.5", '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"progressToken":1.5}}}', -32600, 400],
  ];
  it.each(cases)("%s", (_name, body, code, status) => {
    expect(refusalOf(body)).toMatchObject({ code, status });
  });

  it.each(["null", "true", "1.5", "1e-1", "[]", "{}", "9007199254740993", "-9007199254740993", "1e300", `"${"x".repeat(257)}"`])(
    "the id %s",
    (id) => {
      expect(refusalOf(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`)).toMatchObject({ code: -32600, status: 400, id: undefined });
    },
  );

  it("bytes that are not UTF-8", () => {
    const bytes = Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
    expect(readMessage(bytes, LIMITS)).toMatchObject({ kind: "refusal", code: -32700, detail: "not_utf8" });
    const overlong = Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]);
    expect(readMessage(overlong, LIMITS)).toMatchObject({ detail: "not_utf8" });
  });

  it("a body over the limit, before it is read", () => {
    expect(readMessage(Buffer.from("x".repeat(11)), { bodyLimitBytes: 10 })).toMatchObject({ status: 413, code: -32600 });
  });

  it("nesting over the limit", () => {
    const deep = (levels: number): string =>
      `{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":${"[".repeat(levels)}${"]".repeat(levels)}}}`;
    expect(read(deep(126))).toMatchObject({ kind: "request" });
    expect(refusalOf(deep(127))).toMatchObject({ code: -32700 });
    expect(refusalOf(deep(100_000))).toMatchObject({ code: -32700 });
  });

  it("tells the id where it is beyond doubt, else none", () => {
    expect(refusalOf('{"jsonrpc":"1.0","id":"a","method":"ping"}').id).toEqual({ raw: '"a"', value: "a" });
    expect(refusalOf('{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}').id).toEqual({ raw: "7", value: 7 });
    expect(refusalOf('{"jsonrpc":"2.0","id":7,"ID":8,"method":"ping"}').id).toBeUndefined();
    expect(refusalOf('{"jsonrpc":"2.0","id":7,"id":7,"method":"ping"}').id).toBeUndefined();
  });

  it("says nothing of what the message held", () => {
    fc.assert(
      fc.property(text, (secret) => {
        fc.pre(secret.length > 6);
        const refusal = refusalOf({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: secret, Name: secret } });
        expect(refusal.message + refusal.detail).not.toContain(secret);
      }),
    );
  });
});

describe("keys that another parser may take for the protocol's", () => {
  const spellings = (key: string): string[] => [
    key.toUpperCase(),
    key.charAt(0).toUpperCase() + key.slice(1),
    `${key}\u0000`,
    `\u0000${key}`,
    `${key}\u0000suffix`,
    `${key.toUpperCase()}\u0000`,
    ` ${key}`,
    `${key} `,
    `${key}\t`,
    `\u00a0${key}`,
    `${key}\ufeff`,
    `\u200b${key}`,
    key.replace("s", "\u017f"),
    key.replace("k", "\u212a"),
    key.replace("a", "\uff41"),
    key.replace("e", "\uff45"),
    key.replace("i", "\u0131"),
  ];
  const top = ["jsonrpc", "id", "method", "params", "result", "error"];
  const inParams = [
    "name",
    "uri",
    "arguments",
    "cursor",
    "taskId",
    "_meta",
    "requestState",
    "inputResponses",
    "ref",
    "argument",
    "level",
    "task",
  ];

  it.each(top)("of the envelope: %s", (key) => {
    for (const spelling of spellings(key).filter((spelled) => spelled !== key)) {
      const body = `{"jsonrpc":"2.0","id":1,"method":"ping",${JSON.stringify(spelling)}:{}}`;
      expect(refusalOf(body)).toMatchObject({ code: -32600, status: 400, id: undefined });
    }
  });

  it.each(inParams)("of params: %s", (key) => {
    for (const spelling of spellings(key).filter((spelled) => spelled !== key)) {
      const body = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { [spelling]: "x" } };
      expect(refusalOf(body)).toMatchObject({ code: -32600, detail: "key_variant" });
    }
  });

  it("in another naming style", () => {
    for (const key of ["request_state", "input_responses", "task_id", "meta", "Request-State"]) {
      expect(refusalOf({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { [key]: "x" } })).toMatchObject({
        detail: "key_variant",
      });
    }
  });

  it("inside of _meta, ref, argument and a filter", () => {
    for (const params of [
      { _meta: { ProgressToken: 1 } },
      { _meta: { "IO.modelcontextprotocol/protocolVersion": "2026-07-28" } },
      { ref: { type: "ref/prompt", name: "a", Name: "b" } },
      { argument: { name: "a", value: "b", VALUE: "c" } },
      { notifications: { ToolsListChanged: true } },
    ]) {
      expect(refusalOf({ jsonrpc: "2.0", id: 1, method: "x", params })).toMatchObject({ detail: "key_variant" });
    }
  });

  it("but unknown keys pass, and arguments are the tool's own", () => {
    expect(read({ jsonrpc: "2.0", id: 1, method: "x", extra: 1, params: { other: 1, arguments: { Name: 1, name: 2 } } })).toMatchObject({
      kind: "request",
    });
  });
});

describe("what is read", () => {
  it("a request, a notification, an answer", () => {
    expect(read({ jsonrpc: "2.0", id: 1, method: "ping" })).toMatchObject({ kind: "request", method: "ping", params: undefined });
    expect(read({ jsonrpc: "2.0", method: "notifications/initialized" })).toMatchObject({ kind: "notification" });
    expect(read({ jsonrpc: "2.0", id: "a", result: { ok: true } })).toMatchObject({ kind: "response", error: undefined });
    expect(read({ jsonrpc: "2.0", id: "a", error: { code: -1, message: "no" } })).toMatchObject({ kind: "response", result: undefined });
  });

  it.each([
    ["0", 0],
    ["-0", 0],
    ["1.0", 1],
    ["1e2", 100],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ["-9007199254740991", Number.MIN_SAFE_INTEGER],
    ['""', ""],
    ['"\\u0061"', "a"],
    ['"é"', "é"],
  ])("the id %s keeps its spelling", (raw, value) => {
    const request = readRequest(`{"jsonrpc":"2.0", "id" : ${raw} ,"method":"ping"}`);
    expect(request.id).toEqual({ raw, value });
  });

  it("two spellings of one id have one key, a number and a text have two", () => {
    const keyOf = (raw: string): string => keyOfId(readRequest(`{"jsonrpc":"2.0","id":${raw},"method":"ping"}`).id);
    expect(keyOf("1.0")).toBe(keyOf("1"));
    expect(keyOf("-0")).toBe(keyOf("0"));
    expect(keyOf('"\\u0061"')).toBe(keyOf('"a"'));
    expect(keyOf('"1"')).not.toBe(keyOf("1"));
  });

  it("slices are what was written", () => {
    const request = readRequest(
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{ "name":"a" , "arguments" : { "x" : 1.0e0,"y":"\\u00e9é" } }}',
    );
    expect(sliceOf(request.source, "/params/arguments")).toBe('{ "x" : 1.0e0,"y":"\\u00e9é" }');
    expect(sliceOf(request.source, "/params/cursor")).toBeUndefined();
  });

  it("`__proto__` and `constructor` are keys like any other", () => {
    const request = readRequest(
      '{"jsonrpc":"2.0","id":1,"method":"x","params":{"arguments":{"__proto__":{"admin":true},"constructor":1}}}',
    );
    expect(Object.keys(request.params?.["arguments"] as object)).toEqual(["__proto__", "constructor"]);
  });

  it("law: what is accepted is read as JSON.parse reads it", () => {
    fc.assert(
      fc.property(object, fc.oneof(fc.integer(), text), fc.constantFrom("", " ", "\n  "), (args, id, indent) => {
        const body = JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name: "t", arguments: args } }, null, indent);
        const message = read(body);
        expect(message).toMatchObject({ kind: "request" });
        if (isRefusal(message) || message.kind !== "request") return;
        const parsed = JSON.parse(body) as { id: unknown; params: unknown };
        expect(JSON.parse(printJson(message.params ?? {}))).toEqual(parsed.params);
        expect(message.id.value).toBe(Object.is(parsed.id, -0) ? 0 : parsed.id);
      }),
      { numRuns: 300 },
    );
  });

  it("law: bytes of any kind are accepted or refused, never thrown at", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        const bytes = Buffer.concat([Buffer.from('{"jsonrpc":"2.0",'), noise, Buffer.from("}")]);
        const message = readMessage(bytes, LIMITS);
        expect(["refusal", "request", "notification", "response"]).toContain(message.kind);
      }),
    );
  });

  it("law: a mutated message that is still accepted is still JSON to others", () => {
    fc.assert(
      fc.property(json, fc.nat(), fc.nat({ max: 255 }), (args, place, byte) => {
        const bytes = bytesOf({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t", arguments: { args } } });
        bytes[place % bytes.length] = byte;
        const message = readMessage(bytes, LIMITS);
        if (isRefusal(message) || message.kind !== "request") return;
        const parsed = JSON.parse(bytes.toString("utf8")) as { method: string; params?: { name?: string } };
        expect(message.method).toBe(parsed.method);
        expect(message.params?.["name"]).toBe(parsed.params?.name);
      }),
      { numRuns: 500 },
    );
  });
});
