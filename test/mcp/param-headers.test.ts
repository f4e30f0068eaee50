import { describe, expect, it } from "vitest";
import { type Json, type JsonObject, toJson } from "../../src/kernel/json.ts";
import { parseStrictJson } from "../../src/kernel/strict-json.ts";
import { readMcpHeaders } from "../../src/mcp/headers.ts";
import { checkParamHeaders, createRequestHeaders, readParamDeclarations } from "../../src/mcp/param-headers.ts";
import { createMessageId } from "../../src/mcp/request-id.ts";

function schema(properties: object, more: object = {}): Json {
  return toJson({ type: "object", properties, ...more });
}

function declarationsOf(inputSchema: Json): { header: string; path: readonly string[] }[] {
  const read = readParamDeclarations(inputSchema);
  if (!read.ok) throw new Error(read.reason);
  return [...read.declarations];
}

const S = { type: "string", "x-mcp-header": "Region" };

describe("declarations", () => {
  it("are found along properties, at any depth", () => {
    const found = declarationsOf(
      schema({ region: S, where: { type: "object", properties: { zip: { type: "integer", "x-mcp-header": "Zip" } } } }),
    );
    expect(found).toEqual([
      { header: "Region", path: ["region"] },
      { header: "Zip", path: ["where", "zip"] },
    ]);
    expect(readParamDeclarations(undefined)).toMatchObject({ ok: true, declarations: [] });
  });

  it.each([
    ["an empty name", schema({ a: { type: "string", "x-mcp-header": "" } })],
    ["a blank in the name", schema({ a: { type: "string", "x-mcp-header": "a b" } })],
    ["a line break in the name", schema({ a: { type: "string", "x-mcp-header": "a\r\nX: y" } })],
    ["a colon in the name", schema({ a: { type: "string", "x-mcp-header": "a:" } })],
    ["letters beyond ASCII", schema({ a: { type: "string", "x-mcp-header": "é" } })],
    ["a name that is no text", schema({ a: { type: "string", "x-mcp-header": 1 } })],
    ["null", schema({ a: { type: "string", "x-mcp-header": null } })],
    ["one name twice, in another case", schema({ a: S, b: { type: "string", "x-mcp-header": "REGION" } })],
    ["a number", schema({ a: { type: "number", "x-mcp-header": "A" } })],
    ["an object", schema({ a: { type: "object", "x-mcp-header": "A" } })],
    ["a list", schema({ a: { type: "array", "x-mcp-header": "A" } })],
    ["no type", schema({ a: { "x-mcp-header": "A" } })],
    ["several types", schema({ a: { type: ["string", "null"], "x-mcp-header": "A" } })],
    ["the root", schema({}, { "x-mcp-header": "A" })],
    ["items", schema({ a: { type: "array", items: { type: "string", "x-mcp-header": "A" } } })],
    ["properties below items", schema({ a: { type: "array", items: { properties: { b: S } } } })],
    ["anyOf", schema({}, { anyOf: [{ properties: { a: S } }] })],
    ["allOf below a property", schema({ a: { allOf: [S] } })],
    ["else", schema({}, { else: { properties: { a: S } } })],
    ["not", schema({}, { not: { properties: { a: S } } })],
    ["$defs", schema({}, { $defs: { a: S } })],
    ["patternProperties", schema({}, { patternProperties: { "^a": S } })],
    ["additionalProperties", schema({}, { additionalProperties: S })],
  ])("make the tool invalid: %s", (_name, inputSchema) => {
    expect(readParamDeclarations(inputSchema)).toMatchObject({ ok: false });
  });

  it("a property of that name declares nothing", () => {
    expect(declarationsOf(schema({ "x-mcp-header": { type: "string" } }))).toEqual([]);
    expect(declarationsOf(schema({ a: { type: "string", default: { "x-mcp-header": "A" } } }))).toEqual([]);
  });
});

