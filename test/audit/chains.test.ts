import * as fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { NO_HASH, readLine, sealLine } from "../../src/audit/chain.ts";
import { CHAIN_LEASE_MS } from "../../src/audit/chain-head.ts";
import { listEnds, openCheckpoint } from "../../src/audit/checkpoint.ts";
import { printEntry } from "../../src/audit/entry.ts";
import { orderKey } from "../../src/audit/merge.ts";
import { CHAIN_ENTRIES, parseCursor, printCursor, toPlace } from "../../src/audit/place.ts";
import { readLogHead, readPage } from "../../src/audit/read-log.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { followLog } from "../../src/audit/tail.ts";
import type { Verdict } from "../../src/audit/verdict.ts";
import { verifyExport } from "../../src/audit/verify-export.ts";
import { verifyStore } from "../../src/audit/verify-store.ts";
import { createLogWitness } from "../../src/audit/witness.ts";
import type { Audit } from "../../src/audit/writer.ts";
import { createIntent, type Log, openLog, START_MS, toBytes } from "./fixture.ts";

const CHAINS = 3;
const faultOf = (verdict: Verdict) => (verdict.ok ? undefined : verdict.fault);

/** A log of three chains that were written by turns, with checkpoints in between. */
async function openChains(rounds = 8): Promise<{ log: Log; writers: Audit[] }> {
  const log = await openLog({ entries: 3, ms: 1e12 }, "own");
  const writers = [log.audit, log.openWriter(), log.openWriter()];
  for (let round = 0; round < rounds; round++) {
    for (const [chain, writer] of writers.entries()) {
      log.clock.set(START_MS + (round * CHAINS + chain) * 1000);
      const count = 1 + ((round + chain) % 2);
      await log.store.write(async (batch) => {
        for (let index = 0; index < count; index++)
          writer.append(batch, createIntent(round, { grant: `grant-${chain}`, message: `“${round}”` }));
      });
    }
  }
  return { log, writers };
}

const ends = async (log: Log) => (await readLogHead(log.store.query))?.chains ?? [];
const append = (log: Log, writer: Audit, ...numbers: number[]) =>
  log.store.write(async (batch) => numbers.map((number) => writer.append(batch, createIntent(number))));

