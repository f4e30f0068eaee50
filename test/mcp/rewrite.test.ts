import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isJsonObject, type JsonObject, toJson } from "../../src/kernel/json.ts";
import { readMessage, sliceOf } from "../../src/mcp/message.ts";
import { readProgressToken } from "../../src/mcp/meta.ts";
import { writeForwarded, writeNotification, writeRelayed, writeRelayedResponse, writeRequest } from "../../src/mcp/rewrite.ts";
import { call, LIMITS, object, read, readNotification, readRequest, text } from "./support.ts";

const ENVELOPE = {
  protocolVersion: "2026-07-28",
  clientCapabilities: toJson({}) as JsonObject,
  clientInfo: toJson({ name: "sallyport", version: "0" }) as JsonObject,
};

describe("a request that is sent on", () => {
  it("holds the arguments byte for byte, under an id of its own", () => {
    const args = '{ "n" : 12345678901234567890, "x":1.0,"e":1e2 ,\n "t":"\\u00e9é\\/" }';
    const request = readRequest(`{"jsonrpc":"2.0","id":"c-1","method":"tools/call","params":{"arguments":${args},"name":"t"}}`);
    expect(writeForwarded(request, { id: 7 }).toString()).toBe(
      `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"arguments":${args},"name":"t"}}`,
    );
  });

  it("is written anew around them: white space, unknown envelope keys and escapes of keys do not go on", () => {
    const request = readRequest('{ "extra":1, "jsonrpc" : "2.0","id":1,"method":"tools\\/call","params" : { "\\u006eame" : "a" } }');
    expect(writeForwarded(request, { id: 2 }).toString()).toBe('{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"a"}}');
  });

  it("tells of _meta only trace and progress", () => {
    const meta = {
      progressToken: "p",
      traceparent: "00-1-2-01",
      tracestate: "a=b",
      baggage: "k=v",
      "com.example/secret": 1,
      "com.example/wanted": { a: 1 },
      "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" },
      "io.modelcontextprotocol/serverInfo": { name: "c", version: "1" },
      TraceParent: "x",
    };
    delete (meta as Record<string, unknown>)["TraceParent"];
    const request = readRequest(call("t", {}, { _meta: meta }));
    const metaOf = (bytes: Buffer): unknown => (JSON.parse(bytes.toString()) as { params: { _meta?: unknown } }).params._meta;
    expect(metaOf(writeForwarded(request, { id: 1 }))).toEqual({
      progressToken: "p",
      traceparent: "00-1-2-01",
      tracestate: "a=b",
      baggage: "k=v",
    });
    const extraKeys = ["com.example/wanted", "io.modelcontextprotocol/clientInfo", "progressToken", "traceparent", "absent"];
    expect(metaOf(writeForwarded(request, { id: 1, meta: { extraKeys, progressToken: 12 } }))).toEqual({
      progressToken: 12,
      traceparent: "00-1-2-01",
      tracestate: "a=b",
      baggage: "k=v",
      "com.example/wanted": { a: 1 },
    });
    expect(metaOf(writeForwarded(request, { id: 1, meta: { progressToken: null } }))).not.toHaveProperty("progressToken");
    expect(metaOf(writeForwarded(request, { id: 1, meta: { envelope: { ...ENVELOPE, logLevel: "error" } } }))).toMatchObject({
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
      "io.modelcontextprotocol/clientInfo": { name: "sallyport", version: "0" },
      "io.modelcontextprotocol/logLevel": "error",
    });
  });

  it("invents no progress token, and none but the client's spelling of it", () => {
    expect(writeForwarded(readRequest(call("t", {})), { id: 1, meta: { progressToken: "p" } }).toString()).not.toContain("progressToken");
    const request = readRequest('{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"progressToken":1.0}}}');
    expect(readProgressToken(request)).toEqual({ raw: "1.0", value: 1 });
    expect(writeForwarded(request, { id: 1 }).toString()).toContain('"progressToken":1.0');
  });

  it("leaves out what continues a call, and tasks, unless it is named", () => {
    const request = readRequest(call("t", {}, { requestState: "s", inputResponses: { a: 1.5 }, task: { ttl: 1 } }));
    expect(writeForwarded(request, { id: 1 }).toString()).toBe(
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{}}}',
    );
    const kept = writeForwarded(request, { id: 1, keep: ["inputResponses"], set: { requestState: "theirs" } }).toString();
    expect(JSON.parse(kept)).toMatchObject({ params: { inputResponses: { a: 1.5 }, requestState: "theirs" } });
    expect(kept).not.toContain("task");
  });

  it("takes another name or cursor, and leaves a member out", () => {
    const request = readRequest(call("files__read", { a: 1 }, { cursor: "ours" }));
    const sent = JSON.parse(writeForwarded(request, { id: 1, set: { name: "read" }, omit: ["cursor"] }).toString()) as { params: unknown };
    expect(sent.params).toEqual({ name: "read", arguments: { a: 1 } });
  });

  it("has no params where the client gave none, but a modern server gets its envelope", () => {
    const request = readRequest({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    expect(writeForwarded(request, { id: 1 }).toString()).toBe('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
    expect(JSON.parse(writeForwarded(request, { id: 1, meta: { envelope: ENVELOPE } }).toString())).toHaveProperty("params._meta");
  });

  it("law: every other reader finds in it the value that was judged", () => {
    fc.assert(
      fc.property(text, object, object, fc.constantFrom("", "\t", "\n"), (name, args, extra, indent) => {
        const params = { ...Object.fromEntries(Object.entries(extra).map(([key, value]) => [`x-${key}`, value])), name, arguments: args };
        const source = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }, null, indent);
        const message = read(source);
        if (message.kind !== "request") throw new Error("refused");
        const sent = writeForwarded(message, { id: 2 });
        const again = readMessage(sent, LIMITS);
        if (again.kind !== "request") throw new Error("not readable again");
        expect(again.params).toEqual(message.params);
        expect(JSON.parse(sent.toString())).toEqual({
          jsonrpc: "2.0",
          id: 2,
          method: "tools/call",
          params: JSON.parse(JSON.stringify(params)) as unknown,
        });
        expect(sliceOf(again.source, "/params/arguments")).toBe(sliceOf(message.source, "/params/arguments"));
      }),
      { numRuns: 300 },
    );
  });
});

