import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NO_HASH, readLine, sealLine } from "../../src/audit/chain.ts";
import { printEntry } from "../../src/audit/entry.ts";
import { readPage } from "../../src/audit/read-log.ts";
import type { Verdict } from "../../src/audit/verdict.ts";
import { verifyExport } from "../../src/audit/verify-export.ts";
import { verifyStore } from "../../src/audit/verify-store.ts";
import { createLogWitness } from "../../src/audit/witness.ts";
import { createAudit } from "../../src/audit/writer.ts";
import { createIntent, createTestKeys, type Log, openLog, START_MS, toBytes } from "./fixture.ts";

const ENTRIES = 12;
let log: Log;
let whole: string[];
let filtered: string[];

beforeAll(async () => {
  log = await openLog({ entries: 5, ms: 1e12 });
  for (let number = 1; number <= ENTRIES; number++) {
    log.clock.set(START_MS + number * 1000);
    await log.append(createIntent(number, { grant: number % 3 === 0 ? "bob" : "alice", message: `Say “${number}”.` }));
  }
  whole = await log.export();
  filtered = await log.export({ grant: "alice" });
});
afterAll(() => log.close());

const verify = (lines: readonly string[]) => verifyExport(toBytes(lines), { publicKey: log.audit.publicKey });
const faultOf = (verdict: Verdict) => (verdict.ok ? undefined : verdict.fault);
const seqOf = (line: string) => readLine(line)?.seq;

/** A line with other facts and a hash of its own that holds: what somebody who knows the format would write. */
function forge(line: string, seq?: number): string {
  const read = readLine(line);
  if (!read) throw new Error("not a line");
  return sealLine(printEntry(createIntent(99), { seq: seq ?? read.seq, id: read.id, timeMs: START_MS, prev: read.prev })).line;
}

describe("an export that nobody touched", () => {
  it("verifies, with and without the public key", async () => {
    expect(whole).toHaveLength(ENTRIES + 1);
    expect(await verify(whole)).toMatchObject({ ok: true, entries: ENTRIES, filtered: false, signature: "verified" });
    expect(await verifyExport(toBytes(whole))).toMatchObject({ ok: true, entries: ENTRIES, signature: "unchecked" });
    expect(await verify(filtered)).toMatchObject({ ok: true, entries: 8, filtered: true, signature: "verified" });
  });

  it("has the same members in its last line, which says what it proves", () => {
    const [first, last] = [whole[0], whole.at(-1)].map((line) => JSON.parse(line as string) as Record<string, unknown>);
    for (const member of Object.keys(first ?? {}).slice(1, 14)) expect(last).toHaveProperty(member);
    expect(last).toMatchObject({ kind: "checkpoint", filtered: false, entries: ENTRIES });
    expect(JSON.parse(filtered.at(-1) as string)).toMatchObject({
      filtered: true,
      entries: 8,
      ranges: "1-2,4-5,7-8,10-11",
      statement: "This export is filtered: it proves only the entries that it holds.",
    });
  });

  it("verifies in pieces of any size, and without its last line break", async () => {
    const bytes = Buffer.from(whole.join("\n"));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1 }), async (sizes) => {
        const pieces: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] as number;
          pieces.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(await verifyExport(pieces, { publicKey: log.audit.publicKey })).toMatchObject({ ok: true });
      }),
      { numRuns: 30 },
    );
  });

  it("verifies when it is empty", async () => {
    const empty = await openLog();
    const lines = await empty.export();
    expect(lines).toHaveLength(1);
    expect(await verify(lines)).toMatchObject({ ok: true, entries: 0 });
    expect(await verify(await empty.export({ grant: "x" }))).toMatchObject({ ok: true, entries: 0, filtered: true });
    await empty.close();
  });
});