describe("an export of several chains", () => {
  let log: Log;
  let lines: string[];
  let filtered: string[];
  beforeAll(async () => {
    ({ log } = await openChains());
    lines = await log.export();
    filtered = await log.export({ grant: "grant-1" });
  });
  afterAll(() => log.close());
  const verify = (changed: readonly string[]) => verifyExport(toBytes(changed), { publicKey: log.audit.publicKey });
  const placeOf = (line: string) => {
    const read = readLine(line);
    return { chain: read?.chain, seq: read?.seq };
  };

  it("verifies, joins the chains in order of time, and names the chain in all but the first", async () => {
    const chains = await ends(log);
    expect(chains.map(({ chain }) => chain)).toEqual([0, 1, 2]);
    expect(await verify(lines)).toMatchObject({ ok: true, chains: CHAINS, entries: lines.length - 1, signature: "verified" });
    expect(await verify(filtered)).toMatchObject({ ok: true, filtered: true, entries: chains[1]?.size });
    expect(JSON.parse(filtered.at(-1) as string)).toMatchObject({ ranges: `1:1-${chains[1]?.size}` });
    const keys = lines.slice(0, -1).map(orderKey);
    expect(keys).toEqual(keys.toSorted());
    for (const line of lines.slice(0, -1)) expect((JSON.parse(line) as { chain?: number }).chain ?? 0).toBe(placeOf(line).chain);
    expect(await verifyExport(toBytes(lines), { log: createLogWitness(log.store) })).toMatchObject({ ok: true, later: 0 });
  });

  it("names the entry of any changed byte", async () => {
    const last = Buffer.byteLength(lines.at(-1) as string) + 1;
    const all = Buffer.from(`${lines.join("\n")}\n`);
    await fc.assert(
      fc.asyncProperty(fc.nat(all.length - last - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(all);
        changed[at] = (changed[at] as number) ^ flip;
        const line = all.subarray(0, at).filter((byte) => byte === 10).length;
        const fault = faultOf(await verifyExport([changed], { publicKey: log.audit.publicKey }));
        expect(fault).toBeDefined();
        if (all[at] === 10 || changed[at] === 10) return;
        expect(fault).toMatchObject({ kind: "changed", ...placeOf(lines[line] as string), line: line + 1 });
      }),
      { numRuns: 300 },
    );
  });

  it("shows any changed byte of its checkpoint", async () => {
    const all = Buffer.from(`${lines.join("\n")}\n`);
    const last = Buffer.byteLength(lines.at(-1) as string);
    await fc.assert(
      fc.asyncProperty(fc.nat(last - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = Buffer.from(all);
        const place = all.length - 1 - last + at;
        changed[place] = (changed[place] as number) ^ flip;
        expect((await verifyExport([changed], { publicKey: log.audit.publicKey })).ok).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  it("names the entry that was removed, inserted or cut off", async () => {
    const chains = await ends(log);
    for (const [index, line] of lines.slice(0, -1).entries()) {
      const place = placeOf(line);
      const isEnd = chains.some(({ chain, size }) => chain === place.chain && size === place.seq);
      expect(faultOf(await verify(lines.toSpliced(index, 1)))).toMatchObject({ kind: isEnd ? "cut" : "removed", ...place });
      const twice = faultOf(await verify(lines.toSpliced(index, 0, line)));
      expect(twice).toMatchObject({ kind: "inserted", ...place });
    }
    for (let index = 0; index < lines.length - 1; index++) {
      const fault = faultOf(await verify(lines.toSpliced(index, 0, "x")));
      expect(fault).toMatchObject({ kind: "inserted", line: index + 1 });
    }
  });

  it("shows an end that is cut off, at whatever byte", async () => {
    const all = Buffer.from(lines.join("\n"));
    await fc.assert(
      fc.asyncProperty(fc.nat(all.length - 1), async (at) => {
        const fault = faultOf(await verifyExport([all.subarray(0, at)], { publicKey: log.audit.publicKey }));
        expect(["cut", "checkpoint"]).toContain(fault?.kind);
      }),
      { numRuns: 150 },
    );
  });

  it("shows a chain that was removed as a whole, and one that was made up", async () => {
    for (let chain = 0; chain < CHAINS; chain++) {
      const without = lines.filter((line, index) => index === lines.length - 1 || placeOf(line).chain !== chain);
      expect(faultOf(await verify(without))).toMatchObject({ kind: "chain_removed", chain });
    }
    const made = sealLine(printEntry(createIntent(1), { chain: 7, seq: 1, id: "made", timeMs: START_MS, prev: NO_HASH })).line;
    expect(faultOf(await verify([made, ...lines]))).toMatchObject({ kind: "inserted", chain: 7, seq: 1 });
  });

  it("can't be passed off as one whose lines stand in other chains", async () => {
    const moved = lines.map((line) => {
      const read = readLine(line);
      return read?.chain === 2
        ? sealLine(printEntry(createIntent(1), { chain: 1, seq: read.seq, id: read.id, timeMs: START_MS, prev: read.prev })).line
        : line;
    });
    expect((await verify(moved)).ok).toBe(false);
  });
});

describe("the tables of several chains", () => {
  const check = async (tamper: (log: Log) => Promise<void> | void, publicKey?: string) => {
    const { log } = await openChains();
    const key = { publicKey: publicKey ?? log.audit.publicKey };
    expect(await verifyStore(log.store, key)).toMatchObject({ ok: true, chains: CHAINS });
    await tamper(log);
    const fault = faultOf(await verifyStore(log.store, key));
    await log.close();
    return fault;
  };

  it("show any single row that was changed, removed or put elsewhere, and name it", async () => {
    const { log } = await openChains();
    const key = { publicKey: log.audit.publicKey };
    const judge = async (place: number, sql: string, ...parameters: number[]) => {
      const [row] = await readPage(log.store, Math.floor(place / CHAIN_ENTRIES), place % CHAIN_ENTRIES, place % CHAIN_ENTRIES);
      log.tamper(sql, ...parameters);
      const fault = faultOf(await verifyStore(log.store, key));
      if (row) log.tamper("insert or replace into audit_entry (place, line) values (?, ?)", place, row.line);
      else log.tamper("delete from audit_entry where place = ?", place);
      return fault;
    };
    for (const { chain, size } of await ends(log)) {
      for (const seq of [1, 2, Math.floor(size / 2), size]) {
        const place = toPlace(chain, seq);
        const changed = await judge(place, "update audit_entry set line = replace(line, 'alice@', 'mallory@') where place = ?", place);
        expect(changed).toMatchObject({ kind: "changed", chain, seq });
        const removed = await judge(place, "delete from audit_entry where place = ?", place);
        expect(removed).toMatchObject({ kind: seq === size ? "cut" : "removed", chain, seq });
        const swap = "update audit_entry set line = (select line from audit_entry as other where other.place = ?) where place = ?";
        expect(await judge(place, swap, toPlace((chain + 1) % CHAINS, seq), place)).toMatchObject({ chain, seq });
      }
      const next = toPlace(chain, size + 1);
      const added = await judge(next, "insert into audit_entry (place, line) values (?, 'x')", next);
      expect(added).toMatchObject({ kind: "inserted", chain, seq: size + 1 });
    }
    expect(await verifyStore(log.store, key)).toMatchObject({ ok: true });
    await log.close();
  });

  it("show a chain that is gone with its head and its checkpoints", async () => {
    for (let chain = 0; chain < CHAINS; chain++) {
      const [from, to] = [chain * CHAIN_ENTRIES, (chain + 1) * CHAIN_ENTRIES];
      const fault = await check((log) => {
        log.tamper("delete from audit_entry where place >= ? and place < ?", from, to);
        log.tamper("delete from audit_checkpoint where place >= ? and place < ?", from, to);
        log.tamper("delete from audit_chain where chain = ?", chain);
      });
      expect(fault).toMatchObject({ kind: "chain_removed", chain, seq: 1 });
      expect(await check((log) => log.tamper("delete from audit_chain where chain = ?", chain))).toMatchObject({
        kind: "chain_removed",
        chain,
      });
    }
  });

  it("show a chain that was cut back with its head and its own checkpoints", async () => {
    const fault = await check((log) => {
      const [from, to] = [toPlace(1, 3), 2 * CHAIN_ENTRIES];
      log.tamper("delete from audit_entry where place >= ? and place < ?", from, to);
      log.tamper("delete from audit_checkpoint where place >= ? and place < ?", from, to);
      log.tamper(
        "update audit_chain set size = 2, signed_size = 0, hash = (select substr(line, -66, 64) from audit_entry where place = ?) where chain = 1",
        toPlace(1, 2),
      );
    });
    expect(fault).toMatchObject({ kind: "cut", chain: 1, seq: 3 });
  });

  it("show a chain that goes on from other entries than the others saw", async () => {
    const fault = await check(async (log) => {
      let prev = NO_HASH;
      const [, head] = await ends(log);
      for (let seq = 1; seq <= (head?.size ?? 0); seq++) {
        const sealed = sealLine(printEntry(createIntent(99), { chain: 1, seq, id: `id${seq}`, timeMs: START_MS, prev }));
        prev = sealed.hash;
        log.tamper("update audit_entry set line = ? where place = ?", sealed.line, toPlace(1, seq));
      }
      log.tamper("delete from audit_checkpoint where place >= ? and place < ?", CHAIN_ENTRIES, 2 * CHAIN_ENTRIES);
      log.tamper("update audit_chain set hash = ?, signed_size = 0 where chain = 1", prev);
    });
    expect(fault).toMatchObject({ kind: "chain_forked", chain: 1 });
  });

  it("hold while writers go on between one read and the next", async () => {
    const { log, writers } = await openChains(2);
    const stop = new AbortController();
    const write = (async () => {
      for (let number = 0; !stop.signal.aborted; number++) await append(log, writers[number % CHAINS] as Audit, number, number);
    })();
    for (let look = 0; look < 20; look++) {
      expect(await verifyStore(log.store, { publicKey: log.audit.publicKey })).toMatchObject({ ok: true });
      expect(await verifyExport(toBytes(await log.export()), { publicKey: log.audit.publicKey })).toMatchObject({ ok: true });
    }
    stop.abort();
    await write;
    await log.close();
  });
});

describe("a writer's chain", () => {
  let log: Log;
  afterEach(() => log.close());

  it("is claimed with the first entry, kept while it writes, and given back", async () => {
    log = await openLog(undefined, "own");
    const other = log.openWriter();
    await append(log, log.audit, 1);
    await append(log, other, 2);
    expect((await ends(log)).map(({ size }) => size)).toEqual([1, 1]);
    await log.store.write((batch) => other.release(batch));
    expect(other.holdsChain).toBe(false);
    const third = log.openWriter();
    await append(log, third, 3);
    await append(log, other, 4);
    expect((await ends(log)).map(({ size }) => size)).toEqual([1, 2, 1]);
  });

  it("is taken over when its writer was silent too long, who finds out and claims another", async () => {
    log = await openLog(undefined, "own");
    await append(log, log.audit, 1);
    log.clock.set(START_MS + CHAIN_LEASE_MS);
    const other = log.openWriter();
    await append(log, other, 2);
    expect((await ends(log)).map(({ size }) => size)).toEqual([2]);
    await append(log, log.audit, 3);
    expect((await ends(log)).map(({ size }) => size)).toEqual([2, 1]);
    expect(await verifyStore(log.store, { publicKey: log.audit.publicKey })).toMatchObject({ ok: true, entries: 3 });
  });

  it("is never forked by one that was frozen and still believes in its lease: its group is undone", async () => {
    log = await openLog(undefined, "own");
    await append(log, log.audit, 1);
    // The other's clock is far ahead; for the first no time has passed.
    log.tamper("update audit_chain set until_ms = 0");
    const other = log.openWriter();
    await append(log, other, 2);
    await expect(append(log, log.audit, 3)).rejects.toMatchObject({ failures: [{ code: "storage_unavailable" }] });
    await append(log, log.audit, 4);
    expect((await ends(log)).map(({ size }) => size)).toEqual([2, 1]);
    expect(await verifyStore(log.store, { publicKey: log.audit.publicKey })).toMatchObject({ ok: true, entries: 3 });
  });

  it("stays its own while it is silent and renews", async () => {
    log = await openLog(undefined, "own");
    await append(log, log.audit, 1);
    for (let round = 1; round <= 4; round++) {
      log.clock.set(START_MS + (round * CHAIN_LEASE_MS) / 2);
      await log.store.write((batch) => log.audit.renew(batch));
    }
    await append(log, log.openWriter(), 2);
    expect((await ends(log)).map(({ size }) => size)).toEqual([1, 1]);
  });

  it("is claimed anew after a group that was undone", async () => {
    log = await openLog(undefined, "own");
    const failing = log.store.write(async (batch) => {
      log.audit.append(batch, createIntent(1));
      await log.audit.checkpoint(batch);
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    await append(log, log.audit, 2);
    await append(log, log.audit, 3);
    expect((await ends(log)).map(({ size }) => size)).toEqual([2]);
  });

  it("signs the ends of the others that it sees", async () => {
    log = await openLog(undefined, "own");
    const other = log.openWriter();
    await append(log, other, 1, 2);
    await append(log, log.audit, 3);
    const checkpoint = await log.store.write((batch) => log.audit.checkpoint(batch));
    const heads = await ends(log);
    expect(listEnds(checkpoint)).toEqual(heads.map(({ chain, size, hash }) => ({ chain, size, hash })));
    expect(openCheckpoint(checkpoint.note, undefined)).toEqual(checkpoint);
    expect(await log.store.write((batch) => log.audit.checkpoint(batch))).toEqual(checkpoint);
    await append(log, other, 4);
    expect(listEnds(await log.store.write((batch) => log.audit.checkpoint(batch))).map(({ size }) => size)).toEqual([3, 1]);
  });
});

describe("reading several chains", () => {
  it("searches all of them, newest first, page after page, without losing or telling twice", async () => {
    const { log } = await openChains(10);
    const all = (await log.export()).slice(0, -1).toReversed();
    for (const limit of [1, 2, 5, 100]) {
      const found: string[] = [];
      for (let before: string | undefined, more = true; more; ) {
        const page = await searchEntries(log.store, {}, { limit, before });
        found.push(...page.entries.map(({ line }) => line));
        before = page.next;
        more = before !== undefined;
      }
      expect(found).toEqual(all);
    }
    const some = await searchEntries(log.store, { grant: "grant-1", sinceMs: START_MS + 5000 }, {});
    expect(some.entries.map(({ line }) => line)).toEqual(
      all.filter((line) => line.includes("grant-1") && Date.parse((JSON.parse(line) as { time: string }).time) >= START_MS + 5000),
    );
    await log.close();
  });

  it("follows all of them, and tells what is committed with an older time than what was told", async () => {
    const log = await openLog(undefined, "own");
    const late = log.openWriter();
    await append(log, late, 1);
    log.clock.set(START_MS + 10_000);
    await append(log, log.audit, 2);
    const stop = new AbortController();
    let version = 0;
    const told: number[] = [];
    const follow = (async () => {
      for await (const { line } of followLog({
        store: log.store,
        signal: stop.signal,
        backlog: 5,
        pollMs: 5,
        readVersion: () => version,
      })) {
        told.push((JSON.parse(line) as { requestId: number }).requestId);
        if (told.length === 2) {
          // A clock that is behind: this one's entries sort before what was told.
          log.clock.set(START_MS + 5_000);
          await append(log, late, 3);
          await append(log, log.openWriter(), 4);
          version++;
        }
        if (told.length === 4) stop.abort();
      }
    })();
    await follow;
    expect(told.slice(0, 2)).toEqual([1, 2]);
    expect(told.slice(2).toSorted()).toEqual([3, 4]);
    await log.close();
  });

  it("never loses an entry that is committed late, whatever comes between", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(2), fc.integer({ min: -5000, max: 5000 }), fc.integer({ min: 1, max: 3 })), { maxLength: 12 }),
        async (steps) => {
          const log = await openLog(undefined, "own");
          const writers = [log.audit, log.openWriter(), log.openWriter()];
          await append(log, log.audit, 0);
          const stop = new AbortController();
          let version = 0;
          const told: number[] = [];
          const follow = (async () => {
            const after = new Map([[0, 1]]);
            for await (const { line } of followLog({
              store: log.store,
              signal: stop.signal,
              after,
              pollMs: 1,
              readVersion: () => version,
            })) {
              told.push((JSON.parse(line) as { requestId: number }).requestId);
            }
          })();
          let number = 0;
          for (const [writer, ms, count] of steps) {
            log.clock.set(START_MS + ms);
            await append(log, writers[writer] as Audit, ...Array.from({ length: count }, () => ++number));
            version++;
          }
          version++;
          while (told.length < number) await new Promise((resolve) => setImmediate(resolve));
          stop.abort();
          await follow;
          expect(told.toSorted((left, right) => left - right)).toEqual(Array.from({ length: number }, (_, index) => index + 1));
          await log.close();
        },
      ),
      { numRuns: 25 },
    );
  });

  it("has cursors that are read as they were written", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.nat(511), fc.nat(2 ** 31 - 1)), { minLength: 1, maxLength: 10, selector: ([chain]) => chain }),
        (parts) => {
          expect(new Map([...(parseCursor(printCursor(new Map(parts))) ?? [])])).toEqual(new Map(parts));
        },
      ),
    );
    for (const text of ["", "x", "1:", ":1", "1:2,1:3", "-1", "1.5", "999:1", `0:${CHAIN_ENTRIES}`])
      expect(parseCursor(text)).toBeUndefined();
  });

  it("reads the rows of one chain only", async () => {
    const { log } = await openChains();
    for (const { chain, size } of await ends(log)) {
      const page = await readPage(log.store, chain, 1, Number.MAX_SAFE_INTEGER);
      expect(page.map(({ seq }) => seq)).toEqual(Array.from({ length: size }, (_, index) => index + 1));
      expect(new Set(page.map((entry) => entry.chain))).toEqual(new Set([chain]));
    }
    await log.close();
  });
});
