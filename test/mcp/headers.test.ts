import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readEra } from "../../src/mcp/era.ts";
import { decodeHeaderValue, encodeHeaderValue, pickForwardedHeaders, readMcpHeaders } from "../../src/mcp/headers.ts";
import { isRefusal } from "../../src/mcp/refusal.ts";
import { readNotification, readRequest, text } from "./support.ts";

const META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "c", version: "1" },
};
const VERSION = ["MCP-Protocol-Version", "2026-07-28"];

function modern(method: string, params: object = {}, meta: object = META): object {
  return { jsonrpc: "2.0", id: 9, method, params: { ...params, _meta: meta } };
}

function eraOf(body: unknown, headers: readonly string[] | undefined): ReturnType<typeof readEra> {
  return readEra(readRequest(body), headers && readMcpHeaders(headers));
}

describe("the era of a request", () => {
  it("is modern when _meta names a version and the headers agree", () => {
    expect(eraOf(modern("tools/list"), [...VERSION, "Mcp-Method", "tools/list"])).toMatchObject({ era: "modern", revision: "2026-07-28" });
    expect(eraOf(modern("tools/call", { name: "t" }), [...VERSION, "mcp-METHOD", "tools/call", "MCP-NAME", "  t  "])).toMatchObject({
      era: "modern",
    });
    expect(eraOf(modern("tools/list"), undefined)).toMatchObject({ era: "modern" });
  });

  it("is legacy without a claim", () => {
    const body = { jsonrpc: "2.0", id: 9, method: "tools/list" };
    expect(eraOf(body, [])).toEqual({ era: "legacy", revision: undefined });
    expect(eraOf(body, ["MCP-Protocol-Version", "2025-06-18"])).toEqual({ era: "legacy", revision: "2025-06-18" });
    expect(eraOf(body, ["Mcp-Method", "other"])).toMatchObject({ era: "legacy" });
  });

  const without = (key: string): object => Object.fromEntries(Object.entries(META).filter(([name]) => !name.endsWith(key)));
  const cases: readonly [string, object, readonly string[], number][] = [
    ["no version header", modern("tools/list"), ["Mcp-Method", "tools/list"], -32020],
    ["another version in the header", modern("tools/list"), ["MCP-Protocol-Version", "2025-11-25", "Mcp-Method", "tools/list"], -32020],
    ["an unknown version in the header", modern("tools/list"), ["MCP-Protocol-Version", "2027-01-01", "Mcp-Method", "tools/list"], -32020],
    ["a repeated version header", modern("tools/list"), [...VERSION, ...VERSION, "Mcp-Method", "tools/list"], -32020],
    [
      "a joined version header",
      modern("tools/list"),
      ["MCP-Protocol-Version", "2026-07-28, 2026-07-28", "Mcp-Method", "tools/list"],
      -32020,
    ],
    ["no method header", modern("tools/list"), VERSION, -32020],
    ["another method", modern("tools/list"), [...VERSION, "Mcp-Method", "prompts/list"], -32020],
    ["the method in another case", modern("tools/list"), [...VERSION, "Mcp-Method", "TOOLS/LIST"], -32020],
    ["a repeated method", modern("tools/list"), [...VERSION, "Mcp-Method", "tools/list", "mcp-method", "tools/list"], -32020],
    ["a joined method", modern("tools/list"), [...VERSION, "Mcp-Method", "tools/list, tools/list"], -32020],
    ["no name header", modern("tools/call", { name: "t" }), [...VERSION, "Mcp-Method", "tools/call"], -32020],
    ["another name", modern("tools/call", { name: "t" }), [...VERSION, "Mcp-Method", "tools/call", "Mcp-Name", "u"], -32020],
    ["the name in another case", modern("tools/call", { name: "t" }), [...VERSION, "Mcp-Method", "tools/call", "Mcp-Name", "T"], -32020],
    [
      "a repeated name",
      modern("tools/call", { name: "t" }),
      [...VERSION, "Mcp-Method", "tools/call", "Mcp-Name", "t", "Mcp-Name", "t"],
      -32020,
    ],
    ["a name the body lacks", modern("tools/call"), [...VERSION, "Mcp-Method", "tools/call", "Mcp-Name", "t"], -32020],
    [
      "a name that is not decodable",
      modern("tools/call", { name: "t" }),
      [...VERSION, "Mcp-Method", "tools/call", "Mcp-Name", "=?base64?dA?="],
      -32020,
    ],
    ["no uri header", modern("resources/read", { uri: "a://b" }), [...VERSION, "Mcp-Method", "resources/read"], -32020],
    ["another uri", modern("resources/read", { uri: "a://b" }), [...VERSION, "Mcp-Method", "resources/read", "Mcp-Name", "a://c"], -32020],
    [
      "an unsupported version",
      modern("tools/list", {}, { ...META, "io.modelcontextprotocol/protocolVersion": "v999" }),
      ["MCP-Protocol-Version", "v999", "Mcp-Method", "tools/list"],
      -32022,
    ],
    [
      "a legacy version in _meta",
      modern("tools/list", {}, { ...META, "io.modelcontextprotocol/protocolVersion": "2025-11-25" }),
      ["MCP-Protocol-Version", "2025-11-25", "Mcp-Method", "tools/list"],
      -32022,
    ],
    ["a version that is no text", modern("tools/list", {}, { ...META, "io.modelcontextprotocol/protocolVersion": 1 }), VERSION, -32602],
    ["no capabilities", modern("tools/list", {}, without("clientCapabilities")), [...VERSION, "Mcp-Method", "tools/list"], -32602],
    ["capabilities as list", modern("tools/list", {}, { ...META, "io.modelcontextprotocol/clientCapabilities": [] }), VERSION, -32602],
    [
      "client info without a version",
      modern("tools/list", {}, { ...META, "io.modelcontextprotocol/clientInfo": { name: "c" } }),
      VERSION,
      -32602,
    ],
    ["an unknown log level", modern("tools/list", {}, { ...META, "io.modelcontextprotocol/logLevel": "loud" }), VERSION, -32602],
    ["a modern header without _meta", { jsonrpc: "2.0", id: 9, method: "tools/list", params: {} }, VERSION, -32602],
    ["a modern header and _meta without version", modern("tools/list", {}, without("protocolVersion")), VERSION, -32602],
    ["initialize under a modern header", { jsonrpc: "2.0", id: 9, method: "initialize", params: {} }, VERSION, -32020],
    ["an unknown version header alone", { jsonrpc: "2.0", id: 9, method: "tools/list" }, ["MCP-Protocol-Version", "2099-01-01"], -32022],
    [
      "two legacy version headers",
      { jsonrpc: "2.0", id: 9, method: "tools/list" },
      ["MCP-Protocol-Version", "2025-11-25", "MCP-Protocol-Version", "2025-06-18"],
      -32020,
    ],
  ];
  it.each(cases)("is refused with %s", (_name, body, headers, code) => {
    expect(eraOf(body, headers)).toMatchObject({ kind: "refusal", code, status: 400, id: { value: 9 } });
  });

  it("client info is optional, and the level is told", () => {
    const claim = eraOf(modern("tools/list", {}, { ...without("clientInfo"), "io.modelcontextprotocol/logLevel": "error" }), undefined);
    expect(claim).toMatchObject({ era: "modern", clientInfo: undefined, logLevel: "error" });
  });

  it("an unsupported version is told what is supported and what it asked for", () => {
    const meta = { ...META, "io.modelcontextprotocol/protocolVersion": "1900-01-01" };
    const refusal = eraOf(modern("tools/list", {}, meta), undefined);
    expect(isRefusal(refusal) && JSON.parse(JSON.stringify(refusal.data))).toEqual({
      supported: ["2026-07-28"],
      requested: "1900-01-01",
    });
    const unclaimed = readEra(
      readRequest({ jsonrpc: "2.0", id: 1, method: "tools/list" }),
      readMcpHeaders(["MCP-Protocol-Version", "1900-01-01"]),
    );
    expect(isRefusal(unclaimed) && JSON.parse(JSON.stringify(unclaimed.data))).toEqual({
      supported: ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"],
      requested: "1900-01-01",
    });
  });

  it("of a notification follows its claim, else its header", () => {
    const cancelled = readNotification({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } });
    expect(readEra(cancelled, readMcpHeaders(VERSION))).toMatchObject({ era: "modern" });
    expect(readEra(cancelled, readMcpHeaders([]))).toMatchObject({ era: "legacy" });
    expect(readEra(cancelled, readMcpHeaders([...VERSION, "Mcp-Method", "other"]))).toMatchObject({ code: -32020, id: undefined });
  });
});