/** Changes one byte, and tells in which line, from 1. */
async function flipByte(bytes: Buffer, at: number, flip: number): Promise<{ verdict: Verdict; line: number; broken: boolean }> {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] as number) ^ flip;
  const line = 1 + bytes.subarray(0, at).filter((byte) => byte === 10).length;
  const verdict = await verifyExport([changed], { publicKey: log.audit.publicKey });
  return { verdict, line, broken: bytes[at] === 10 || changed[at] === 10 };
}

describe.each([
  ["a whole", () => whole],
  ["a filtered", () => filtered],
])("%s export", (_, lines) => {
  it("shows any changed byte", async () => {
    const bytes = Buffer.from(`${lines().join("\n")}\n`);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 2), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        expect((await flipByte(bytes, at, flip)).verdict.ok).toBe(false);
      }),
      { numRuns: 250 },
    );
  });

  it("shows any removed line", async () => {
    const last = lines().length - 2;
    for (const [index, line] of lines().slice(0, -1).entries()) {
      const kind = index === last && lines() === whole ? "cut" : "removed";
      expect(faultOf(await verify(lines().toSpliced(index, 1)))).toMatchObject({ kind, seq: seqOf(line) });
    }
    expect(faultOf(await verify(lines().slice(0, -1)))).toMatchObject({ kind: "cut" });
  });

  it("shows any inserted line", async () => {
    for (let index = 0; index <= lines().length; index++) {
      for (const extra of [lines()[0] as string, lines().at(-2) as string, lines().at(-1) as string, "x", "{}"]) {
        expect((await verify(lines().toSpliced(index, 0, extra))).ok).toBe(false);
      }
    }
    for (let index = 0; index < lines().length; index++) expect((await verify(lines().toSpliced(index, 0, ""))).ok).toBe(false);
  });

  it("shows any two lines that changed places", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(lines().length - 1), fc.nat(lines().length - 1), async (left, right) => {
        fc.pre(left !== right);
        expect((await verify(swap(lines(), left, right))).ok).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  it("shows an end that is cut off, at whatever byte", async () => {
    const bytes = Buffer.from(lines().join("\n"));
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), async (at) => {
        const fault = faultOf(await verifyExport([bytes.subarray(0, at)], { publicKey: log.audit.publicKey }));
        expect(["cut", "checkpoint"]).toContain(fault?.kind);
      }),
      { numRuns: 200 },
    );
  });

  it("shows an entry that was written anew with a hash of its own", async () => {
    for (const [index, line] of lines().slice(0, -1).entries()) {
      expect(faultOf(await verify(lines().toSpliced(index, 1, forge(line))))).toMatchObject({ kind: "changed" });
    }
  });

  it("shows an entry that claims another's place, and names it", async () => {
    for (const [index, line] of lines().slice(0, -1).entries()) {
      const fault = faultOf(await verify(lines().toSpliced(index, 0, forge(line))));
      expect(fault).toMatchObject({ kind: "inserted", seq: seqOf(line) });
    }
  });
});

function swap(lines: readonly string[], left: number, right: number): string[] {
  return lines.with(left, lines[right] as string).with(right, lines[left] as string);
}

describe("a whole export names", () => {
  it("the entry of a changed byte", async () => {
    const bytes = Buffer.from(`${whole.slice(0, -1).join("\n")}\n`);
    const all = Buffer.from(`${whole.join("\n")}\n`);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const { verdict, line, broken } = await flipByte(all, at, flip);
        fc.pre(!broken);
        expect(faultOf(verdict)).toMatchObject({ kind: "changed", seq: line, line });
      }),
      { numRuns: 200 },
    );
  });

  it("the entry that was inserted", async () => {
    for (let index = 2; index <= whole.length; index++) {
      expect(faultOf(await verify(whole.toSpliced(index, 0, whole[0] as string)))).toMatchObject({ kind: "inserted", seq: 1 });
    }
    for (let index = 0; index < whole.length - 2; index++) {
      const fault = faultOf(await verify(whole.toSpliced(index, 0, "x")));
      expect(fault).toMatchObject({ kind: "inserted", seq: index + 1, line: index + 1 });
    }
  });

  it("one of two entries that changed places", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(ENTRIES - 1), fc.nat(ENTRIES - 1), async (left, right) => {
        fc.pre(left !== right);
        expect([left + 1, right + 1]).toContain(faultOf(await verify(swap(whole, left, right)))?.seq);
      }),
      { numRuns: 100 },
    );
  });

  it("the entry that was written anew", async () => {
    for (const [index, line] of whole.slice(0, -1).entries()) {
      expect(faultOf(await verify(whole.with(index, forge(line))))?.seq).toBe(index + 1);
    }
  });
});

