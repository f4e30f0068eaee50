/**
 * What the log needs beside its entries: a checkpoint over a tail that no later entry would have signed, and summaries of
 * finished sections. Runs now and then, off the path of calls; a round that fails is tried again and loses nothing.
 */
import type { Store } from "../store/store.ts";
import { summariseSections } from "./section.ts";
import { type Audit, CHECKPOINT_EVERY_MS } from "./writer.ts";

/** Groups between two rounds above which the gateway counts as busy. */
const BUSY_GROUPS = 100;

export interface UpkeepOptions {
  readonly store: Store;
  readonly audit: Audit;
  readonly everyMs?: number;
  /** Told of a round that failed. */
  readonly onFault?: (error: unknown) => void;
}

/** Starts the rounds; the stopper signs what is left and ends them. */
export function startUpkeep(options: UpkeepOptions): () => Promise<void> {
  const { store, audit } = options;
  let running: Promise<void> | undefined;
  let seen = audit.committed;
  const sign = async (): Promise<void> => {
    if (audit.unsigned > 0) await store.write((batch) => audit.checkpoint(batch));
  };
  const round = async (): Promise<void> => {
    try {
      await sign();
      // Summaries only make searching quick; while calls come in numbers, most of them wait.
      const groups = audit.committed - seen;
      seen = audit.committed;
      await (groups > BUSY_GROUPS ? summariseSections(store, 1) : summariseSections(store));
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
