/**
 * `Mcp-Param-*`: which arguments a tool's schema wants mirrored into headers (`x-mcp-header`), whether a request's
 * headers agree with its arguments, and the headers of a request that is sent on.
 */
import { compareDecimals, decimalOf, parseDecimal } from "../kernel/decimal.ts";
import { isJsonList, isJsonNumber, isJsonObject, type Json, JsonNumber, type JsonObject } from "../kernel/json.ts";
import { refuseHeader } from "./era.ts";
import { decodeHeaderValue, encodeHeaderValue, type McpHeaders, PARAM_PREFIX } from "./headers.ts";
import type { Refusal } from "./refusal.ts";
import type { MessageId } from "./request-id.ts";

const KEYWORD = "x-mcp-header";
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/;
const HEADER_NUMBER = /^-?(?:0|[1-9]\d{0,99})(?:\.\d{1,100})?$/;
const PRIMITIVES: ReadonlySet<Json | undefined> = new Set(["string", "integer", "boolean"]);
const SUBSCHEMAS = [
  "items",
  "additionalItems",
  "prefixItems",
  "contains",
  "additionalProperties",
  "unevaluatedItems",
  "unevaluatedProperties",
  "propertyNames",
  "contentSchema",
  "oneOf",
  "anyOf",
  "allOf",
  "not",
  "if",
  "then",
  "else",
] as const;
const SUBSCHEMA_MAPS = ["patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"] as const;

export interface ParamDeclaration {
  /** The part of the header's name after `Mcp-Param-`, as it is spelled in the schema. */
  readonly header: string;
  readonly path: readonly string[];
}

export type ParamDeclarations =
  | { readonly ok: true; readonly declarations: readonly ParamDeclaration[]; readonly headers: ReadonlySet<string> }
  /** A tool with such a schema is left out of the list. */
  | { readonly ok: false; readonly reason: string };

class Scan {
  readonly declarations: ParamDeclaration[] = [];
  readonly headers = new Set<string>();

  /** A reason, or undefined where this part of the schema is sound. */
  visit(schema: Json | undefined, path: readonly string[], reachable: boolean): string | undefined {
    if (isJsonList(schema)) return this.visitAll(schema, path, false);
    if (!isJsonObject(schema)) return undefined;
    const header = schema[KEYWORD];
    if (header !== undefined) {
      const fault = this.declare(header, schema["type"], path, reachable);
      if (fault) return fault;
    }
    const properties = schema["properties"];
    if (isJsonObject(properties)) {
      for (const key of Object.keys(properties)) {
        const fault = this.visit(properties[key], [...path, key], reachable);
        if (fault) return fault;
      }
    }
    for (const keyword of SUBSCHEMAS) {
      const fault = this.visit(schema[keyword], path, false);
      if (fault) return fault;
    }
    for (const keyword of SUBSCHEMA_MAPS) {
      const map = schema[keyword];
      const fault = isJsonObject(map) ? this.visitAll(Object.values(map), path, false) : undefined;
      if (fault) return fault;
    }
    return undefined;
  }

  visitAll(schemas: readonly Json[], path: readonly string[], reachable: boolean): string | undefined {
    for (const schema of schemas) {
      const fault = this.visit(schema, path, reachable);
      if (fault) return fault;
    }
    return undefined;
  }

  declare(header: Json, type: Json | undefined, path: readonly string[], reachable: boolean): string | undefined {
    if (!reachable || path.length === 0) return "x-mcp-header stands where no argument can be reached by properties alone";
    if (typeof header !== "string" || !TOKEN.test(header)) return "x-mcp-header is not a header's name";
    if (!PRIMITIVES.has(type)) return "x-mcp-header stands on something else than a text, an integer or a boolean";
    const folded = header.toLowerCase();
    if (this.headers.has(folded)) return "x-mcp-header names one header twice";
    this.headers.add(folded);
    this.declarations.push({ header, path });
    return undefined;
  }
}

/** The declarations of a tool's `inputSchema`, or why the tool may not be offered over HTTP. */
export function readParamDeclarations(inputSchema: Json | undefined): ParamDeclarations {
  const scan = new Scan();
  const reason = scan.visit(inputSchema, [], true);
  return reason === undefined ? { ok: true, declarations: scan.declarations, headers: scan.headers } : { ok: false, reason };
}

function valueAt(args: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = args;
  for (const key of path) {
    if (!isJsonObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

function agrees(decoded: string, value: Json): boolean {
  if (typeof value === "string") return decoded === value;
  if (typeof value === "boolean") return decoded === String(value);
  if (!isJsonNumber(value) || !HEADER_NUMBER.test(decoded)) return false;
  const left = parseDecimal(decoded);
  const right = decimalOf(value);
  return left !== undefined && right !== undefined && compareDecimals(left, right) === 0;
}

/** Holds a modern `tools/call`'s `Mcp-Param-*` against its arguments; undefined where they agree. */
export function checkParamHeaders(
  declarations: readonly ParamDeclaration[],
  args: JsonObject,
  headers: McpHeaders,
  id: MessageId,
): Refusal | undefined {
  for (const { header, path } of declarations) {
    const name = `Mcp-Param-${header}`;
    const folded = header.toLowerCase();
    const said = headers.params.get(folded);
    const value = valueAt(args, path);
    if (headers.repeated.has(PARAM_PREFIX + folded)) return refuseHeader(id, name, "repeated");
    const absent = value === undefined || value === null;
    if (said === undefined) {
      if (absent || isJsonObject(value) || isJsonList(value)) continue;
      return refuseHeader(id, name, "missing");
    }
    const decoded = decodeHeaderValue(said);
    if (decoded === undefined) return refuseHeader(id, name, "malformed");
    if (absent || !agrees(decoded, value)) return refuseHeader(id, name, "mismatch");
  }
  return undefined;
}

function spell(value: Json | undefined): string | undefined {
  if (typeof value === "string") return encodeHeaderValue(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") return String(value);
  if (!(value instanceof JsonNumber)) return undefined;
  const number = Number(value.text);
  return Number.isSafeInteger(number) ? String(number) : undefined;
}

export interface MirroredRequest {
  readonly revision: string;
  readonly method: string;
  /** The name, URI or task id as it is sent, after renaming; undefined for methods that mirror none. */
  readonly name: string | undefined;
  readonly args?: JsonObject | undefined;
  readonly declarations?: readonly ParamDeclaration[] | undefined;
}

/** The protocol's own headers of a modern request, made anew from what is sent. */
export function createRequestHeaders(request: MirroredRequest): Record<string, string> {
  const headers: Record<string, string> = { "mcp-protocol-version": request.revision, "mcp-method": request.method };
  if (request.name !== undefined) headers["mcp-name"] = encodeHeaderValue(request.name);
  if (request.args && request.declarations) {
    for (const { header, path } of request.declarations) {
      const value = spell(valueAt(request.args, path));
      if (value !== undefined) headers[`${PARAM_PREFIX}${header.toLowerCase()}`] = value;
    }
  }
  return headers;
}
