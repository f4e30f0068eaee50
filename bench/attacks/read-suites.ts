/**
 * The recorded calls that lie beside the checkout, as suites: a server's tools, and tasks with their calls in order. A suite
 * whose data has no schema gets one of the names that its calls use, and says so.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { type Json, type JsonObject, toJson } from "../../src/kernel/json.ts";

export const DATA_FOLDER: string = path.resolve(import.meta.dirname, "../../../shared/data");
export const hasData = (): boolean => existsSync(path.join(DATA_FOLDER, "agentdyn/groundtruth-calls.jsonl"));

export interface RecordedCall {
  readonly tool: string;
  readonly args: Json;
}

export interface Task {
  readonly id: string;
  readonly calls: readonly RecordedCall[];
}

export interface Suite {
  readonly name: string;
  readonly tools: readonly JsonObject[];
  /** What people asked for. */
  readonly benign: readonly Task[];
  /** What was injected. */
  readonly attacks: readonly Task[];
}

interface CallRow {
  readonly suite?: string;
  readonly domain?: string;
  readonly task: string;
  readonly label?: "benign" | "attack";
  readonly step: number;
  readonly requestor?: string;
  readonly tool: string;
  readonly args: Record<string, unknown>;
}

interface ToolRow {
  readonly suite?: string;
  readonly corpus?: string;
  readonly server?: string;
  readonly tool: string;
  readonly description?: string;
  readonly inputSchema?: unknown;
  readonly params?: readonly string[];
  readonly arguments?: readonly { readonly name: string; readonly type?: string; readonly desc?: string }[];
  readonly annotations?: unknown;
}

function readLines<T>(name: string): T[] {
  return readFileSync(path.join(DATA_FOLDER, name), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
}

/** Three servers with the calls of people's tasks and of injected ones. */
export function readAttackSuites(): readonly Suite[] {
  const calls = readLines<CallRow>("agentdyn/groundtruth-calls.jsonl");
  const tools = readLines<ToolRow>("agentdyn/tools.jsonl");
  return [...new Set(calls.map(({ suite }) => suite ?? ""))].sort().map((name) => {
    const rows = calls.filter(({ suite }) => suite === name);
    return {
      name,
      tools: tools.filter(({ suite }) => suite === name).map(toDefinition),
      benign: groupTasks(rows.filter(({ label }) => label === "benign")),
      attacks: groupTasks(rows.filter(({ label }) => label === "attack")),
    };
  });
}

export interface BusinessSuite extends Suite {
  /** Tools of which the data has no more than calls. */
  readonly rebuilt: ReadonlySet<string>;
}

/** Servers of businesses; the rows are a sample of each task's calls, so that calls are judged one by one. */
export function readBusinessSuites(): readonly BusinessSuite[] {
  const calls = readLines<CallRow>("benign/tau2-calls.jsonl");
  const known = readLines<ToolRow>("labelled-tools.jsonl").filter(({ corpus = "" }) => corpus.includes("tau2"));
  return [...new Set(calls.map(({ domain }) => domain ?? ""))].sort().map((name) => {
    const rows = calls.filter(({ domain }) => domain === name);
    const used = [...new Set(rows.map(({ tool }) => tool))].sort();
    const found = new Map(known.map((row) => [row.tool, row]));
    return {
      name,
      tools: used.map((tool) => toDefinition({ ...(found.get(tool) ?? { tool }), inputSchema: describeUse(rows, tool, found.get(tool)) })),
      benign: groupTasks(rows),
      attacks: [],
      rebuilt: new Set(used.filter((tool) => !found.has(tool))),
    };
  });
}

/** Definitions of ordinary servers. */
export function readOrdinaryTools(): readonly JsonObject[] {
  return readLines<ToolRow>("benign/tool-definitions.jsonl").map(toDefinition);
}

function groupTasks(rows: readonly CallRow[]): readonly Task[] {
  const tasks = new Map<string, CallRow[]>();
  for (const row of rows) tasks.set(row.task, [...(tasks.get(row.task) ?? []), row]);
  return [...tasks].map(([id, steps]) => ({
    id,
    calls: steps.toSorted((a, b) => a.step - b.step).map(({ tool, args }) => ({ tool, args: toJson(args) })),
  }));
}

function toDefinition({ tool, description, inputSchema, arguments: listed, annotations }: ToolRow): JsonObject {
  const properties = listed && Object.fromEntries(listed.map(({ name, type, desc }) => [name, { type, description: desc }]));
  const schema = inputSchema ?? (properties && { type: "object", properties });
  return toJson({ name: tool, description, inputSchema: schema, annotations }) as JsonObject;
}

const JSON_TYPES: readonly (readonly [string, (value: unknown) => boolean])[] = [
  ["string", (value) => typeof value === "string"],
  ["number", (value) => typeof value === "number"],
  ["boolean", (value) => typeof value === "boolean"],
  ["array", (value) => Array.isArray(value)],
  ["object", (value) => typeof value === "object" && value !== null && !Array.isArray(value)],
];

/** Names and types of arguments as the calls use them, beside the names that the data has. */
function describeUse(rows: readonly CallRow[], tool: string, found: ToolRow | undefined): JsonObject {
  const properties: Record<string, { type?: readonly string[] }> = {};
  for (const name of found?.params ?? []) properties[name] = {};
  for (const { args } of rows.filter((row) => row.tool === tool)) {
    for (const [name, value] of Object.entries(args)) {
      const type = JSON_TYPES.find(([, is]) => is(value))?.[0];
      const types = new Set([...(properties[name]?.type ?? []), ...(type === undefined ? [] : [type])]);
      properties[name] = types.size === 0 ? {} : { type: [...types] };
    }
  }
  return toJson({ type: "object", properties }) as JsonObject;
}