describe("headers against arguments", () => {
  const declarations = declarationsOf(
    schema({ region: S, zip: { type: "integer", "x-mcp-header": "Zip" }, dry: { type: "boolean", "x-mcp-header": "Dry" } }),
  );
  const check = (args: string, ...headers: string[]): unknown =>
    checkParamHeaders(declarations, (parseStrictJson(args) as { value: JsonObject }).value, readMcpHeaders(headers), createMessageId(1));

  it.each<[string, string[]]>([
    ["{}", []],
    ['{"region":null}', []],
    ['{"region":"eu"}', ["Mcp-Param-Region", "eu"]],
    ['{"region":"eu"}', ["MCP-PARAM-REGION", "  eu "]],
    ['{"region":"Hello"}', ["Mcp-Param-Region", "=?base64?SGVsbG8=?="]],
    ['{"region":"世"}', ["Mcp-Param-Region", "=?base64?5LiW?="]],
    ['{"region":"=?base64?SGVsbG8="}', ["Mcp-Param-Region", "=?base64?SGVsbG8="]],
    ['{"region":""}', ["Mcp-Param-Region", ""]],
    ['{"zip":42}', ["Mcp-Param-Zip", "42"]],
    ['{"zip":42}', ["Mcp-Param-Zip", "42.0"]],
    ['{"zip":42.0}', ["Mcp-Param-Zip", "42"]],
    ['{"zip":-7}', ["Mcp-Param-Zip", "-7"]],
    ['{"dry":true}', ["Mcp-Param-Dry", "true"]],
    ['{"dry":false}', ["Mcp-Param-Dry", "false"]],
    ["{}", ["Mcp-Param-Unknown", "x"]],
  ])("%s agrees with %j", (args, headers) => {
    expect(check(args, ...headers)).toBeUndefined();
  });

  it.each<[string, string[]]>([
    ['{"region":"eu"}', []],
    ['{"region":"eu"}', ["Mcp-Param-Region", "us"]],
    ['{"region":"eu"}', ["Mcp-Param-Region", "EU"]],
    ['{"region":"eu"}', ["Mcp-Param-Region", "eu", "Mcp-Param-Region", "eu"]],
    ['{"region":"eu"}', ["Mcp-Param-Region", "eu, eu"]],
    ['{"region":"Hello"}', ["Mcp-Param-Region", "=?base64?SGVsbG8?="]],
    ['{"region":"Hello"}', ["Mcp-Param-Region", "=?base64?SGVs!!!bG8=?="]],
    ["{}", ["Mcp-Param-Region", "eu"]],
    ['{"region":null}', ["Mcp-Param-Region", "null"]],
    ['{"region":{}}', ["Mcp-Param-Region", "{}"]],
    ['{"zip":42}', ["Mcp-Param-Zip", "43"]],
    ['{"zip":42}', ["Mcp-Param-Zip", "0x2a"]],
    ['{"zip":42}', ["Mcp-Param-Zip", "042"]],
    ['{"zip":42}', ["Mcp-Param-Zip", "4.2e1"]],
    ['{"zip":9007199254740993}', ["Mcp-Param-Zip", "9007199254740992"]],
    ['{"zip":"42"}', ["Mcp-Param-Zip", "42.0"]],
    ['{"dry":true}', ["Mcp-Param-Dry", "True"]],
    ['{"dry":true}', ["Mcp-Param-Dry", "1"]],
  ])("%s does not agree with %j", (args, headers) => {
    expect(check(args, ...headers)).toMatchObject({ code: -32020, status: 400 });
  });

  it("a request that is sent on passes its own check", () => {
    const args = toJson({ region: " 世 ", zip: -7, dry: false, more: { deep: [1] } }) as JsonObject;
    const headers = createRequestHeaders({ revision: "2026-07-28", method: "tools/call", name: "séarch", args, declarations });
    expect(headers).toMatchObject({
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "=?base64?c8OpYXJjaA==?=",
      "mcp-param-zip": "-7",
      "mcp-param-dry": "false",
    });
    expect(checkParamHeaders(declarations, args, readMcpHeaders(Object.entries(headers).flat()), createMessageId(1))).toBeUndefined();
    expect(createRequestHeaders({ revision: "2026-07-28", method: "tools/list", name: undefined })).toEqual({
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/list",
    });
  });
});