describe("values of headers", () => {
  it.each([
    ["us-west1", "us-west1"],
    ["Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="],
    [" padded ", "=?base64?IHBhZGRlZCA=?="],
    ["line1\nline2", "=?base64?bGluZTEKbGluZTI=?="],
    ["=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="],
    ["=?base64?=", "=?base64?PT9iYXNlNjQ/PQ==?="],
    ["a, b", "a, b"],
    ["", ""],
  ])("%j is carried as %s", (value, carried) => {
    expect(encodeHeaderValue(value)).toBe(carried);
    expect(decodeHeaderValue(carried)).toBe(value);
  });

  it.each([
    ["no padding", "=?base64?SGVsbG8?="],
    ["other letters", "=?base64?SGVs!!!bG8=?="],
    ["the alphabet of URLs", "=?base64?_-8=?="],
    ["loose bits", "=?base64?SGVsbG9=?="],
    ["bytes that are not UTF-8", "=?base64?wyg=?="],
    ["blanks inside", "=?base64?SGVs bG8=?="],
    ["overlapping marks", "=?base64?="],
    ["a control", "a\u0001b"],
    ["raw bytes beyond ASCII", "\u00e9"],
    ["DEL", "a\u007f"],
  ])("%s is malformed", (_name, value) => {
    expect(decodeHeaderValue(value)).toBeUndefined();
  });

  it("without both marks it stands for itself", () => {
    for (const literal of ["SGVsbG8=", "=?base64?SGVsbG8=", "SGVsbG8=?=", "=?BASE64?SGVsbG8=?="])
      expect(decodeHeaderValue(literal)).toBe(literal);
  });

  it("law: what is encoded is decoded", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          fc.string(),
          text.map((inner) => `=?base64?${inner}?=`),
        ),
        (value) => {
          const carried = encodeHeaderValue(value);
          expect(carried).toMatch(/^[\t\x20-\x7e]*$/);
          expect(carried.trim()).toBe(carried);
          expect(decodeHeaderValue(carried)).toBe(value);
        },
      ),
    );
  });
});

