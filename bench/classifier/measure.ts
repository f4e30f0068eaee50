/**
 * Holds the classifier against labels: those that vendors set on their own tools, read against not read, and 300 of our
 * own, class against class. The definitions lie beside the checkout; here are names, hashes and labels.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { classifyTool } from "../../src/catalog/classify.ts";
import { type JsonObject, toJson } from "../../src/kernel/json.ts";
import { TOOL_CLASSES, type ToolClass } from "../../src/policy/decision.ts";

export const DATA_FOLDER: string = path.resolve(import.meta.dirname, "../../../shared/data");
export const hasData = (): boolean => existsSync(path.join(DATA_FOLDER, "labelled-tools.jsonl"));

export interface CorpusRow {
  readonly corpus?: string;
  readonly server: string;
  readonly tool: string;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema?: unknown;
  readonly annotations?: unknown;
  readonly params?: readonly unknown[];
  readonly arguments?: readonly unknown[];
  readonly readOnly?: boolean | null;
}

export interface HandLabel {
  readonly server: string;
  readonly tool: string;
  readonly definition: string;
  readonly stratum: string;
  readonly class: ToolClass;
  readonly half: "tuning" | "held-out";
}

function readLines<T>(file: string): T[] {
  return readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
}

export const readCorpus = (): CorpusRow[] => readLines(path.join(DATA_FOLDER, "tools-corpus.jsonl"));
export const readLabelled = (): CorpusRow[] => readLines(path.join(DATA_FOLDER, "labelled-tools.jsonl"));
export const readHandLabels = (): HandLabel[] => readLines(path.join(import.meta.dirname, "hand-labels.jsonl"));

export function hashDefinition({ tool, description, inputSchema }: CorpusRow): string {
  return createHash("sha256")
    .update(JSON.stringify([tool, description ?? "", inputSchema ?? null]))
    .digest("hex");
}

/** A row as a server would list it; the vendor's label is not among what the classifier sees. */
export function toDefinition(row: CorpusRow, withAnnotations = true): JsonObject {
  const { tool: name, title, description, inputSchema = toSchema(row.params ?? row.arguments) } = row;
  return toJson({ name, title, description, inputSchema, annotations: withAnnotations ? row.annotations : undefined }) as JsonObject;
}

function toSchema(names: readonly unknown[] | null | undefined): unknown {
  if (names === null || names === undefined) return undefined;
  const properties: Record<string, unknown> = {};
  for (const given of names) {
    const { name, type, desc } = (typeof given === "string" ? { name: given } : given) as { name: string; type?: string; desc?: string };
    properties[name] = { type, description: desc };
  }
  return { type: "object", properties };
}

export interface ReadMeasure {
  readonly changing: number;
  readonly unsafe: readonly string[];
  readonly reading: number;
  readonly strict: readonly string[];
}

/** Read against not read, by the vendors' own labels. `without`: names whose labels are disputed. */
export function measureLabelled(rows: readonly CorpusRow[], without: ReadonlySet<string> = new Set()): ReadMeasure {
  const counted = rows.filter((row) => typeof row.readOnly === "boolean" && !without.has(row.tool));
  const said = counted.map((row) => ({ row, isRead: classifyTool(toDefinition(row, false)).class === "read" }));
  const name = ({ row }: { readonly row: CorpusRow }): string => `${row.server} ${row.tool}`;
  return {
    changing: counted.filter(({ readOnly }) => readOnly === false).length,
    unsafe: said.filter(({ row, isRead }) => row.readOnly === false && isRead).map(name),
    reading: counted.filter(({ readOnly }) => readOnly === true).length,
    strict: said.filter(({ row, isRead }) => row.readOnly === true && !isRead).map(name),
  };
}

export function readDisputed(): ReadonlySet<string> {
  return new Set(readLines<{ tool: string }>(path.join(import.meta.dirname, "disputed-labels.jsonl")).map(({ tool }) => tool));
}

export interface ClassMeasure {
  readonly class: ToolClass;
  readonly labels: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface HandMeasure {
  readonly size: number;
  readonly classes: readonly ClassMeasure[];
  readonly macroF1: number;
  readonly accuracy: number;
  readonly unsafe: readonly string[];
  readonly strict: readonly string[];
  /** `tool: label → verdict`. */
  readonly wrong: readonly string[];
}

/** Definitions by hash; the first row of several that are alike. */
export function indexCorpus(rows: readonly CorpusRow[]): ReadonlyMap<string, CorpusRow> {
  const index = new Map<string, CorpusRow>();
  for (const row of rows) {
    const hash = hashDefinition(row);
    if (!index.has(hash)) index.set(hash, row);
  }
  return index;
}

export function measureHand(labels: readonly HandLabel[], corpus: ReadonlyMap<string, CorpusRow>): HandMeasure {
  const said = labels.map((label) => {
    const row = corpus.get(label.definition);
    if (row === undefined) throw new Error(`no definition of ${label.tool}`);
    return { label, verdict: classifyTool(toDefinition(row)).class };
  });
  const count = (holds: (one: (typeof said)[number]) => boolean): number => said.filter(holds).length;
  const classes = TOOL_CLASSES.map((name): ClassMeasure => {
    const right = count(({ label, verdict }) => label.class === name && verdict === name);
    const precision =
      right /
      Math.max(
        1,
        count(({ verdict }) => verdict === name),
      );
    const recall =
      right /
      Math.max(
        1,
        count(({ label }) => label.class === name),
      );
    return {
      class: name,
      labels: count(({ label }) => label.class === name),
      precision,
      recall,
      f1: (2 * precision * recall) / Math.max(1e-9, precision + recall),
    };
  });
  const wrong = said.filter(({ label, verdict }) => label.class !== verdict);
  return {
    size: labels.length,
    classes,
    macroF1: classes.reduce((sum, { f1 }) => sum + f1, 0) / classes.length,
    accuracy: 1 - wrong.length / labels.length,
    unsafe: wrong.filter(({ verdict }) => verdict === "read").map(({ label }) => label.tool),
    strict: wrong.filter(({ label }) => label.class === "read").map(({ label }) => label.tool),
    wrong: wrong.map(({ label, verdict }) => `${label.tool}: ${label.class} → ${verdict}`),
  };
}
