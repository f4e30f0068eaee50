/**
 * The policies that a configuration names: read from their files or taken as they stand in it, parsed, and held against
 * each other where they share counters. Errors of a file are told at their places in that file; a file that several
 * policies name is read once.
 */
import path from "node:path";
import { type Failure, fail, type Result } from "../kernel/failure.ts";
import { isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { compilePolicy } from "../policy/compile.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { parsePolicy, readPolicy } from "../policy/parse.ts";
import { type PlaceInDocument, scanDocument } from "../policy/read-document.ts";
import { findCounterFaults, listSharedCounters, type SharedCounters } from "./check-counters.ts";
import { memberObject, textOf } from "./check-references.ts";
import type { ShapeContext } from "./check-shape.ts";
import type { ConfigSource } from "./config.ts";
import { hideText } from "./hide-text.ts";
import { readSource, type SourceText } from "./read-source.ts";

export interface PolicyLoad {
  /** The configuration as far as it fits its shape. */
  readonly document: JsonObject;
  /** The configuration file: absolute, and as people know it. */
  readonly file: string;
  readonly shown: string;
  readonly place: PlaceInDocument;
  readonly context: ShapeContext;
}

export interface LoadedPolicy {
  readonly file: string | undefined;
  readonly document: PolicyDocument;
}

export interface LoadedPolicies {
  readonly documents: ReadonlyMap<string, LoadedPolicy>;
  /** Policies under which a person may be asked. */
  readonly asking: ReadonlySet<string>;
  readonly failures: readonly Failure[];
  readonly sources: readonly ConfigSource[];
}

/** One policy on its way: what it parsed to, and where its parts stand. */
interface ReadPolicy {
  readonly file: string | undefined;
  readonly result: Result<PolicyDocument>;
  readonly findPlace: () => PlaceInDocument;
}

export async function loadPolicies(load: PolicyLoad): Promise<LoadedPolicies> {
  const files = new Map<string, SourceText>();
  const documents = new Map<string, LoadedPolicy>();
  const asking = new Set<string>();
  const failures: Failure[] = [];
  const shared: SharedCounters[] = [];
  for (const [name, entry] of Object.entries(memberObject(load.document, "policies"))) {
    const read = await readEntry(load, name, entry, files);
    if (read === undefined) continue;
    if (!read.result.ok) {
      failures.push(...read.result.failures);
      continue;
    }
    const document = read.result.value;
    const compiled = compilePolicy(document);
    documents.set(name, { file: read.file, document });
    if (compiled.canAsk) asking.add(name);
    const counters = listSharedCounters(name, textOf(entry, "server") ?? "", compiled.limits);
    for (const { pointer, message } of findCounterFaults(shared, counters)) {
      failures.push({ code: "invalid_document", message, at: read.findPlace()(pointer) });
    }
    if (counters.limits.length > 0) shared.push(counters);
  }
  return { documents, asking, failures, sources: [...files].map(([file, { digest }]) => ({ file, digest })) };
}

async function readEntry(load: PolicyLoad, name: string, entry: Json, files: Map<string, SourceText>): Promise<ReadPolicy | undefined> {
  const pointer = `/policies/${escapePointer(name)}`;
  const inline = isJsonObject(entry) ? readMember(entry, "document") : undefined;
  if (inline !== undefined) return readInline(load, inline, `${pointer}/document`);
  const named = textOf(entry, "file");
  if (named === undefined) return undefined;
  const file = path.resolve(path.dirname(load.file), named);
  const shown = path.isAbsolute(named) ? named : path.join(path.dirname(load.shown), named);
  const source = files.get(file) ?? (await readSource(file, shown));
  files.set(file, source);
  if (source.text.ok) {
    const text = source.text.value;
    return { file, result: parsePolicy(text, { file: shown }), findPlace: () => scanDocument(text, { file: shown }).place };
  }
  for (const { message } of source.text.failures) load.context.report(`${pointer}/file`, `The policy can't be read. ${message}`);
  return undefined;
}

function readInline(load: PolicyLoad, document: Json, above: string): ReadPolicy {
  const place: PlaceInDocument = (pointer, which) => load.place(above + pointer, which);
  const read = readPolicy(document, (pointer, { key }) => place(pointer, key === true ? "key" : "value"));
  const hide = (failure: Failure): Failure => (load.context.holdsExpanded(failure.at?.pointer ?? "") ? hideText(failure) : failure);
  return { file: undefined, result: read.ok ? read : fail(...read.failures.map(hide)), findPlace: () => place };
}
