/**
 * Joins chains into one order: by time, then by id, and each chain's entries always in the chain's own order. What several
 * writers wrote side by side has no other order; what one exchange left is all of one chain.
 */
import { PAGE_ENTRIES, readTimeMs, type StoredEntry } from "./read-log.ts";

const ID = /^.{1,40}?"id":"([0-9a-z]{1,64})"/;

/** What entries of several chains are put in order by. */
export function orderKey(line: string): string {
  const timeMs = readTimeMs(line);
  return `${String(Number.isNaN(timeMs) ? 0 : timeMs).padStart(16, "0")} ${ID.exec(line)?.[1] ?? ""}`;
}

interface Source {
  readonly pages: AsyncIterator<readonly StoredEntry[]>;
  page: readonly StoredEntry[];
  at: number;
  key: string;
}

async function advance(source: Source): Promise<boolean> {
  source.at++;
  while (source.at >= source.page.length) {
    const next = await source.pages.next();
    if (next.done) return false;
    source.page = next.value;
    source.at = 0;
  }
  source.key = orderKey((source.page[source.at] as StoredEntry).line);
  return true;
}

/** Pages of the joined order, oldest first. A single chain's pages come as they are. */
export async function* mergePages(chains: readonly AsyncIterable<readonly StoredEntry[]>[]): AsyncGenerator<readonly StoredEntry[]> {
  const [only] = chains;
  if (chains.length === 1 && only) {
    yield* only;
    return;
  }
  let sources: Source[] = [];
  for (const chain of chains) {
    const source: Source = { pages: chain[Symbol.asyncIterator](), page: [], at: 0, key: "" };
    if (await advance(source)) sources.push(source);
  }
  let page: StoredEntry[] = [];
  while (sources.length > 0) {
    let first = sources[0] as Source;
    for (const source of sources) if (source.key < first.key) first = source;
    page.push(first.page[first.at] as StoredEntry);
    if (page.length >= PAGE_ENTRIES) {
      yield page;
      page = [];
    }
    if (!(await advance(first))) sources = sources.filter((source) => source !== first);
  }
  if (page.length > 0) yield page;
}
