/**
 * Where an entry stands: its chain and its sequence number in it. As one whole number, the key of its row, the chain is
 * the upper part; so the first chain's numbers are its keys, and each chain's rows lie together in their order.
 */

/** Chains of one log, over its whole life; a checkpoint names them all. */
export const MAX_CHAINS = 512;
/** Entries of one chain. With the chain's number above them they stay whole numbers that JavaScript keeps exactly. */
export const CHAIN_ENTRIES: number = 2 ** 40;
export function toPlace(chain: number, seq: number): number {
  return chain * CHAIN_ENTRIES + seq;
}

export function chainOf(place: number): number {
  return Math.floor(place / CHAIN_ENTRIES);
}

export function seqOf(place: number): number {
  return place % CHAIN_ENTRIES;
}

/**
 * A place in the log as a whole: how far each chain was read. It holds a number for each chain, never a time, so that an
 * entry that is committed late is neither passed over nor told twice.
 */
export type Cursor = ReadonlyMap<number, number>;

/** `1027`, or with several chains `0:1027,2:33`. */
export function printCursor(cursor: Cursor): string {
  const [only] = cursor;
  if (cursor.size === 1 && only?.[0] === 0) return String(only[1]);
  return [...cursor]
    .sort(([left], [right]) => left - right)
    .map(([chain, seq]) => `${chain}:${seq}`)
    .join(",");
}

/** Undefined where the text is no cursor. */
export function parseCursor(text: string): Cursor | undefined {
  if (/^\d{1,13}$/.test(text)) return Number(text) < CHAIN_ENTRIES ? new Map([[0, Number(text)]]) : undefined;
  const cursor = new Map<number, number>();
  for (const part of text.split(",", MAX_CHAINS + 1)) {
    const [, chain, seq] = /^(\d{1,4}):(\d{1,13})$/.exec(part) ?? [];
    if (chain === undefined || Number(chain) >= MAX_CHAINS || Number(seq) >= CHAIN_ENTRIES || cursor.has(Number(chain))) return undefined;
    cursor.set(Number(chain), Number(seq));
  }
  return cursor.size > MAX_CHAINS ? undefined : cursor;
}
