/**
 * A document on its way to become the active revision of a policy, with all that can be worked out before the store is
 * asked, and the two questions that decide whether it may: does it count as its neighbours do, and do its classes exist.
 */
import { type CounterFault, findCounterFaults, listSharedCounters, type SharedCounters } from "../config/check-counters.ts";
import { type Failure, FailureError } from "../kernel/failure.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { compilePolicy } from "../policy/compile.ts";
import type { CompiledPolicy } from "../policy/decision.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { parsePolicy } from "../policy/parse.ts";
import { hashPolicy, printPolicy } from "../policy/print.ts";
import type { Readable } from "../store/read-rows.ts";
import { type PolicyRecord, readRevision } from "./policy.ts";

/** Whether the accepted tools of a server have classes; undefined while no tools of it are accepted. */
export type HasClasses = (server: string) => boolean | undefined;

export interface Candidate {
  readonly name: string;
  readonly server: string;
  readonly document: PolicyDocument;
  readonly hash: string;
  readonly text: string;
  readonly compiled: CompiledPolicy;
  readonly counters: SharedCounters;
}

export function prepareCandidate(name: string, server: string, document: PolicyDocument): Candidate {
  const compiled = compilePolicy(document);
  const counters = listSharedCounters(name, server, compiled.limits);
  return { name, server, document, hash: hashPolicy(document), text: printPolicy(document), compiled, counters };
}

/** What stands in the way of a candidate; `place` puts a pointer of its document where people find it. */
export function findObstacles(
  candidate: Candidate,
  others: readonly SharedCounters[],
  hasClasses: HasClasses,
  place: (pointer: string) => { readonly pointer: string },
): Failure[] {
  const faults: CounterFault[] = findCounterFaults(others, candidate.counters);
  if (candidate.compiled.selectsByClass && hasClasses(candidate.server) === false) {
    const message = `The policy selects by class, and the tools of the server \`${candidate.server}\` have no classes.`;
    faults.push({ pointer: findClassSelector(candidate.document), message });
  }
  return faults.map(({ pointer, message }) => ({ code: "invalid_document", message, at: place(pointer) }));
}

/** The shared counters of policies in force. */
export async function readSharedCounters(source: Readable, policies: readonly PolicyRecord[]): Promise<SharedCounters[]> {
  const shared: SharedCounters[] = [];
  for (const policy of policies.filter(({ present, sharesCounters }) => present && sharesCounters)) {
    const revision = await readRevision(source, policy.id, policy.revision);
    if (revision === undefined) continue;
    shared.push(listSharedCounters(policy.name, policy.server, compilePolicy(parseStored(revision.document, policy.name)).limits));
  }
  return shared;
}

/** A stored document was checked when it was stored; one that no longer parses was written by another version. */
export function parseStored(document: string, name: string): PolicyDocument {
  const parsed = parsePolicy(document, { format: "json" });
  if (parsed.ok) return parsed.value;
  const message = `The active revision of the policy \`${name}\` can't be read by this version.`;
  throw new FailureError({ code: "invalid_document", message, hint: "Start the version that stored it, or put a new revision." });
}

function findClassSelector(document: PolicyDocument): string {
  const selector = Object.keys(document.tools ?? {}).find((text) => text.startsWith("@"));
  if (selector !== undefined) return `/tools/${escapePointer(selector)}`;
  const hidden = document.hide?.findIndex((text) => text.startsWith("@")) ?? -1;
  return hidden < 0 ? "" : `/hide/${hidden}`;
}
