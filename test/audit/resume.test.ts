import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportLog } from "../../src/audit/export.ts";
import type { AuditFilter } from "../../src/audit/filter.ts";
import { parseCursor } from "../../src/audit/place.ts";
import { findResumePoint } from "../../src/audit/resume.ts";
import { verifyExport } from "../../src/audit/verify-export.ts";
import type { Audit } from "../../src/audit/writer.ts";
import { createIntent, type Log, openLog, START_MS, toBytes } from "./fixture.ts";

let log: Log;
let writers: Audit[];
let number = 0;

async function write(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const writer = writers[round % writers.length] as Audit;
    log.clock.set(log.clock.now() + 700);
    await log.store.write(async (batch) => {
      for (let index = 0; index <= round % 3; index++)
        writer.append(batch, createIntent(++number, { grant: `grant-${number % 2}`, message: "“x”" }));
    });
  }
}

beforeAll(async () => {
  log = await openLog({ entries: 5, ms: 1e12 }, "own");
  log.clock.set(START_MS);
  writers = [log.audit, log.openWriter()];
  await write(8);
});
afterAll(() => log.close());

async function resume(file: string, filter: AuditFilter = {}): Promise<Buffer> {
  const { bytes, after, soFar } = await findResumePoint(log.store, file, filter);
  truncateSync(file, bytes);
  const { store, audit, clock } = log;
  const more = { ...(after ? { after } : {}), ...(soFar ? { soFar } : {}) };
  for await (const piece of exportLog({ store, audit, clock, filter, ...more })) writeFileSync(file, piece, { flag: "a" });
  return readFileSync(file);
}

const verify = (file: Uint8Array) => verifyExport([file], { publicKey: log.audit.publicKey });
const inFolder = (name: string) => join(log.folder, name);

describe.each([
  ["a whole", {}],
  ["a filtered", { grant: "grant-1" }],
])("%s export", (kind, filter) => {
  it("is gone on with wherever it was broken off, and is then what it would have been", async () => {
    const whole = Buffer.from(`${(await log.export(filter)).join("\n")}\n`);
    const file = inFolder(`${kind}.jsonl`);
    const check = async (at: number) => {
      writeFileSync(file, whole.subarray(0, at));
      expect((await resume(file, filter)).equals(whole)).toBe(true);
    };
    const ends = [...whole.entries()].filter(([, byte]) => byte === 10).map(([at]) => at);
    for (const end of [0, 1, ...ends]) for (const at of [end, end + 1]) await check(at);
    await fc.assert(fc.asyncProperty(fc.nat(whole.length), check), { numRuns: 60 });
  });

  it("takes in what came since, also where it had been finished", async () => {
    const file = inFolder(`${kind}-later.jsonl`);
    writeFileSync(file, `${(await log.export(filter)).join("\n")}\n`);
    await write(3);
    const resumed = await resume(file, filter);
    expect(resumed.toString()).toBe(`${(await log.export(filter)).join("\n")}\n`);
    expect(await verify(resumed)).toMatchObject({ ok: true, signature: "verified" });
  });

  it("is not gone on with where its end does not hold, or it is another's", async () => {
    const file = inFolder(`${kind}-bad.jsonl`);
    const lines = (await log.export(filter)).slice(0, -1);
    const last = lines.at(-1) as string;
    const other = await openLog({ entries: 5, ms: 1e12 }, "own");
    await other.append(createIntent(1, { grant: "grant-1" }));
    const foreign = (await other.export()).slice(0, -1);
    await other.close();
    for (const bad of [
      [...lines.slice(0, -1), last.replace("sendit", "elsewhere")],
      [...lines, "x"],
      [...lines, "{}"],
      [...lines.slice(0, -2), last, lines.at(-2) as string],
      foreign,
    ]) {
      writeFileSync(file, `${bad.join("\n")}\n`);
      await expect(resume(file, filter)).rejects.toMatchObject({ failures: [{ code: "conflict" }] });
      expect(readFileSync(file, "utf8")).toBe(`${bad.join("\n")}\n`);
    }
  });
});

describe("an export after a cursor", () => {
  it("is put behind the part that is there", async () => {
    const whole = await log.export();
    const entries = whole.slice(0, -1);
    for (const count of [1, 4, entries.length]) {
      const cursor = new Map<number, number>();
      for (const line of entries.slice(0, count)) {
        const { chain = 0, seq } = JSON.parse(line) as { chain?: number; seq: number };
        cursor.set(chain, seq);
      }
      const { store, audit, clock } = log;
      let text = "";
      for await (const piece of exportLog({ store, audit, clock, after: cursor })) text += piece;
      expect([...entries.slice(0, count), ...text.trimEnd().split("\n")]).toEqual(whole);
      const key = { publicKey: audit.publicKey };
      expect(await verifyExport([Buffer.from(text)], { ...key, after: cursor })).toMatchObject({
        ok: true,
        entries: entries.length - count,
      });
      expect((await verifyExport([Buffer.from(text)], key)).ok).toBe(false);
      const other = new Map([...cursor].map(([chain, seq]) => [chain, seq - 1]));
      expect((await verifyExport([Buffer.from(text)], { ...key, after: other })).ok).toBe(false);
    }
    expect(parseCursor("12")).toEqual(new Map([[0, 12]]));
    expect(await verify(toBytes(whole)[0] as Uint8Array)).toMatchObject({ ok: true });
  });
});