describe("an export that was made up as a whole", () => {
  it("does not pass with the public key, whoever signed it", async () => {
    const forged: string[] = [];
    let prev = NO_HASH;
    for (let seq = 1; seq <= 3; seq++) {
      const sealed = sealLine(printEntry(createIntent(seq), { seq, id: `id${seq}`, timeMs: START_MS, prev }));
      forged.push(sealed.line);
      prev = sealed.hash;
    }
    expect(faultOf(await verify([...forged, whole.at(-1) as string]))).toMatchObject({ kind: "cut" });
    const other = createAudit({ clock: log.clock, keys: createTestKeys(8) });
    expect(faultOf(await verifyExport(toBytes(whole), { publicKey: other.publicKey }))).toMatchObject({ kind: "checkpoint" });
    expect(faultOf(await verifyExport(toBytes(whole), { publicKey: "nonsense" }))).toMatchObject({ kind: "checkpoint" });
  });

  it("can't pass a filtered checkpoint for a whole one", async () => {
    const fault = faultOf(await verify([...whole.slice(0, -1), filtered.at(-1) as string]));
    expect(fault).toMatchObject({ kind: "inserted", seq: 3 });
  });
});

describe("an export beside its log", () => {
  it("is told how much the log goes on", async () => {
    const witness = createLogWitness(log.store);
    expect(await verifyExport(toBytes(whole), { log: witness })).toMatchObject({ ok: true, later: 0 });
    const other = await openLog();
    await other.append(createIntent(1));
    const lines = await other.export();
    expect(faultOf(await verifyExport(toBytes(lines), { log: witness }))).toMatchObject({ kind: "checkpoint" });
    await other.append(createIntent(2), createIntent(3));
    expect(await verifyExport(toBytes(lines), { log: createLogWitness(other.store) })).toMatchObject({ ok: true, later: 2 });
    other.tamper("delete from audit_entry");
    expect(faultOf(await verifyExport(toBytes(lines), { log: createLogWitness(other.store) }))).toMatchObject({ kind: "cut", seq: 1 });
    await other.close();
  });
});

