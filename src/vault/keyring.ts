/**
 * The keys that seal what the database keeps: random, numbered, each sealed itself under the master key. The newest one
 * seals; every one that is still there opens. A new number takes over without a stop, and the master key, with all that
 * is derived from it (digests of tokens, signatures), stays as it is. Knows no database: callers hand over a batch.
 */
import { assert } from "../kernel/assert.ts";
import { fail, type Result } from "../kernel/failure.ts";
import type { Keys } from "./keys.ts";
import { createSealer, type Sealer, type SealPlace } from "./seal.ts";

const KEY_BYTES = 32;
const VERSION = /^sealed1\.v([1-9]\d{0,8})\./;

/** The part of the store's batch that is needed here. */
export interface KeyringBatch {
  all(sql: string, parameters?: readonly (string | number)[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  run(sql: string, parameters?: readonly (string | number)[]): Promise<number>;
}

export const keyringMigrations: Readonly<Record<string, (batch: KeyringBatch) => Promise<void>>> = {
  "0011-sealing-keys": async (batch) => {
    await batch.run("create table sealing_key (version bigint not null primary key, sealed text not null, created_ms bigint not null)");
  },
};

export interface KeyVersion {
  readonly version: number;
  readonly createdMs: number;
}

/**
 * Good within the batch that it was opened in, and not beyond: whoever seals has then certainly used the newest key, so
 * that an old one that nothing carries any more can be thrown away.
 */
export interface Keyring {
  /** Newest last. */
  readonly versions: readonly KeyVersion[];
  readonly current: number;
  seal(plaintext: string, place: SealPlace): string;
  open(sealed: string, place: SealPlace): Result<string>;
}

export interface KeyringOptions {
  readonly keys: Pick<Keys, "seal" | "open">;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly now: () => number;
}

/** Gives the keyring of a transaction. */
export type OpenKeyring = (batch: KeyringBatch) => Promise<Keyring>;

/** Makes the first key where there is none. */
export function createKeyringOpener(options: KeyringOptions): OpenKeyring {
  /** Opened once: a version never changes what it stands for. */
  const sealers = new Map<string, Sealer>();
  const sealerOf = (version: number, sealed: string): Sealer | undefined => {
    const known = sealers.get(sealed);
    if (known) return known;
    const opened = options.keys.open(sealed, placeOf(version));
    if (!opened.ok) return undefined;
    const sealer = createSealer(Buffer.from(opened.value, "base64"), `v${version}`, options.randomBytes);
    sealers.set(sealed, sealer);
    return sealer;
  };
  return async (batch) => {
    let rows = await readRows(batch);
    if (rows.length === 0) {
      await insertKey(batch, options, 1);
      rows = await readRows(batch);
    }
    const byVersion = new Map(rows.map(({ version, sealed }) => [version, sealed]));
    const newest = rows[rows.length - 1];
    assert(newest, "a keyring holds a key");
    return {
      versions: rows.map(({ version, createdMs }) => ({ version, createdMs })),
      current: newest.version,
      seal(plaintext, place) {
        const sealer = sealerOf(newest.version, newest.sealed);
        assert(sealer, "the newest sealing key can't be opened");
        return sealer.seal(plaintext, place);
      },
      open(sealed, place) {
        const version = readSealVersion(sealed);
        const key = version === undefined ? undefined : byVersion.get(version);
        const sealer = version === undefined || key === undefined ? undefined : sealerOf(version, key);
        if (sealer) return sealer.open(sealed, place);
        const message = `The key of the sealed \`${place.column}\` of \`${place.table}\` is not there or can't be opened.`;
        return fail({ code: "key_unusable", message });
      },
    };
  };
}

/** The number of the key that a value was sealed with; undefined where it is no such value. */
export function readSealVersion(sealed: string): number | undefined {
  const match = VERSION.exec(sealed);
  return match === null ? undefined : Number(match[1]);
}

/** Adds a key, which seals from now on; gives its number. */
export async function addSealingKey(batch: KeyringBatch, options: KeyringOptions): Promise<number> {
  const rows = await readRows(batch);
  const version = (rows[rows.length - 1]?.version ?? 0) + 1;
  await insertKey(batch, options, version);
  return version;
}

export async function removeSealingKey(batch: KeyringBatch, version: number): Promise<void> {
  await batch.run("delete from sealing_key where version = ?", [version]);
}

async function insertKey(batch: KeyringBatch, options: KeyringOptions, version: number): Promise<void> {
  const key = Buffer.from(options.randomBytes(KEY_BYTES)).toString("base64");
  const sealed = options.keys.seal(key, placeOf(version));
  await batch.run("insert into sealing_key (version, sealed, created_ms) values (?, ?, ?)", [version, sealed, options.now()]);
}

interface KeyRow extends KeyVersion {
  readonly sealed: string;
}

async function readRows(batch: KeyringBatch): Promise<KeyRow[]> {
  const rows = await batch.all("select version, sealed, created_ms from sealing_key order by version");
  return rows.map((row) => ({ version: Number(row["version"]), sealed: String(row["sealed"]), createdMs: Number(row["created_ms"]) }));
}

function placeOf(version: number): SealPlace {
  return { table: "sealing_key", column: "sealed", row: String(version) };
}
