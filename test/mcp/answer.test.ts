import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type JsonObject, toJson } from "../../src/kernel/json.ts";
import { type Answer, peekAnswerId, type ResultAnswer, skimAnswer } from "../../src/mcp/answer.ts";
import { planEdits, readAnswerMember, writeAnswer, writeEditedResult } from "../../src/mcp/relay.ts";
import { createMessageId } from "../../src/mcp/request-id.ts";
import { bytesOf, json, object, readRequest, text } from "./support.ts";

function skim(value: unknown): Answer {
  return skimAnswer(bytesOf(value));
}

function resultOf(value: unknown): ResultAnswer {
  const answer = skim(value);
  if (answer.kind !== "result") throw new Error(`not a result: ${JSON.stringify(answer)}`);
  return answer;
}

describe("answers", () => {
  it("are told apart", () => {
    expect(skim({ jsonrpc: "2.0", id: 1, result: {} })).toMatchObject({
      kind: "result",
      id: { value: 1 },
      isError: false,
      resultType: undefined,
    });
    expect(skim({ jsonrpc: "2.0", id: "a", result: { isError: true, resultType: "complete" } })).toMatchObject({
      kind: "result",
      id: { value: "a" },
      isError: true,
      resultType: "complete",
    });
    expect(skim({ jsonrpc: "2.0", id: 1, error: { code: -32602, message: "no", data: [1] } })).toMatchObject({
      kind: "error",
      code: -32602,
    });
    expect(skim({ jsonrpc: "2.0", id: null, error: { code: -32700, message: "no" } })).toMatchObject({ kind: "error", id: undefined });
    expect(skim({ jsonrpc: "2.0", error: { code: -32700, message: "no" } })).toMatchObject({ kind: "error", id: undefined });
    expect(skim({ jsonrpc: "2.0", method: "notifications/message", params: {} })).toEqual({
      kind: "notification",
      method: "notifications/message",
    });
    expect(skim({ jsonrpc: "2.0", id: 4, method: "ping" })).toEqual({ kind: "request", method: "ping" });
  });

  it("are found whatever the order and spelling of their members", () => {
    expect(skim('\n{ "result" : { "isError" : true } , "id" : 3 , "jsonrpc" : "2.0" } \r\n')).toMatchObject({
      kind: "result",
      isError: true,
    });
    expect(skim('{"jsonrpc":"\\u0032.0","\\u0069d":1,"result":{"\\u0069sError":true}}')).toMatchObject({ kind: "result", isError: true });
    expect(skim('{"jsonrpc":"2.0","id":1.0,"result":{}}')).toMatchObject({ id: { raw: "1.0", value: 1 } });
    expect(skim('{"jsonrpc":"2.0","id":-5,"result":{}}')).toMatchObject({ id: { raw: "-5", value: -5 } });
    expect(skim('{"jsonrpc":"2.0","id":123456789012,"result":{}}')).toMatchObject({ id: { value: 123456789012 } });
    expect(skim('{"jsonrpc":"2.0","id":"\\u00e9","result":{}}')).toMatchObject({ id: { raw: '"\\u00e9"', value: "é" } });
  });

  it("what is only in a result's inside does not count", () => {
    expect(skim({ jsonrpc: "2.0", id: 1, result: { structuredContent: { isError: true, resultType: "x", id: 7 } } })).toMatchObject({
      isError: false,
      resultType: undefined,
      id: { value: 1 },
    });
    expect(skim('{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"a":1,"a":2},"content":["\\ud83d"]}}')).toMatchObject({
      kind: "result",
    });
  });

  it.each([
    ["nothing", ""],
    ["a page", "<html>502</html>"],
    ["a batch", '[{"jsonrpc":"2.0","id":1,"result":{}}]'],
    ["a byte order mark", '\ufeff{"jsonrpc":"2.0","id":1,"result":{}}'],
    ["two messages", '{"jsonrpc":"2.0","id":1,"result":{}}{}'],
    ["a cut one", '{"jsonrpc":"2.0","id":1,"result":{"a":'],
    ["no version", '{"id":1,"result":{}}'],
    ["another version", '{"jsonrpc":"2","id":1,"result":{}}'],
    ["a doubled id", '{"jsonrpc":"2.0","id":1,"id":2,"result":{}}'],
    ["a doubled result", '{"jsonrpc":"2.0","id":1,"result":{},"result":{}}'],
    ["a result doubled by an escape", '{"jsonrpc":"2.0","id":1,"result":{},"\\u0072esult":{}}'],
    ["a doubled member of the result", '{"jsonrpc":"2.0","id":1,"result":{"isError":true,"isError":false}}'],
    ["Result", '{"jsonrpc":"2.0","id":1,"result":{},"Result":{}}'],
    ["ID", '{"jsonrpc":"2.0","id":1,"ID":2,"result":{}}'],
    ["iserror", '{"jsonrpc":"2.0","id":1,"result":{"iserror":true}}'],
    ["Tools", '{"jsonrpc":"2.0","id":1,"result":{"tools":[],"Tools":[]}}'],
    ["resource_templates", '{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[],"resource_templates":[]}}'],
    ["tools with a NUL", '{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools\\u0000":[]}}'],
    ["a result and an error", '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}'],
    ["a method and a result", '{"jsonrpc":"2.0","id":1,"method":"x","result":{}}'],
    ["no result", '{"jsonrpc":"2.0","id":1}'],
    ["a result without id", '{"jsonrpc":"2.0","result":{}}'],
    ["a result for null", '{"jsonrpc":"2.0","id":null,"result":{}}'],
    ["an id that is a fraction", '{"jsonrpc":"2.0","id":1.5,"result":{}}'],
    ["an id that is an object", '{"jsonrpc":"2.0","id":{},"result":{}}'],
    ["a request for null", '{"jsonrpc":"2.0","id":null,"method":"ping"}'],
    ["a result that is a list", '{"jsonrpc":"2.0","id":1,"result":[]}'],
    ["a result of null", '{"jsonrpc":"2.0","id":1,"result":null}'],
    ["an error of null", '{"jsonrpc":"2.0","id":1,"error":null}'],
    ["an error without code", '{"jsonrpc":"2.0","id":1,"error":{"message":""}}'],
    ["an error with a code as text", '{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":""}}'],
    ["an error without message", '{"jsonrpc":"2.0","id":1,"error":{"code":1}}'],
    ["isError as text", '{"jsonrpc":"2.0","id":1,"result":{"isError":"true"}}'],
    ["resultType as number", '{"jsonrpc":"2.0","id":1,"result":{"resultType":1}}'],
    ["a method that is no text", '{"jsonrpc":"2.0","method":1}'],
  ])("are invalid: %s", (_name, body) => {
    expect(skim(body)).toMatchObject({ kind: "invalid" });
  });

  const grammar = [
    "01",
    "1.",
    ".5",
    "+1",
    "-",
    "1e",
    "1e+",
    "tru",
    "True",
    "nul",
    "'a'",
    "[1,]",
    "{,}",
    '{"a":1,}',
    '{"a"}',
    "{a:1}",
    "[1 2]",
    '"\\x"',
    '"\\u00g0"',
    '"a',
    "NaN",
    "Infinity",
    "[",
    "{",
    "]",
    '"\t"',
    "//",
    "1]",
    "[}",
    "{]",
  ];
  it.each(grammar)("a result that holds %s is invalid", (value) => {
    expect(skim(`{"jsonrpc":"2.0","id":1,"result":{"a":${value}}}`)).toMatchObject({ kind: "invalid" });
  });

  it("bytes, depth, size and number of members are bounded", () => {
    const broken = Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"a":"'), Buffer.from([0xff]), Buffer.from('"}}')]);
    expect(skimAnswer(broken)).toEqual({ kind: "invalid", reason: "not UTF-8" });
    const deep = (levels: number): string => `{"jsonrpc":"2.0","id":1,"result":{"a":${"[".repeat(levels)}${"]".repeat(levels)}}}`;
    expect(skim(deep(126))).toMatchObject({ kind: "result" });
    expect(skim(deep(127))).toMatchObject({ kind: "invalid" });
    expect(skim(deep(100_000))).toMatchObject({ kind: "invalid" });
    expect(skimAnswer(bytesOf({ jsonrpc: "2.0", id: 1, result: {} }), { limitBytes: 10 })).toMatchObject({
      kind: "invalid",
      reason: "too large",
    });
    const wide = Object.fromEntries(Array.from({ length: 1025 }, (_, index) => [`k${index}`, 1]));
    expect(skim({ jsonrpc: "2.0", id: 1, result: wide })).toMatchObject({ kind: "invalid" });
  });

  it("law: accepted exactly when JSON.parse reads it, and with the same members", () => {
    fc.assert(
      fc.property(json, fc.nat(), fc.option(fc.constantFrom(...'{}[],:"\\0-.e+tn \u0000')), (value, place, mark) => {
        let inner = JSON.stringify(value);
        if (mark !== null) inner = inner.slice(0, place % (inner.length + 1)) + mark + inner.slice(place % (inner.length + 1));
        const answer = skim(`{"jsonrpc":"2.0","id":1,"result":{"x":[${inner}],"isError":false}}`);
        let members: string[] | undefined;
        try {
          members = Object.keys((JSON.parse(`{"r":{"x":[${inner}],"isError":false}}`) as { r: object }).r);
        } catch {
          members = undefined;
        }
        expect(answer.kind === "result" ? [...answer.members.keys()] : undefined).toEqual(members);
      }),
      { numRuns: 1000 },
    );
  });

  it("law: spans are the members' own texts", () => {
    fc.assert(
      fc.property(object, fc.constantFrom("", " ", "\n\t"), (members, indent) => {
        const named = Object.fromEntries(Object.entries(members).map(([key, value]) => [`x-${key}`, value]));
        const bytes = bytesOf(JSON.stringify({ jsonrpc: "2.0", id: 1, result: named }, null, indent));
        const answer = skimAnswer(bytes);
        if (answer.kind !== "result") throw new Error("invalid");
        expect(JSON.parse(bytes.subarray(answer.result.start, answer.result.end).toString())).toEqual(JSON.parse(JSON.stringify(named)));
        for (const [name, span] of answer.members) {
          expect(JSON.parse(bytes.subarray(span.start, span.end).toString())).toEqual(JSON.parse(JSON.stringify(named))[name]);
          expect(bytes[span.key]).toBe(34);
        }
      }),
    );
  });
});

