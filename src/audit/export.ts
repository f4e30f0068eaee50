/**
 * Exports the log as lines of JSON, the stored bytes, a page at a time, and a signed checkpoint as the last line. An
 * unfiltered export is the whole log up to that checkpoint. A filtered one says that it proves only its own entries.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../kernel/clock.ts";
import type { Store } from "../store/store.ts";
import { readLine } from "./chain.ts";
import { signCheckpoint } from "./checkpoint.ts";
import { printCheckpointLine } from "./checkpoint-line.ts";
import { type AuditFilter, compileFilter } from "./filter.ts";
import { RangeList } from "./ranges.ts";
import { readPages } from "./read-log.ts";
import { findBounds } from "./search.ts";
import type { Audit } from "./writer.ts";

export interface ExportOptions {
  readonly store: Store;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly filter?: AuditFilter;
  readonly signal?: AbortSignal;
}

/** What the last line of a filtered export signs: the hashes of its entries, in order, each followed by a line break. */
export function createExportDigest(): { add(hash: string): void; finish(): string } {
  const digest = createHash("sha256");
  return { add: (own) => void digest.update(`${own}\n`), finish: () => digest.digest("hex") };
}

/** Pieces of the file, each of whole lines. */
export async function* exportLog(options: ExportOptions): AsyncGenerator<string> {
  const { store, audit, signal } = options;
  const filter = options.filter ?? {};
  const line = compileFilter(filter);
  const checkpoint = await store.write((batch) => audit.checkpoint(batch));
  if (line.isEmpty) {
    for await (const page of readPages(store, 1, checkpoint.size)) {
      signal?.throwIfAborted();
      yield `${page.map((entry) => entry.line).join("\n")}\n`;
    }
    yield `${printCheckpointLine(checkpoint)}\n`;
    return;
  }
  const digest = createExportDigest();
  const ranges = new RangeList();
  let entries = 0;
  const { first, last } = await findBounds(store, filter, checkpoint.size);
  for await (const page of readPages(store, first, last)) {
    signal?.throwIfAborted();
    const found = page.filter((entry) => line.matches(entry.line));
    for (const { seq, line: text } of found) {
      digest.add(readLine(text)?.hash ?? "");
      ranges.add(seq);
      entries++;
    }
    if (found.length > 0) yield `${found.map((entry) => entry.line).join("\n")}\n`;
  }
  const signed = signCheckpoint(
    { of: "export", logId: checkpoint.logId, size: entries, hash: digest.finish(), timeMs: options.clock.now() },
    audit.signer,
  );
  yield `${printCheckpointLine(signed, ranges.print())}\n`;
}
