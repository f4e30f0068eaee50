/**
 * What servers listed at the last scan: one small file for each in the data folder, or one file of all that a repository
 * keeps. Holds definitions alone, never an address, an argument or a variable; what can't be read is no baseline, and said.
 */
import { hash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Failure, fail, type Result, succeed } from "../kernel/failure.ts";
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import { compareDefinitions } from "../upstream/compare-definitions.ts";
import type { ToolDefinition } from "../upstream/definition.ts";
import type { ServerDrift, ToolDrift } from "./report.ts";
import type { Target } from "./target.ts";

/** A longer list is not kept. */
export const MAX_BASELINE_BYTES: number = 16 * 1024 * 1024;
const MAX_TOLD_CHANGES = 20;
const FORM = 1;

export interface Snapshot {
  readonly atMs: number;
  /** By name, the text of each definition. */
  readonly tools: ReadonlyMap<string, Json>;
}

export interface Baseline {
  /** Undefined: this server was not seen before. */
  find(target: Target): Promise<Snapshot | undefined>;
  /** Remembers what was listed. Words where that failed. */
  keep(target: Target, tools: readonly ToolDefinition[], nowMs: number): Promise<void>;
  /** Writes what is written at the end. */
  close(): Promise<string | undefined>;
}

/** The same server gives the same key; what it is called and what it is given of credentials is no part of it. */
export function keyOf(target: Target): string {
  // What is shown has no secret; the group keeps apart what two projects call alike.
  return hash("sha256", JSON.stringify([target.kind, target.name, target.shown]), "hex").slice(0, 32);
}

/** One file for each server in a folder that this process owns. */
export function openFolderBaseline(folder: string): Baseline {
  let fault: string | undefined;
  const fileOf = (target: Target): string => path.join(folder, `${keyOf(target)}.json`);
  return {
    async find(target) {
      const text = await readFile(fileOf(target), "utf8").catch(() => undefined);
      const parsed = text === undefined || text.length > MAX_BASELINE_BYTES ? undefined : parseStrictJson(text);
      return parsed === undefined || isJsonFault(parsed) ? undefined : readSnapshot(parsed.value);
    },
    async keep(target, tools, nowMs) {
      const text = printSnapshot(tools, nowMs, `{"form":${FORM},"name":${JSON.stringify(target.name)},`);
      if (text.length > MAX_BASELINE_BYTES) return;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await replaceFile(fileOf(target), `${text}\n`, 0o600);
      } catch {
        fault = `What was listed can't be remembered in ${folder}: the next scan will see no drift.`;
      }
    },
    close: () => Promise.resolve(fault),
  };
}

/** One file of all servers, as a repository keeps it. It is written where it is not there yet, or where `update` says so. */
export async function openFileBaseline(file: string, update: boolean): Promise<Result<Baseline>> {
  const text = await readFile(file, "utf8").catch((error: unknown) =>
    (error as { readonly code?: unknown }).code === "ENOENT" ? undefined : null,
  );
  const broken: Failure = {
    code: "invalid_document",
    message: "The baseline can't be read.",
    at: { file },
    hint: "Name another file, or remove it to begin anew.",
  };
  if (text === null || (text?.length ?? 0) > MAX_BASELINE_BYTES) return fail(broken);
  const parsed = text === undefined ? undefined : parseStrictJson(text);
  if (parsed !== undefined && isJsonFault(parsed)) return fail(broken);
  const servers = parsed && isJsonObject(parsed.value) ? readMember(parsed.value, "servers") : undefined;
  if (parsed !== undefined && !isJsonObject(servers)) return fail(broken);
  const known: JsonObject = isJsonObject(servers) ? servers : {};
  const written = new Map<string, string>();
  return succeed({
    find(target) {
      const held = readMember(known, keyOf(target));
      return Promise.resolve(held === undefined ? undefined : readSnapshot(held));
    },
    keep(target, tools, nowMs) {
      written.set(keyOf(target), printSnapshot(tools, nowMs, `{"form":${FORM},"name":${JSON.stringify(target.name)},`));
      return Promise.resolve();
    },
    async close() {
      if (parsed !== undefined && !update) return undefined;
      const lines = [...written].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, snapshot]) => `${JSON.stringify(key)}:${snapshot}`);
      await replaceFile(file, `{"form":${FORM},"servers":{\n${lines.join(",\n")}\n}}\n`, 0o644);
      return undefined;
    },
  });
}

export async function replaceFile(file: string, text: string, mode: number): Promise<void> {
  const temporary = `${file}.${process.pid}.new`;
  await writeFile(temporary, text, { mode });
  await rename(temporary, file);
}

function printSnapshot(tools: readonly ToolDefinition[], nowMs: number, head: string): string {
  const texts = tools.map(({ name, text }) => `[${JSON.stringify(name)},${text}]`);
  return `${head}"at":${nowMs},"tools":[${texts.join(",")}]}`;
}

function readSnapshot(value: Json): Snapshot | undefined {
  if (!isJsonObject(value) || readMember(value, "form") !== FORM) return undefined;
  const at = readMember(value, "at");
  const listed = readMember(value, "tools");
  if (typeof at !== "number" || !isJsonList(listed)) return undefined;
  const tools = new Map<string, Json>();
  for (const pair of listed) {
    const [name, definition] = isJsonList(pair) ? pair : [];
    if (typeof name !== "string" || definition === undefined) return undefined;
    tools.set(name, definition);
  }
  return { atMs: at, tools };
}

export function compareWithBaseline(snapshot: Snapshot, tools: readonly ToolDefinition[]): ServerDrift {
  const drifted: ToolDrift[] = [];
  const now = new Map(tools.map((tool) => [tool.name, tool.value]));
  for (const [name, value] of now) {
    const before = snapshot.tools.get(name);
    if (before === undefined) {
      drifted.push({ name, kind: "new", effect: "widens", changes: [] });
      continue;
    }
    const { changes, verdict } = compareDefinitions(before, value);
    if (verdict === undefined) continue;
    const told = changes.slice(0, MAX_TOLD_CHANGES).map(({ pointer, effect, note }) => ({ pointer, effect, note }));
    drifted.push({ name, kind: "changed", effect: verdict, changes: told });
  }
  for (const name of snapshot.tools.keys()) if (!now.has(name)) drifted.push({ name, kind: "gone", effect: "narrows", changes: [] });
  return { sinceMs: snapshot.atMs, tools: drifted };
}
