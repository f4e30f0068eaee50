/**
 * How a group begins, in one round trip: its locks, what administrators have decided so far, the time. A group without
 * terms excludes every other on the database; shared ones exclude each other by the locks they name, which are taken in
 * one order by all, so that no two groups wait for each other. The locks go with the transaction, however it ends.
 */
import { hash } from "node:crypto";
import { assert } from "../../kernel/assert.ts";
import { BoundedMap } from "../../kernel/bounded-map.ts";
import type { PostgresConnection } from "./connection.ts";
import { refusal } from "./failure.ts";

const MAX_HASHES = 4096;
const hashes = new BoundedMap<string, bigint>(MAX_HASHES);

/** Advisory locks have 64 bits; two names that share them wait for each other needlessly, and no more. */
export function hashName(name: string): bigint {
  let known = hashes.get(name);
  if (known === undefined) hashes.set(name, (known = hash("sha256", name, "buffer").readBigInt64BE(0)));
  return known;
}

/** What every group takes: to share, or alone. */
export const GROUP_LOCK: bigint = hashName("sallyport/group");

export interface Begun {
  readonly generation: number | undefined;
  readonly nowMs: number;
}

const FACTS =
  "SELECT (SELECT value FROM meta WHERE name = 'generation') AS generation, " +
  "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms";
export const NOW = "SELECT NULL AS generation, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms";
export const LOOK: string = FACTS;

export function writeBegin(locks: ReadonlySet<string> | undefined): string {
  const begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;SELECT pg_advisory_xact_lock";
  if (locks === undefined) return `${begin}(${GROUP_LOCK});${FACTS}`;
  const keys = [...locks].map(hashName).filter((key) => key !== GROUP_LOCK);
  keys.sort((left, right) => (left < right ? -1 : left > right ? 1 : 0));
  const named = keys.length === 0 ? "" : `SELECT pg_advisory_xact_lock(k) FROM unnest('{${keys.join(",")}}'::bigint[]) AS k;`;
  return `${begin}_shared(${GROUP_LOCK});${named}${FACTS}`;
}

export async function beginGroup(connection: PostgresConnection, locks: ReadonlySet<string> | undefined): Promise<Begun> {
  // Statements of one text see what was committed before each of them: what is read here is read under the locks.
  const row = (await connection.runAll(writeBegin(locks))).at(-1)?.rows[0];
  const [generation, nowMs] = [row?.["generation"], row?.["now_ms"]];
  assert(typeof nowMs === "number", "the database tells no time");
  if (typeof generation !== "number") throw refusal("The database was emptied while it was in use.");
  return { generation, nowMs };
}
