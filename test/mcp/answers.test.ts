import { describe, expect, it } from "vitest";
import { type JsonObject, toJson } from "../../src/kernel/json.ts";
import { skimAnswer } from "../../src/mcp/answer.ts";
import {
  writeDeniedCall,
  writeDeniedRequest,
  writeError,
  writeFailedCall,
  writeInternalError,
  writePendingCall,
  writeRefusal,
  writeResult,
  writeUnknownPrompt,
  writeUnknownResource,
  writeUnknownTool,
} from "../../src/mcp/answers.ts";
import { isRefusal, refuseMethod, statusOfError } from "../../src/mcp/refusal.ts";
import { createMessageId } from "../../src/mcp/request-id.ts";
import { read, readRequest } from "./support.ts";

const id = createMessageId(3);
const LEGACY = { era: "legacy" } as const;
const MODERN = { era: "modern", serverInfo: toJson({ name: "sallyport", version: "0" }) as JsonObject } as const;
const DENIAL = { id: "d1", code: "denied", rule: "/tools/a~1b/deny_if/0", message: "Refunds over 100 need a person." };

describe("answers of the gateway's own", () => {
  it("a denied call is a result that the agent can act on", () => {
    expect(writeDeniedCall(id, DENIAL, LEGACY).toString()).toBe(
      '{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"[POLICY DENIED] Refunds over 100 need a person."}],"isError":true,' +
        '"_meta":{"sallyport/decision":{"id":"d1","code":"denied","rule":"/tools/a~1b/deny_if/0"}}}}',
    );
    expect(
      JSON.parse(writeDeniedCall(id, { id: "d", code: "limit_exceeded", retryAfterMs: 1500, message: "m" }, MODERN).toString()),
    ).toEqual({
      jsonrpc: "2.0",
      id: 3,
      result: {
        resultType: "complete",
        content: [{ type: "text", text: "[POLICY DENIED] m" }],
        isError: true,
        _meta: {
          "sallyport/decision": { id: "d", code: "limit_exceeded", retryAfterMs: 1500 },
          "io.modelcontextprotocol/serverInfo": { name: "sallyport", version: "0" },
        },
      },
    });
  });

  it("a denied prompt or resource is an error with the decision", () => {
    expect(JSON.parse(writeDeniedRequest(id, DENIAL).toString())).toMatchObject({
      id: 3,
      error: { code: -32602, data: { "sallyport/decision": { id: "d1", code: "denied", rule: "/tools/a~1b/deny_if/0" } } },
    });
  });

  it("a call that waits is no error", () => {
    const pending = { approval: "a1", expiresAt: "2026-01-01T00:00:00Z", url: "http://g/approvals/a1", message: "Waiting." };
    const told = JSON.parse(writePendingCall(id, pending, LEGACY).toString()) as { result: Record<string, unknown> };
    expect(told.result).toEqual({
      content: [{ type: "text", text: "Waiting." }],
      _meta: {
        "sallyport/approval": { status: "pending", approval: "a1", expiresAt: "2026-01-01T00:00:00Z", url: "http://g/approvals/a1" },
      },
    });
  });

  it("what is unknown is told in the client's era", () => {
    expect(JSON.parse(writeUnknownTool(id, 'a"b').toString())).toEqual({
      jsonrpc: "2.0",
      id: 3,
      error: { code: -32602, message: 'Unknown tool: a"b' },
    });
    expect(JSON.parse(writeUnknownPrompt(id, "p").toString())).toMatchObject({ error: { code: -32602 } });
    expect(JSON.parse(writeUnknownResource(id, "a://b", "legacy").toString())).toMatchObject({
      error: { code: -32002, data: { uri: "a://b" } },
    });
    expect(JSON.parse(writeUnknownResource(id, "a://b", "modern").toString())).toMatchObject({ error: { code: -32602 } });
  });

  it("are strict themselves", () => {
    for (const bytes of [
      writeDeniedCall(id, DENIAL, MODERN),
      writeDeniedRequest(id, DENIAL),
      writeFailedCall(id, "no\nway \u0000", LEGACY),
      writeResult(id, {}, MODERN),
      writeError(id, -32000, "x", ["d"]),
      writeInternalError(id),
      writeInternalError(undefined),
    ]) {
      expect(skimAnswer(bytes).kind).not.toBe("invalid");
    }
  });

  it("a refusal is answered under the id as it was spelled, or null", () => {
    const named = read('{"jsonrpc":"2.0","id":"\\u0061","method":"x","params":[]}');
    const unnamed = read("[]");
    if (!isRefusal(named) || !isRefusal(unnamed)) throw new Error("accepted");
    expect(writeRefusal(named).toString()).toContain('"id":"\\u0061","error":{"code":-32600');
    expect(writeRefusal(unnamed).toString()).toContain('"id":null,"error":{"code":-32600');
    expect(writeResult(readRequest('{"jsonrpc":"2.0","id":1.0,"method":"ping"}').id, {}, LEGACY).toString()).toBe(
      '{"jsonrpc":"2.0","id":1.0,"result":{}}',
    );
  });

  it.each([
    [-32601, 404],
    [-32700, 400],
    [-32600, 400],
    [-32020, 400],
    [-32021, 400],
    [-32022, 400],
    [-32602, 200],
    [-32603, 200],
    [-32042, 200],
    [-32002, 200],
    [1, 200],
  ])("the error %i has the status %i on modern, 200 on legacy", (code, status) => {
    expect(statusOfError(code, "modern")).toBe(status);
    expect(statusOfError(code, "legacy")).toBe(200);
  });

  it("an unknown method", () => {
    expect(refuseMethod(id, "modern")).toMatchObject({ code: -32601, status: 404 });
    expect(refuseMethod(id, "legacy")).toMatchObject({ code: -32601, status: 200 });
  });
});