describe("the table", () => {
  const check = async (tamper: (log: Log) => void | Promise<void>) => {
    const fresh = await openLog({ entries: 5, ms: 1e12 });
    for (let number = 1; number <= ENTRIES; number++) await fresh.append(createIntent(number));
    const key = { publicKey: fresh.audit.publicKey };
    expect(await verifyStore(fresh.store, key)).toMatchObject({ ok: true, entries: ENTRIES, unsigned: 2, checkpoint: { size: 10 } });
    await tamper(fresh);
    const verdict = await verifyStore(fresh.store, key);
    const exported = await fresh.export().then((lines) => verifyExport(toBytes(lines), key));
    await fresh.close();
    return { fault: faultOf(verdict), exported: faultOf(exported) };
  };
  const rewrite = "update audit_entry set line = replace(line, 'alice-laptop', 'mallory') where place = ?";

  it("shows a changed row, in itself and in an export", async () => {
    for (const seq of [1, 6, ENTRIES]) {
      const { fault, exported } = await check((log) => log.tamper(rewrite, seq));
      expect(fault).toMatchObject({ kind: "changed", seq });
      expect(exported).toMatchObject({ kind: "changed", seq });
    }
  });

  it("shows a removed row", async () => {
    for (const seq of [1, 6, ENTRIES - 1]) {
      const { fault, exported } = await check((log) => log.tamper("delete from audit_entry where place = ?", seq));
      expect(fault).toMatchObject({ kind: "removed", seq, lastSeq: seq });
      expect(exported).toMatchObject({ kind: "removed", seq });
    }
  });

  it("shows rows that changed places, and a row that moved", async () => {
    const { fault } = await check((log) =>
      log.tamper(
        "update audit_entry set line = (select line from audit_entry as other where other.place = 9 - audit_entry.place) where place in (4, 5)",
      ),
    );
    expect([4, 5]).toContain(fault?.seq);
    expect((await check((log) => log.tamper("update audit_entry set place = 99 where place = 12"))).fault).toMatchObject({
      kind: "cut",
      seq: 12,
    });
  });

  it("shows an end that was cut off", async () => {
    for (const from of [1, 7, 11, 12]) {
      const { fault, exported } = await check((log) => log.tamper("delete from audit_entry where place >= ?", from));
      expect(fault).toMatchObject({ kind: "cut", seq: from, lastSeq: ENTRIES });
      expect(exported).toMatchObject({ kind: "cut", seq: from });
    }
  });

  it("shows by its checkpoints an end that was cut off with the head", async () => {
    const { fault } = await check((log) => {
      log.tamper("delete from audit_entry where place >= 8");
      log.tamper(
        `update audit_chain set size = 7, signed_size = 5, hash = (select substr(line, -66, 64) from audit_entry where place = 7)`,
      );
    });
    expect(fault).toMatchObject({ kind: "cut", seq: 8, lastSeq: 10 });
  });

  it("shows by its checkpoints entries that were written anew to the end", async () => {
    const { fault } = await check(async (log) => {
      const [sixth] = await readPage(log.store, 0, 6, 6);
      let prev = readLine(sixth?.line ?? "")?.hash as string;
      for (let seq = 7; seq <= ENTRIES; seq++) {
        const sealed = sealLine(printEntry(createIntent(99), { seq, id: `id${seq}`, timeMs: START_MS, prev }));
        prev = sealed.hash;
        log.tamper("update audit_entry set line = ? where place = ?", sealed.line, seq);
      }
      log.tamper("update audit_chain set hash = ?", prev);
    });
    expect(fault).toMatchObject({ kind: "changed", seq: 6, lastSeq: 10 });
  });

  it("shows rows that were added behind the head", async () => {
    const { fault } = await check((log) => log.tamper("insert into audit_entry (place, line) values (13, 'x')"));
    expect(fault).toMatchObject({ kind: "inserted", seq: 13 });
  });

  it("shows a changed, moved or removed checkpoint", async () => {
    const cases = [
      "update audit_checkpoint set note = replace(note, 'time 2026', 'time 2027') where place = 5",
      "update audit_checkpoint set note = (select note from audit_checkpoint where place = 10) where place = 5",
      "delete from audit_checkpoint where place = 10",
      "insert into audit_checkpoint (place, note) values (50, 'x')",
    ];
    for (const sql of cases) expect((await check((log) => log.tamper(sql))).fault).toMatchObject({ kind: "checkpoint" });
  });

  it("shows a head that was removed or changed", async () => {
    expect(faultOf(await verifyStoreAfter("delete from audit_log"))).toMatchObject({ kind: "removed" });
    expect(faultOf(await verifyStoreAfter("update audit_chain set hash = ?", "0".repeat(64)))).toMatchObject({ kind: "changed", seq: 2 });
  });

  it("has nothing to say against an empty log", async () => {
    const fresh = await openLog();
    expect(await verifyStore(fresh.store)).toMatchObject({ ok: true, entries: 0 });
    await fresh.close();
  });
});

async function verifyStoreAfter(sql: string, ...parameters: string[]): Promise<Verdict> {
  const fresh = await openLog();
  await fresh.append(createIntent(1), createIntent(2));
  fresh.tamper(sql, ...parameters);
  const verdict = await verifyStore(fresh.store, { publicKey: fresh.audit.publicKey });
  await fresh.close();
  return verdict;
}
