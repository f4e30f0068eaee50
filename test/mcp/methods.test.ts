import { describe, expect, it } from "vitest";
import { findMethod, listMethods, ROUND_METHODS } from "../../src/mcp/methods.ts";
import {
  chooseLegacyRevision,
  eraOf,
  isLegacyRevision,
  isModernRevision,
  isRevision,
  isSince,
  REVISIONS,
} from "../../src/mcp/revisions.ts";

describe("methods", () => {
  it("exist in the revisions that define them", () => {
    expect(findMethod("initialize", "client_request", "2025-11-25")?.judgement).toBe("plain");
    expect(findMethod("initialize", "client_request", "2026-07-28")).toBeUndefined();
    for (const gone of ["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"]) {
      expect(findMethod(gone, "client_request", "2026-07-28")).toBeUndefined();
      expect(findMethod(gone, "client_request", "2024-11-05")).toBeDefined();
    }
    for (const added of ["server/discover", "subscriptions/listen"]) {
      expect(findMethod(added, "client_request", "2026-07-28")).toBeDefined();
      expect(findMethod(added, "client_request", "2025-11-25")).toBeUndefined();
    }
    expect(findMethod("elicitation/create", "server_request", "2025-03-26")).toBeUndefined();
    expect(findMethod("elicitation/create", "server_request", "2025-06-18")).toBeDefined();
    expect(findMethod("sampling/createMessage", "server_request", "2026-07-28")).toBeUndefined();
  });

  it("are judged, each by its own question", () => {
    const expected: Record<string, string> = {
      "tools/call": "tool_call",
      "tools/list": "tool_list",
      "prompts/get": "prompt_get",
      "prompts/list": "prompt_list",
      "resources/read": "resource_read",
      "resources/list": "resource_list",
      "resources/templates/list": "template_list",
      "completion/complete": "completion",
    };
    for (const [name, judgement] of Object.entries(expected)) {
      for (const revision of REVISIONS) expect(findMethod(name, "client_request", revision)?.judgement).toBe(judgement);
    }
    expect(findMethod("resources/subscribe", "client_request", "2025-11-25")?.judgement).toBe("subscribe");
  });

  it("of tasks are known and refused", () => {
    for (const name of ["tasks/get", "tasks/cancel", "tasks/result", "tasks/list"]) {
      expect(findMethod(name, "client_request", "2025-11-25")?.judgement).toBe("refused");
      expect(findMethod(name, "client_request", "2025-06-18")).toBeUndefined();
    }
    expect(findMethod("tasks/update", "client_request", "2026-07-28")?.judgement).toBe("refused");
  });

  it.each([
    "Tools/call",
    "tools/Call",
    "tools/call ",
    " tools/call",
    "tools/call\u0000",
    "tools//call",
    "toString",
    "__proto__",
    "constructor",
    "",
  ])("%j is none", (name) => {
    for (const revision of REVISIONS) expect(findMethod(name, "client_request", revision)).toBeUndefined();
  });

  it("do not change direction", () => {
    expect(findMethod("tools/call", "server_request", "2025-11-25")).toBeUndefined();
    expect(findMethod("sampling/createMessage", "client_request", "2025-11-25")).toBeUndefined();
    expect(findMethod("notifications/initialized", "client_request", "2025-11-25")).toBeUndefined();
    expect(findMethod("tools/call", "client_notification", "2025-11-25")).toBeUndefined();
    expect(findMethod("notifications/tools/list_changed", "client_notification", "2025-11-25")).toBeUndefined();
  });

  it("stand once for each direction", () => {
    const rows = listMethods().map((method) => `${method.direction} ${method.name}`);
    expect(rows.length).toBeGreaterThan(40);
    expect(new Set(rows).size).toBe(rows.length);
    for (const name of ROUND_METHODS) expect(findMethod(name, "client_request", "2026-07-28")).toBeDefined();
  });
});

describe("revisions", () => {
  it("fall into two eras", () => {
    expect(REVISIONS.map(eraOf)).toEqual(["modern", "legacy", "legacy", "legacy", "legacy"]);
    expect(isModernRevision("2026-07-28") && !isLegacyRevision("2026-07-28")).toBe(true);
    expect(isRevision("2025-03-26") && !isRevision("2025-03-27") && !isRevision("DRAFT-2026")).toBe(true);
    expect(isSince("2025-11-25", "2025-06-18") && !isSince("2025-03-26", "2025-06-18")).toBe(true);
  });

  it("an initialize is answered with what was asked for, where it is known", () => {
    expect(chooseLegacyRevision("2025-03-26")).toBe("2025-03-26");
    expect(chooseLegacyRevision("2024-11-05")).toBe("2024-11-05");
    expect(chooseLegacyRevision("1999-01-01")).toBe("2025-11-25");
    expect(chooseLegacyRevision("2026-07-28")).toBe("2025-11-25");
  });
});
