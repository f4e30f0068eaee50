/**
 * Lines become rows in as few statements as go. Up to sixteen rows have a statement of their own length, more are cut into
 * a few lengths, so that the prepared ones stay few. Where the table lies in parts by month, each statement is of one.
 */
import type { Batch, SqlValue } from "../store/store.ts";

const LARGE = [64, 32] as const;
/** Up to so many rows any number has its statement. */
const SMALL = 16;

/** Months since the year 0, in UTC: what a part of the table holds. */
export function monthOf(timeMs: number): number {
  const date = new Date(timeMs);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

/** When a month begins. */
export function startOfMonth(month: number): number {
  return Date.UTC(Math.floor(month / 12), month % 12, 1);
}

export interface RowWriter {
  /** `values` are place and line of each row by turns, `timesMs` each row's time, rising. */
  insert(batch: Batch, values: SqlValue[], timesMs: readonly number[]): Promise<void>;
}

export function createRowWriter(): RowWriter {
  /** By number of rows, for the month that is now. */
  let statements: (string | undefined)[] = [];
  let statementMonth: number | undefined;

  function findStatement(rows: number, month: number | undefined): string {
    if (month !== statementMonth) {
      statements = [];
      statementMonth = month;
    }
    const known = statements[rows];
    if (known !== undefined) return known;
    const row = month === undefined ? "(?,?)" : `(?,${month},?)`;
    const columns = month === undefined ? "place, line" : "place, month, line";
    const made = `insert into audit_entry (${columns}) values ${`${row},`.repeat(rows - 1)}${row}`;
    statements[rows] = made;
    return made;
  }

  /** Rows from `from` up to `to`, not included, all of one month. */
  function insertSome(batch: Batch, values: SqlValue[], from: number, to: number, month: number | undefined): Promise<unknown> {
    const sent: Promise<number>[] = [];
    for (let at = from; at < to; ) {
      const left = to - at;
      const count = left <= SMALL ? left : (LARGE.find((size) => left >= size) ?? SMALL);
      const some = count * 2 === values.length ? values : values.slice(at * 2, (at + count) * 2);
      sent.push(batch.run(findStatement(count, month), some));
      at += count;
    }
    return sent.length === 1 ? (sent[0] as Promise<number>) : Promise.all(sent);
  }

  return {
    async insert(batch, values, timesMs) {
      if (!batch.partitions) return void (await insertSome(batch, values, 0, timesMs.length, undefined));
      for (let from = 0; from < timesMs.length; ) {
        const month = monthOf(timesMs[from] as number);
        let to = from + 1;
        while (to < timesMs.length && monthOf(timesMs[to] as number) === month) to++;
        await insertSome(batch, values, from, to, month);
        from = to;
      }
    },
  };
}
