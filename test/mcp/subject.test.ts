import { describe, expect, it } from "vitest";
import type { Judgement } from "../../src/mcp/methods.ts";
import { readInitialize, readRound, readSubject } from "../../src/mcp/subject.ts";
import { readRequest } from "./support.ts";

function subjectOf(judgement: Exclude<Judgement, "refused">, params?: object): unknown {
  return readSubject(readRequest({ jsonrpc: "2.0", id: 5, method: "x", ...(params === undefined ? {} : { params }) }), judgement);
}

describe("what a request is about", () => {
  it("is read by its judgement", () => {
    expect(subjectOf("tool_call", { name: "t", arguments: { a: 1 } })).toMatchObject({ kind: "tool_call", name: "t", args: { a: 1 } });
    expect(subjectOf("tool_call", { name: "t" })).toMatchObject({ kind: "tool_call", args: {} });
    expect(subjectOf("prompt_get", { name: "p" })).toMatchObject({ kind: "prompt_get", name: "p" });
    expect(subjectOf("resource_read", { uri: "a://b" })).toEqual({ kind: "resource_read", uri: "a://b" });
    expect(subjectOf("subscribe", { uri: "a://b" })).toEqual({ kind: "subscribe", uri: "a://b" });
    expect(subjectOf("tool_list")).toEqual({ kind: "tool_list", cursor: undefined });
    expect(subjectOf("tool_list", { cursor: "" })).toEqual({ kind: "tool_list", cursor: "" });
    expect(subjectOf("completion", { ref: { type: "ref/prompt", name: "p" }, argument: { name: "a", value: "b" } })).toMatchObject({
      prompt: "p",
    });
    expect(subjectOf("completion", { ref: { type: "ref/resource", uri: "a://{b}" }, argument: { name: "b", value: "" } })).toMatchObject({
      uri: "a://{b}",
    });
    expect(subjectOf("listen", { notifications: { toolsListChanged: true, resourceSubscriptions: ["a://b"] } })).toEqual({
      kind: "listen",
      filter: { toolsListChanged: true, promptsListChanged: false, resourcesListChanged: false, resourceSubscriptions: ["a://b"] },
    });
    expect(subjectOf("plain")).toEqual({ kind: "plain" });
  });

  it.each<[Exclude<Judgement, "refused">, object | undefined]>([
    ["tool_call", undefined],
    ["tool_call", {}],
    ["tool_call", { name: "" }],
    ["tool_call", { name: 1 }],
    ["tool_call", { name: ["t"] }],
    ["tool_call", { name: "x".repeat(1025) }],
    ["tool_call", { name: "t", arguments: [] }],
    ["tool_call", { name: "t", arguments: "{}" }],
    ["tool_call", { name: "t", arguments: null }],
    ["prompt_get", { name: "t", arguments: 1 }],
    ["resource_read", {}],
    ["resource_read", { uri: "" }],
    ["resource_read", { uri: "a".repeat(8193) }],
    ["subscribe", { uri: 1 }],
    ["tool_list", { cursor: 1 }],
    ["resource_list", { cursor: null }],
    ["completion", { ref: { type: "ref/prompt", name: "p" } }],
    ["completion", { ref: "p", argument: { name: "a", value: "b" } }],
    ["completion", { ref: { type: "ref/other", name: "p" }, argument: { name: "a", value: "b" } }],
    ["completion", { ref: { type: "ref/prompt", name: "p", uri: "a://b" }, argument: { name: "a", value: "b" } }],
    ["completion", { ref: { type: "ref/resource", name: "p", uri: "a://b" }, argument: { name: "a", value: "b" } }],
    ["completion", { ref: { type: "ref/prompt", uri: "a://b" }, argument: { name: "a", value: "b" } }],
    ["listen", {}],
    ["listen", { notifications: { toolsListChanged: "yes" } }],
    ["listen", { notifications: { resourceSubscriptions: "a://b" } }],
    ["listen", { notifications: { resourceSubscriptions: [1] } }],
  ])("%s refuses %j", (judgement, params) => {
    expect(subjectOf(judgement, params)).toMatchObject({ kind: "refusal", code: -32602, id: { value: 5 } });
  });

  it("a round is one of the three methods'", () => {
    const round = (method: string, params: object): unknown => readRound(readRequest({ jsonrpc: "2.0", id: 5, method, params }));
    expect(round("tools/call", { name: "t" })).toBeUndefined();
    expect(round("tools/call", { requestState: "s" })).toEqual({ requestState: "s", inputResponses: undefined });
    expect(round("resources/read", { inputResponses: { a: {} } })).toMatchObject({ requestState: undefined, inputResponses: { a: {} } });
    expect(round("tools/list", { requestState: "s" })).toMatchObject({ kind: "refusal", code: -32602 });
    expect(round("tools/call", { requestState: 1 })).toMatchObject({ kind: "refusal" });
    expect(round("tools/call", { inputResponses: [] })).toMatchObject({ kind: "refusal" });
  });

  it("an initialize says version, capabilities and client", () => {
    const sound = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } };
    const initialize = (params: object): unknown => readInitialize(readRequest({ jsonrpc: "2.0", id: 5, method: "initialize", params }));
    expect(initialize(sound)).toEqual(sound);
    for (const key of Object.keys(sound)) expect(initialize({ ...sound, [key]: [] })).toMatchObject({ kind: "refusal", code: -32602 });
    expect(initialize({ ...sound, clientInfo: { name: "c" } })).toMatchObject({ kind: "refusal" });
  });
});
