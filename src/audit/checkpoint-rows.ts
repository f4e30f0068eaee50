/** The checkpoints of one chain as they are stored, in order, a few at a time. */
import { readRows } from "../store/read-rows.ts";
import type { Store } from "../store/store.ts";
import { CHAIN_ENTRIES, seqOf, toPlace } from "./place.ts";

const ROWS_PER_READ = 256;

export interface CheckpointRow {
  readonly size: number;
  readonly note: string;
}

export class CheckpointRows {
  readonly #store: Pick<Store, "query">;
  readonly #chain: number;
  #rows: CheckpointRow[] = [];
  #after: number;
  #ended = false;

  /** Those of a chain from its entry `from` on. */
  constructor(store: Pick<Store, "query">, chain: number, from: number) {
    this.#store = store;
    this.#chain = chain;
    this.#after = from - 1;
  }

  async peek(): Promise<CheckpointRow | undefined> {
    if (this.#rows.length === 0 && !this.#ended) {
      const rows = await readRows(
        this.#store.query,
        "select place, note from audit_checkpoint where place > ? and place < ? order by place limit ?",
        [toPlace(this.#chain, this.#after), (this.#chain + 1) * CHAIN_ENTRIES, ROWS_PER_READ],
      );
      this.#rows = rows.map((row) => ({ size: seqOf(Number(row["place"])), note: String(row["note"]) }));
      this.#ended = rows.length < ROWS_PER_READ;
      this.#after = this.#rows.at(-1)?.size ?? this.#after;
    }
    return this.#rows[0];
  }

  skip(): void {
    this.#rows.shift();
  }
}
