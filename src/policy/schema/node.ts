/**
 * One compiled schema, and what a builder of checks sees of the schema that it compiles. Nodes are made before they are
 * filled, so that references may go in rings; after compiling nothing changes them.
 */
import type { Json } from "../../kernel/json.ts";
import type { Dialect } from "./dialect.ts";
import type { Pattern } from "./pattern.ts";
import type { Resource } from "./place.ts";
import type { Check } from "./run.ts";

export interface Edge {
  readonly node: SchemaNode;
  /** JSON Pointer of the keyword that leads there. */
  readonly pointer: string;
}

export class SchemaNode {
  readonly pointer: string;
  readonly resource: Resource;
  /** Set for `true` and `false`. */
  verdict: boolean | undefined = undefined;
  checks: readonly Check[] = [];
  /** Whether the schema itself asks what was left unevaluated. */
  tracks = false;
  /** Schemas that are applied to the very same value; a ring of them would never end. */
  readonly inPlace: Edge[] = [];

  constructor(pointer: string, resource: Resource) {
    this.pointer = pointer;
    this.resource = resource;
  }
}

/** The schema object that is being compiled, as builders see it. */
export interface Site {
  readonly dialect: Dialect;
  /** Whether `format` is asserted. */
  readonly strict: boolean;
  /** The value of a keyword that the draft has, if its shape is sound. */
  read(keyword: string): Json | undefined;
  /** The subschema at a place below this one, for a member or an item of the value. */
  below(...path: readonly (string | number)[]): SchemaNode;
  /** The subschema at a place below this one, for the same value. */
  beside(...path: readonly (string | number)[]): SchemaNode;
  /** What a reference names; undefined where it names nothing, which is then told. */
  follow(keyword: string): SchemaNode | undefined;
  /** The dynamic anchor's schema in each resource that has one, where the reference first names one. */
  followDynamic(keyword: string): ReadonlyMap<Resource, SchemaNode> | undefined;
  /** A usable pattern; one that is not is told, or left out and noted. */
  press(pattern: string, ...path: readonly string[]): Pattern | undefined;
}
