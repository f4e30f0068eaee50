import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createManualClock } from "../../src/kernel/clock.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { Migrations, Store } from "../../src/store/store.ts";
import { addSealingKey, createKeyringOpener, keyringMigrations, type OpenKeyring, readSealVersion } from "../../src/vault/keyring.ts";
import { createKeys, type Keys } from "../../src/vault/keys.ts";
import { RESEAL_ROWS, resealAll } from "../../src/vault/reseal.ts";

const COLUMN = { table: "box", column: "sealed", row: "id" };
const migrations: Migrations = {
  "0900-box": async (batch) => void (await batch.run("CREATE TABLE box (id text PRIMARY KEY, sealed text)")),
};
const placeOf = (row: string) => ({ table: "box", column: "sealed", row });

interface World {
  readonly store: Store;
  readonly keys: Keys;
  readonly open: OpenKeyring;
  /** As another process would. */
  readonly other: OpenKeyring;
  put(id: string, text: string): Promise<void>;
  get(id: string): Promise<string | undefined>;
  raw(id: string): Promise<string>;
  rotate(): Promise<number>;
}

async function startWorld(): Promise<World> {
  const dir = mkdtempSync(path.join(tmpdir(), "keyring-"));
  const clock = createManualClock(1_000);
  const store = await openStore({ file: path.join(dir, "db"), clock, durability: "process", migrations: [keyringMigrations, migrations] });
  onTestFinished(async () => {
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const keys = createKeys(randomBytes(32), randomBytes);
  const options = { keys, randomBytes, now: () => clock.now() };
  const open = createKeyringOpener(options);
  const raw = async (id: string): Promise<string> =>
    String((await store.write((batch) => batch.all("SELECT sealed FROM box WHERE id = ?", [id])))[0]?.["sealed"]);
  return {
    store,
    keys,
    open,
    other: createKeyringOpener(options),
    put: (id, text) =>
      store.write(async (batch) => {
        const sealed = (await open(batch)).seal(text, placeOf(id));
        await batch.run("INSERT INTO box (id, sealed) VALUES (?, ?)", [id, sealed]);
      }),
    get: async (id) => {
      const sealed = await raw(id);
      const opened = await store.write(async (batch) => (await open(batch)).open(sealed, placeOf(id)));
      return opened.ok ? opened.value : undefined;
    },
    raw,
    rotate: () => store.write((batch) => addSealingKey(batch, options)),
  };
}

test("a value carries the number of its key and opens in its row alone", async () => {
  const world = await startWorld();
  await world.put("a", "the secret of a");
  const sealed = await world.raw("a");
  expect(readSealVersion(sealed)).toBe(1);
  expect(sealed).not.toContain("secret");
  expect(await world.get("a")).toBe("the secret of a");
  const elsewhere = await world.store.write(async (batch) => {
    const keyring = await world.other(batch);
    return [
      keyring.open(sealed, placeOf("b")),
      keyring.open(sealed, { ...placeOf("a"), column: "other" }),
      keyring.open(sealed, placeOf("a")),
    ];
  });
  expect(elsewhere.map(({ ok }) => ok)).toEqual([false, false, true]);
});

test("after a rotation the old key still opens, the new one seals, and what is sealed anew needs the old one no more", async () => {
  const world = await startWorld();
  const count = RESEAL_ROWS * 2 + 3;
  for (let index = 0; index < count; index++) await world.put(`row-${index}`, `secret ${index}`);
  const digest = world.keys.deriveKey("token").toString("hex");
  expect(await world.rotate()).toBe(2);
  expect(await world.get("row-7")).toBe("secret 7");
  await world.put("new", "newer");
  expect(readSealVersion(await world.raw("new"))).toBe(2);
  const resealed = await resealAll((job) => world.store.write(job), world.other, [COLUMN]);
  expect(resealed).toEqual({ rows: count, damaged: 0, removed: [1] });
  for (const row of ["row-0", "row-7", `row-${count - 1}`, "new"]) expect(readSealVersion(await world.raw(row))).toBe(2);
  expect(await world.get("row-7")).toBe("secret 7");
  expect(world.keys.deriveKey("token").toString("hex")).toBe(digest);
  const again = await resealAll((job) => world.store.write(job), world.open, [COLUMN]);
  expect(again).toEqual({ rows: 0, damaged: 0, removed: [] });
});

test("whoever held the old key seals with the new one from its next transaction on", async () => {
  const world = await startWorld();
  await world.put("a", "first");
  await world.store.write(async (batch) => void (await world.other(batch)));
  await world.rotate();
  await resealAll((job) => world.store.write(job), world.open, [COLUMN]);
  const sealed = await world.store.write(async (batch) => (await world.other(batch)).seal("later", placeOf("a")));
  expect(readSealVersion(sealed)).toBe(2);
});

test("what can't be opened stays as it is, keeps its key and holds up nothing else", async () => {
  const world = await startWorld();
  await world.put("a", "one");
  await world.put("b", "two");
  const damaged = (await world.raw("a")).replace(/.{4}$/, (end) => (end === "AAAA" ? "BBBB" : "AAAA"));
  await world.store.write((batch) => batch.run("UPDATE box SET sealed = ? WHERE id = 'a'", [damaged]));
  await world.rotate();
  const resealed = await resealAll((job) => world.store.write(job), world.open, [COLUMN]);
  expect(resealed).toEqual({ rows: 1, damaged: 1, removed: [] });
  expect(await world.raw("a")).toBe(damaged);
  expect(await world.get("a")).toBeUndefined();
  expect(await world.get("b")).toBe("two");
});

test("another master key opens none of them", async () => {
  const world = await startWorld();
  await world.put("a", "one");
  const foreign = createKeyringOpener({ keys: createKeys(randomBytes(32), randomBytes), randomBytes, now: () => 0 });
  const sealed = await world.raw("a");
  const opened = await world.store.write(async (batch) => (await foreign(batch)).open(sealed, placeOf("a")));
  expect(opened).toMatchObject({ ok: false, failures: [{ code: "key_unusable" }] });
});
