/**
 * The drafts of JSON Schema that are spoken, as tables: which keywords each has and what shape their values have. A
 * keyword that a draft does not have is no keyword there. Nothing here compiles or checks.
 */

/** What a keyword's value must look like; `shape.ts` judges it. */
export type Shape =
  | "anchor"
  | "any"
  | "booleanMap"
  | "bound"
  | "count"
  | "dependencies"
  | "divisor"
  | "flag"
  | "format"
  | "limit"
  | "list"
  | "nameLists"
  | "names"
  | "pattern"
  | "patternMap"
  | "reference"
  | "schema"
  | "schemaMap"
  | "schemaOrSchemas"
  | "schemas"
  | "text"
  | "types";

export interface Dialect {
  readonly name: string;
  /** Keywords that identify, apply or assert. */
  readonly keywords: ReadonlyMap<string, Shape>;
  /** The keyword that names a schema: `id` in draft-04. */
  readonly idKeyword: "$id" | "id";
  /** Whether `$ref` makes every keyword beside it void, as up to draft-07. */
  readonly refAlone: boolean;
  /** Whether an identifier may be `#name`, an anchor, as up to draft-07. */
  readonly idAnchors: boolean;
  /** Whether `contains` makes items evaluated, as from 2020-12. */
  readonly containsEvaluates: boolean;
}

type Row = readonly [keyword: string, shape: Shape];

const DRAFT_04: readonly Row[] = [
  ["$schema", "text"],
  ["$ref", "reference"],
  ["definitions", "schemaMap"],
  ["type", "types"],
  ["enum", "list"],
  ["multipleOf", "divisor"],
  ["maximum", "limit"],
  ["exclusiveMaximum", "flag"],
  ["minimum", "limit"],
  ["exclusiveMinimum", "flag"],
  ["maxLength", "count"],
  ["minLength", "count"],
  ["pattern", "pattern"],
  ["items", "schemaOrSchemas"],
  ["additionalItems", "schema"],
  ["maxItems", "count"],
  ["minItems", "count"],
  ["uniqueItems", "flag"],
  ["maxProperties", "count"],
  ["minProperties", "count"],
  ["required", "names"],
  ["properties", "schemaMap"],
  ["patternProperties", "patternMap"],
  ["additionalProperties", "schema"],
  ["dependencies", "dependencies"],
  ["allOf", "schemas"],
  ["anyOf", "schemas"],
  ["oneOf", "schemas"],
  ["not", "schema"],
];

const DRAFT_06: readonly Row[] = [
  ...DRAFT_04,
  ["$id", "reference"],
  ["exclusiveMaximum", "limit"],
  ["exclusiveMinimum", "limit"],
  ["const", "any"],
  ["contains", "schema"],
  ["propertyNames", "schema"],
];

const DRAFT_07: readonly Row[] = [...DRAFT_06, ["if", "schema"], ["then", "schema"], ["else", "schema"]];

const SINCE_2019: readonly Row[] = [
  ...DRAFT_07.filter(([keyword]) => keyword !== "dependencies"),
  ["$anchor", "anchor"],
  ["$defs", "schemaMap"],
  ["dependentRequired", "nameLists"],
  ["dependentSchemas", "schemaMap"],
  ["maxContains", "count"],
  ["minContains", "count"],
  ["unevaluatedItems", "schema"],
  ["unevaluatedProperties", "schema"],
];

const DRAFT_2019_09: readonly Row[] = [...SINCE_2019, ["$recursiveAnchor", "flag"], ["$recursiveRef", "reference"]];

const DRAFT_2020_12: readonly Row[] = [
  ...SINCE_2019.filter(([keyword]) => keyword !== "additionalItems" && keyword !== "definitions"),
  ["items", "schema"],
  ["prefixItems", "schemas"],
  ["$dynamicAnchor", "anchor"],
  ["$dynamicRef", "reference"],
];

