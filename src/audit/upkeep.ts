/**
 * What the log needs beside its entries: a checkpoint over a tail that no later entry would have signed, the lease on the
 * chain that this process writes, an index over finished spans, and old months taken away. Runs now and then, off the path
 * of calls; a round that fails is tried again and loses nothing. Of several processes one at a time indexes and retires.
 */
import type { Clock } from "../kernel/clock.ts";
import { createId } from "../kernel/id.ts";
import { releaseLease, takeLease } from "../store/lease.ts";
import type { Store } from "../store/store.ts";
import { monthOf } from "./insert-rows.ts";
import { readLogHead } from "./read-log.ts";
import { dropMonths, findCutMs, type Retention, removeRetired, retireMonths } from "./retention.ts";
import { indexSpan, readIndexed, SPAN_ENTRIES } from "./term-index.ts";
import { BESIDE_CALLS } from "./write-terms.ts";
import { type Audit, CHECKPOINT_EVERY_MS } from "./writer.ts";

/** Groups between two rounds above which the gateway counts as busy. */
const BUSY_GROUPS = 100;
/** Spans that one round indexes, some tens of milliseconds each; while calls come in numbers, most of them wait. */
const MAX_SPANS_PER_ROUND = 64;
const MAX_BUSY_SPANS_PER_ROUND = 8;
const LEASE_NAME = "audit/upkeep";
/** Longer than any round; a process that died in one keeps the others waiting so long. */
const LEASE_MS = 60_000;

export interface UpkeepOptions {
  readonly store: Store;
  readonly audit: Audit;
  readonly clock: Clock;
  /** How long entries are kept, as it holds now; undefined: for ever. */
  readonly readRetention?: () => Retention | undefined;
  readonly everyMs?: number;
  /** Told of a round that failed. */
  readonly onFault?: (error: unknown) => void;
}

/** Indexes finished spans that are not indexed yet; gives how many it did. */
export async function indexSpans(store: Store, maxSpans: number = MAX_SPANS_PER_ROUND): Promise<number> {
  const log = await readLogHead(store.query);
  const indexed = await readIndexed(store.query);
  let done = 0;
  for (const { chain, size } of log?.chains ?? []) {
    const end = Math.floor(size / SPAN_ENTRIES);
    for (let span = Math.floor((indexed.get(chain) ?? 0) / SPAN_ENTRIES); span < end; span++) {
      if (done >= maxSpans) return done;
      if (!(await indexSpan(store, chain, span))) break;
      done++;
    }
  }
  return done;
}

async function isBehind(store: Store): Promise<boolean> {
  const log = await readLogHead(store.query);
  const indexed = await readIndexed(store.query);
  return log?.chains.some(({ chain, size }) => size - (indexed.get(chain) ?? 0) >= SPAN_ENTRIES) ?? false;
}

/** Starts the rounds; the stopper signs what is left and ends them. */
export function startUpkeep(options: UpkeepOptions): () => Promise<void> {
  const { store, audit, clock } = options;
  const holder = createId(clock.now());
  let running: Promise<void> | undefined;
  let seen = audit.committed;
  let preparedMonth: number | undefined;
  /** The cut that was carried out. */
  let retiredMs = 0;
  let retention: Retention | undefined;
  const sign = async (): Promise<void> => {
    if (audit.unsigned > 0) await store.write((batch) => audit.checkpoint(batch), BESIDE_CALLS);
    else if (audit.holdsChain) await store.write((batch) => audit.renew(batch), BESIDE_CALLS);
  };
  const withLease = async (act: () => Promise<void>): Promise<void> => {
    const nowMs = clock.now();
    if (!(await store.write((batch) => takeLease(batch, { name: LEASE_NAME, holder, nowMs, untilMs: nowMs + LEASE_MS })))) return;
    try {
      await act();
    } finally {
      await store.write((batch) => releaseLease(batch, LEASE_NAME, holder));
    }
  };
  const retire = async (rule: Retention): Promise<void> => {
    const cutMs = findCutMs(clock.now(), rule);
    if (cutMs <= retiredMs) return;
    await withLease(async () => {
      await retireMonths({ store, audit, clock, retention: rule });
      await dropMonths(store, cutMs);
      if (await removeRetired(store)) retiredMs = cutMs;
    });
  };
  const prepare = async (): Promise<void> => {
    const month = monthOf(clock.now());
    if (month === preparedMonth) return;
    await store.write((batch) => audit.prepare(batch));
    preparedMonth = month;
  };
  const round = async (): Promise<void> => {
    try {
      await sign();
      await prepare();
      // An index only makes searching quick.
      const groups = audit.committed - seen;
      seen = audit.committed;
      if (await isBehind(store)) {
        await withLease(async () => void (await indexSpans(store, groups > BUSY_GROUPS ? MAX_BUSY_SPANS_PER_ROUND : MAX_SPANS_PER_ROUND)));
      }
      const rule = options.readRetention?.();
      if (rule?.text !== retention?.text) retiredMs = 0;
      retention = rule;
      if (rule) await retire(rule);
    } catch (error) {
      options.onFault?.(error);
    }
  };
  const timer = setInterval(() => {
    running ??= round().finally(() => {
      running = undefined;
    });
  }, options.everyMs ?? CHECKPOINT_EVERY_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await running;
    await sign();
  };
}