describe("headers", () => {
  it("are read from the raw list, repeats included", () => {
    const headers = readMcpHeaders([
      "Host",
      "x",
      "MCP-Session-ID",
      " s ",
      "Last-Event-ID",
      "7",
      "mcp-param-A",
      "1",
      "Mcp-Param-a",
      "2",
      "Mcp-Name",
      "n",
    ]);
    expect(headers).toMatchObject({ session: "s", lastEventId: "7", name: "n", version: undefined });
    expect([...headers.params]).toEqual([["a", "1"]]);
    expect([...headers.repeated]).toEqual(["mcp-param-a"]);
  });

  it("go upstream only if they are trace context or unrecognised parameters", () => {
    const raw = [
      "Authorization",
      "Bearer secret",
      "Cookie",
      "a=b",
      "X-Forwarded-For",
      "1.2.3.4",
      "Connection",
      "keep-alive",
      "Mcp-Session-Id",
      "s",
      "traceparent",
      "00-a-b-01",
      "Mcp-Param-Region",
      "eu",
      "Mcp-Param-Other",
      "x",
      "Mcp-Param-Odd",
      "\u00e9",
      "Accept-Encoding",
      "gzip",
      "Mcp-Param-",
      "y",
    ];
    expect(pickForwardedHeaders(raw, new Set(["region"]))).toEqual({ traceparent: "00-a-b-01", "mcp-param-other": "x" });
  });

  it("that go upstream are bounded in number and size", () => {
    const many = Array.from({ length: 200 }, (_, index) => [`Mcp-Param-X${index}`, "v"]).flat();
    expect(Object.keys(pickForwardedHeaders(many, new Set()))).toHaveLength(64);
    expect(pickForwardedHeaders(["Mcp-Param-X", "v".repeat(9000)], new Set())).toEqual({});
  });
});