describe("the id of an answer that is not all there", () => {
  it.each([
    ['{"jsonrpc":"2.0","id":7,"result":{"content":[{"te', 7],
    ['{"id":"a","jsonrpc"', "a"],
    ['{"jsonrpc":"2.0","id":7', undefined],
    ['{"jsonrpc":"2.0","id":"a', undefined],
    ['{"jsonrpc":"2.0","result":{"id":9,"content":[{"te', undefined],
    ["<html>", undefined],
    ["", undefined],
  ])("%s", (head, id) => {
    expect(peekAnswerId(Buffer.from(head))?.value).toBe(id);
  });
});

describe("answers for a client", () => {
  it("hold the result byte for byte under the id as the client wrote it", () => {
    const bytes = bytesOf('{ "id" : 900, "result" : { "content":[ ],"n":1.0e0,"t":"\\u00e9é" }, "jsonrpc":"2.0" }');
    const id = readRequest('{"jsonrpc":"2.0","id":"\\u0061é","method":"x"}').id;
    expect(writeAnswer(id, resultOf(bytes.toString()), bytes).toString()).toBe(
      '{"jsonrpc":"2.0","id":"\\u0061é","result":{ "content":[ ],"n":1.0e0,"t":"\\u00e9é" }}',
    );
    const failed = bytesOf('{"jsonrpc":"2.0","id":900,"error":{ "code":-1, "message":"no","data":{"x":1.0} }}');
    const error = skimAnswer(failed);
    if (error.kind !== "error") throw new Error("not an error");
    expect(writeAnswer(id, error, failed).toString()).toBe(
      '{"jsonrpc":"2.0","id":"\\u0061é","error":{ "code":-1, "message":"no","data":{"x":1.0} }}',
    );
  });

  it("take single members in, in place or out, and leave the others as they were", () => {
    const bytes = bytesOf('{"jsonrpc":"2.0","id":1,"result":{ "a" : 1.0 , "b":2,"c" : [ 1 ] }}');
    const write = (edits: object): string => writeEditedResult(createMessageId(5), resultOf(bytes.toString()), bytes, edits).toString();
    expect(write({ set: { b: '"x"', d: "true" }, remove: ["c"] })).toBe('{"jsonrpc":"2.0","id":5,"result":{"a" : 1.0,"b":"x","d":true}}');
    expect(write({ remove: ["a", "b", "c"] })).toBe('{"jsonrpc":"2.0","id":5,"result":{}}');
    expect(write({})).toBe('{"jsonrpc":"2.0","id":5,"result":{"a" : 1.0,"b":2,"c" : [ 1 ]}}');
    const empty = bytesOf('{"jsonrpc":"2.0","id":1,"result":{ }}');
    expect(writeEditedResult(createMessageId(5), resultOf(empty.toString()), empty, { set: { a: "1" } }).toString()).toBe(
      '{"jsonrpc":"2.0","id":5,"result":{"a":1}}',
    );
  });

  it("say what the client's era wants said", () => {
    const serverInfo = toJson({ name: "sallyport", version: "0" }) as JsonObject;
    const edit = (result: object, edits: Parameters<typeof planEdits>[2]): unknown => {
      const bytes = bytesOf({ jsonrpc: "2.0", id: 1, result });
      const answer = resultOf({ jsonrpc: "2.0", id: 1, result });
      const plan = planEdits(answer, bytes, edits);
      if (!plan) return "as it is";
      return (JSON.parse(writeEditedResult(createMessageId(1), answer, bytes, plan).toString()) as { result: unknown }).result;
    };
    const hop = { "io.modelcontextprotocol/subscriptionId": "1" };
    expect(edit({ content: [], _meta: hop }, { from: "modern", to: "legacy" })).toEqual({ content: [] });
    expect(edit({ content: [], resultType: "complete", _meta: hop }, { from: "modern", to: "modern" })).toBe("as it is");
    const theirs = { "io.modelcontextprotocol/serverInfo": { name: "u", version: "1" }, "com.example/x": 1 };
    expect(edit({ content: [], resultType: "odd" }, { from: "legacy", to: "legacy" })).toBe("as it is");
    expect(edit({ content: [] }, { from: "legacy", to: "modern" })).toEqual({ content: [], resultType: "complete" });
    expect(edit({ content: [], _meta: theirs }, { from: "legacy", to: "modern", serverInfo })).toEqual({
      content: [],
      resultType: "complete",
      _meta: { "com.example/x": 1, "io.modelcontextprotocol/serverInfo": { name: "sallyport", version: "0" } },
    });
    expect(edit({ content: [], resultType: "input_required" }, { from: "modern", to: "modern" })).toBe("as it is");
    expect(
      edit(
        { tools: [], ttlMs: 5, cacheScope: "public", resultType: "complete" },
        { from: "modern", to: "modern", cache: { ttlMs: 0, cacheScope: "private" } },
      ),
    ).toEqual({ tools: [], ttlMs: 0, cacheScope: "private", resultType: "complete" });
    expect(
      edit({ tools: [], ttlMs: 5, cacheScope: "public", resultType: "complete", _meta: theirs }, { from: "modern", to: "legacy" }),
    ).toEqual({
      tools: [],
      _meta: { "com.example/x": 1 },
    });
    expect(edit({ tools: [], _meta: { "io.modelcontextprotocol/serverInfo": {} } }, { from: "modern", to: "legacy" })).toEqual({
      tools: [],
    });
  });

  it("a member is read as a value, or not at all", () => {
    const bytes = bytesOf('{"jsonrpc":"2.0","id":1,"result":{"a":{"x":1},"b":{"x":1,"x":2}}}');
    const answer = resultOf(bytes.toString());
    expect(readAnswerMember(answer, bytes, "a")).toEqual({ x: 1 });
    expect(readAnswerMember(answer, bytes, "b")).toBeUndefined();
    expect(readAnswerMember(answer, bytes, "c")).toBeUndefined();
  });

  it("law: an edit changes what it names and nothing else", () => {
    fc.assert(
      fc.property(object, json, fc.subarray(["x-a", "x-b", "x-c"]), text, (members, value, remove, id) => {
        const result = { ...Object.fromEntries(Object.entries(members).map(([key, inner]) => [`x-${key}`, inner])), "x-a": 1, "x-b": 2 };
        const bytes = bytesOf({ jsonrpc: "2.0", id: 1, result });
        const answer = resultOf({ jsonrpc: "2.0", id: 1, result });
        const written = writeEditedResult(createMessageId(id), answer, bytes, { set: { set: JSON.stringify(value) }, remove });
        const expected: Record<string, unknown> = { ...result, set: value };
        for (const name of remove) delete expected[name];
        expect(JSON.parse(written.toString())).toEqual(JSON.parse(JSON.stringify({ jsonrpc: "2.0", id, result: expected })));
      }),
    );
  });
});
