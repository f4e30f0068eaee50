import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createManualClock } from "../../src/kernel/clock.ts";
import { openStore } from "../../src/store/open-store.ts";
import { checkKeys, keyCheckMigrations } from "../../src/vault/key-check.ts";
import { createKeys } from "../../src/vault/keys.ts";

const keys = createKeys(Buffer.alloc(32, 1), randomBytes);
const other = createKeys(Buffer.alloc(32, 2), randomBytes);
const PLACE = { table: "server", column: "credential", row: "sendit" };

describe("a sealed text", () => {
  it("opens where it was sealed, whatever it holds", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", " ", "\u0000", "é", "😀", "\n", ".") }), (text) => {
        expect(keys.open(keys.seal(text, PLACE), PLACE)).toEqual({ ok: true, value: text });
      }),
    );
  });

  it("opens nowhere else", () => {
    const sealed = keys.seal("secret", PLACE);
    for (const place of [
      { ...PLACE, table: "x" },
      { ...PLACE, column: "x" },
      { ...PLACE, row: "x" },
      { table: "servercredential", column: "", row: "sendit" },
    ]) {
      expect(keys.open(sealed, place)).toMatchObject({ ok: false, failures: [{ code: "key_unusable" }] });
    }
  });

  it("opens with no other master key, and says which was needed by no more than an id", () => {
    const opened = other.open(keys.seal("secret", PLACE), PLACE);
    expect(opened).toMatchObject({ ok: false, failures: [{ message: expect.stringContaining("another master key") }] });
  });

  it("does not open when one letter of it changed", () => {
    const sealed = keys.seal("secret", PLACE);
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.constantFrom(..."aZ0-_.="), (at, letter) => {
        const changed = sealed.slice(0, at) + letter + sealed.slice(at + 1);
        expect(keys.open(changed, PLACE).ok).toBe(changed === sealed);
      }),
    );
    expect(keys.open("", PLACE).ok).toBe(false);
    expect(keys.open(sealed.slice(0, -4), PLACE).ok).toBe(false);
  });

  it("never is the same twice, and never shows its text", () => {
    expect(keys.seal("canary-4711", PLACE)).not.toBe(keys.seal("canary-4711", PLACE));
    const sealed = keys.seal("canary-4711", PLACE);
    expect(Buffer.from(sealed.split(".")[2] as string, "base64url").includes("canary")).toBe(false);
  });
});

describe("the key check", () => {
  it("ties the data to its first key and tells another one", async () => {
    const folder = mkdtempSync(join(tmpdir(), "key-check-"));
    const store = await openStore({
      file: join(folder, "d.db"),
      clock: createManualClock(1),
      durability: "process",
      migrations: [keyCheckMigrations],
    });
    expect(await store.write((batch) => checkKeys(batch, keys))).toMatchObject({ ok: true });
    expect(await store.write((batch) => checkKeys(batch, keys))).toMatchObject({ ok: true });
    expect(await store.write((batch) => checkKeys(batch, other))).toMatchObject({ ok: false, failures: [{ code: "key_unusable" }] });
    expect(await store.write((batch) => checkKeys(batch, keys))).toMatchObject({ ok: true });
    await store.close();
    rmSync(folder, { recursive: true });
  });
});