/** Keywords of 2020-12 that say something to people or programs and assert nothing (`format` is asserted by policies). */
export const ANNOTATIONS: ReadonlyMap<string, Shape> = new Map<string, Shape>([
  ["$comment", "text"],
  ["$vocabulary", "booleanMap"],
  ["title", "text"],
  ["description", "text"],
  ["default", "any"],
  ["deprecated", "flag"],
  ["readOnly", "flag"],
  ["writeOnly", "flag"],
  ["examples", "list"],
  ["format", "format"],
  ["contentEncoding", "text"],
  ["contentMediaType", "text"],
  ["contentSchema", "schema"],
]);

/** Keywords of older drafts, and what to write instead in 2020-12. */
export const SUCCESSORS: ReadonlyMap<string, string> = new Map([
  ["definitions", "$defs"],
  ["dependencies", "dependentRequired` or `dependentSchemas"],
  ["additionalItems", "items` beside `prefixItems"],
  ["id", "$id"],
  ["$recursiveRef", "$dynamicRef"],
  ["$recursiveAnchor", "$dynamicAnchor"],
]);

function createDialect(name: string, rows: readonly Row[], traits: Partial<Dialect> = {}): Dialect {
  return { name, keywords: new Map(rows), idKeyword: "$id", refAlone: false, idAnchors: false, containsEvaluates: false, ...traits };
}

const OLD: Partial<Dialect> = { refAlone: true, idAnchors: true };

export const DIALECT_2020_12: Dialect = createDialect("2020-12", DRAFT_2020_12, { containsEvaluates: true });

/**
 * What a schema that names no draft is read as: 2020-12, in which the idioms of older drafts that 2020-12 has no
 * other meaning for keep theirs (lists in `items`, `additionalItems`, `dependencies`, flags as exclusive bounds).
 */
const UNDECLARED: Dialect = createDialect(
  "2020-12",
  [
    ...DRAFT_2020_12,
    ["items", "schemaOrSchemas"],
    ["additionalItems", "schema"],
    ["dependencies", "dependencies"],
    ["definitions", "schemaMap"],
    ["exclusiveMaximum", "bound"],
    ["exclusiveMinimum", "bound"],
  ],
  { containsEvaluates: true, idAnchors: true },
);

const STRANGERS_2020_12: Dialect = createDialect("2020-12", [...DRAFT_2020_12, ["definitions", "schemaMap"]], { containsEvaluates: true });

const DIALECTS: ReadonlyMap<string, Dialect> = new Map([
  ["schema", UNDECLARED],
  ["draft/2020-12/schema", STRANGERS_2020_12],
  ["draft/2019-09/schema", createDialect("2019-09", DRAFT_2019_09)],
  ["draft-07/schema", createDialect("draft-07", DRAFT_07, OLD)],
  ["draft-06/schema", createDialect("draft-06", DRAFT_06, OLD)],
  ["draft-05/schema", createDialect("draft-05", [...DRAFT_04, ["id", "reference"]], { ...OLD, idKeyword: "id" })],
  ["draft-04/schema", createDialect("draft-04", [...DRAFT_04, ["id", "reference"]], { ...OLD, idKeyword: "id" })],
]);

const DIALECT_URI = /^https?:\/\/json-schema\.org\/([a-z0-9/-]+)#?$/;

/** The dialect that a stranger's `$schema` names; none given: 2020-12. Undefined where it is not known. */
export function findDialect(uri: string | undefined): Dialect | undefined {
  if (uri === undefined) return UNDECLARED;
  const match = DIALECT_URI.exec(uri);
  return match ? DIALECTS.get(match[1] as string) : undefined;
}

/** Whether `$schema` names 2020-12 by its own identifier, as a policy's schema has to. */
export function isDialect2020(uri: string): boolean {
  return uri === "https://json-schema.org/draft/2020-12/schema" || uri === "https://json-schema.org/draft/2020-12/schema#";
}
