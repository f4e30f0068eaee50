import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { NO_HASH, sealLine } from "../../src/audit/chain.ts";
import { SIGNER_NAME } from "../../src/audit/checkpoint.ts";
import { printEntry } from "../../src/audit/entry.ts";
import { exportLog } from "../../src/audit/export.ts";
import { auditMigrations } from "../../src/audit/migrations.ts";
import { signNote } from "../../src/audit/note.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { verifyExport } from "../../src/audit/verify-export.ts";
import { verifyStore } from "../../src/audit/verify-store.ts";
import { createLogWitness } from "../../src/audit/witness.ts";
import { createAudit } from "../../src/audit/writer.ts";
import { createManualClock } from "../../src/kernel/clock.ts";
import { openStore } from "../../src/store/open-store.ts";
import { createIntent, createTestKeys, START_MS, toBytes } from "./fixture.ts";

const ENTRIES = 20;
const LOG_ID = "01m81qz02eb6pqbpj04nwjgyz7";

/** A checkpoint with the four lines that it had before logs had chains. */
function signOld(size: number, hash: string): string {
  const root = Buffer.from(hash, "hex").toString("base64");
  const { signing } = createTestKeys();
  const text = `sallyport/audit/${LOG_ID}\n${size}\n${root}\ntime ${new Date(START_MS).toISOString()}\n`;
  return signNote(text, { name: SIGNER_NAME, publicKey: signing.publicKey, sign: (bytes) => signing.sign(bytes) });
}

it("a log of one chain in the older tables goes on, and an export made before still verifies", async () => {
  const folder = mkdtempSync(join(tmpdir(), "audit-migration-"));
  const file = join(folder, "log.db");
  const clock = createManualClock(START_MS);
  const older = { "0500-audit-log": auditMigrations["0500-audit-log"] as never };
  const before = await openStore({ file, clock, durability: "process", migrations: [older] });
  const lines: string[] = [];
  let prev = NO_HASH;
  for (let seq = 1; seq <= ENTRIES; seq++) {
    const sealed = sealLine(printEntry(createIntent(seq), { seq, id: `id${seq}`, timeMs: START_MS, prev }));
    prev = sealed.hash;
    lines.push(sealed.line);
  }
  const hashOf = (seq: number) => (lines[seq - 1] as string).slice(-66, -2);
  await before.write(async (batch) => {
    for (const [index, line] of lines.entries()) await batch.run("insert into audit_entry (seq, line) values (?, ?)", [index + 1, line]);
    for (const size of [8, 16, ENTRIES])
      await batch.run("insert into audit_checkpoint (size, note) values (?, ?)", [size, signOld(size, hashOf(size))]);
    await batch.run("insert into audit_log (id, log_id, size, hash, time_ms, signed_size, signed_ms) values (1, ?, ?, ?, ?, ?, ?)", [
      LOG_ID,
      ENTRIES,
      prev,
      START_MS,
      ENTRIES,
      START_MS,
    ]);
  });
  await before.close();
  const checkpointLine = JSON.stringify({
    id: `checkpoint-${ENTRIES}-${START_MS}`,
    time: new Date(START_MS).toISOString(),
    kind: "checkpoint",
    server: null,
    grant: null,
    identity: null,
    method: null,
    tool: null,
    decision: null,
    code: null,
    rule: null,
    policyRevision: null,
    requestId: null,
    outcome: null,
    filtered: false,
    entries: ENTRIES,
    statement: "This export holds the whole log up to its last entry.",
    note: signOld(ENTRIES, prev),
  });
  const exported = [...lines, checkpointLine];

  const store = await openStore({ file, clock, durability: "process", migrations: [auditMigrations] });
  const audit = createAudit({ clock, keys: createTestKeys() });
  const key = { publicKey: audit.publicKey };
  expect(await verifyStore(store, key)).toMatchObject({ ok: true, entries: ENTRIES, chains: 1, unsigned: 0, signature: "verified" });
  expect(await verifyExport(toBytes(exported), { ...key, log: createLogWitness(store) })).toMatchObject({
    ok: true,
    entries: ENTRIES,
    later: 0,
  });
  await store.write(async (batch) => void audit.append(batch, createIntent(21)));
  expect(await verifyStore(store, key)).toMatchObject({ ok: true, entries: ENTRIES + 1, unsigned: 1 });
  expect(await verifyExport(toBytes(exported), { ...key, log: createLogWitness(store) })).toMatchObject({ ok: true, later: 1 });
  let text = "";
  for await (const piece of exportLog({ store, audit, clock })) text += piece;
  expect(text.startsWith(`${lines.join("\n")}\n`)).toBe(true);
  expect(await verifyExport([Buffer.from(text)], key)).toMatchObject({ ok: true, entries: ENTRIES + 1 });
  expect((await searchEntries(store, {}, { limit: 2, before: "20" })).entries.map(({ line }) => line)).toEqual([lines[18], lines[17]]);
  await store.close();
  rmSync(folder, { recursive: true });
});