describe("what a server says, for a client", () => {
  it("keeps its params and foreign _meta, without what speaks of the server's hop", () => {
    const progress = readNotification({
      jsonrpc: "2.0",
      method: "notifications/progress",
      params: { progressToken: 9, progress: 0.5, _meta: { "com.example/x": 1, "io.modelcontextprotocol/subscriptionId": 3 } },
    });
    expect(
      JSON.parse(
        writeRelayed(progress, { set: { progressToken: "p" }, meta: { "io.modelcontextprotocol/subscriptionId": "mine" } }).toString(),
      ),
    ).toEqual({
      jsonrpc: "2.0",
      method: "notifications/progress",
      params: { progress: 0.5, progressToken: "p", _meta: { "com.example/x": 1, "io.modelcontextprotocol/subscriptionId": "mine" } },
    });
    const bare = readNotification({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
    expect(writeRelayed(bare).toString()).toBe('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}');
  });

  it("asks under a new id, and is answered under its own", () => {
    const asked = readRequest('{"jsonrpc":"2.0","id":1.0,"method":"elicitation/create","params":{"message":"?"}}');
    expect(writeRelayed(asked, { id: "g-1" }).toString()).toBe(
      '{"jsonrpc":"2.0","id":"g-1","method":"elicitation/create","params":{"message":"?"}}',
    );
    expect(() => writeRelayed(asked)).toThrow("under a new id");
    const answer = read('{"jsonrpc":"2.0","id":"g-1","result":{ "action":"accept","content":{"n":1.0} }}');
    if (answer.kind !== "response") throw new Error("not an answer");
    expect(writeRelayedResponse(answer, asked.id).toString()).toBe(
      '{"jsonrpc":"2.0","id":1.0,"result":{ "action":"accept","content":{"n":1.0} }}',
    );
    const failed = read('{"jsonrpc":"2.0","id":"g-1","error":{"code":-1,"message":"no"}}');
    if (failed.kind !== "response") throw new Error("not an answer");
    expect(writeRelayedResponse(failed, asked.id).toString()).toBe('{"jsonrpc":"2.0","id":1.0,"error":{"code":-1,"message":"no"}}');
  });

  it("the gateway's own requests and notifications are strict themselves", () => {
    const params = toJson({ protocolVersion: "2025-11-25" });
    if (!isJsonObject(params)) throw new Error("not an object");
    expect(readMessage(writeRequest(1, "initialize", params), LIMITS)).toMatchObject({ kind: "request", method: "initialize" });
    expect(readMessage(writeNotification("notifications/initialized"), LIMITS)).toMatchObject({ kind: "notification", params: undefined });
  });
});
