/**
 * The collection tells every entry of the list that it was made from, claims no more of any than that list does, and says
 * all of it in words of its own. Where the list does not lie beside the checkout, what the files say by themselves is held.
 */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { loadAttacks } from "../../../src/catalog/attacks/load-attacks.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const LIST = path.resolve(ROOT, "../shared/data/attacks.jsonl");
/** From this length on an equal sentence is a copy and no chance. */
const COPY_CHARACTERS = 60;

interface Listed {
  readonly id: string;
  readonly date: string;
  readonly kind: string;
  readonly evidence: string;
  readonly summary: string;
  readonly precondition: string;
  readonly rule: string;
  readonly refs: readonly string[];
  readonly gateway_coverage: "blocks" | "limits" | "detects" | "out_of_path";
}

const loaded = await loadAttacks(path.join(ROOT, "attacks"));
if (!loaded.ok) throw new Error(JSON.stringify(loaded.failures, null, 2));
const attacks = loaded.value;
const records = attacks.flatMap((attack) => attack.records);
const list = existsSync(LIST)
  ? readFileSync(LIST, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Listed)
  : undefined;

const splitSentences = (text: string): string[] =>
  text
    .split(/(?<=[.;:!?])\s+/)
    .map((sentence) => sentence.trim().replace(/[.;:!?]$/, ""))
    .filter((sentence) => sentence.length >= COPY_CHARACTERS);

describe("the records", () => {
  it("have a date and a source, patterns aside that are known from many places", () => {
    expect(records.length).toBe(126);
    expect(records.filter(({ date, kind }) => date === undefined && kind !== "pattern")).toEqual([]);
    expect(records.filter(({ sources, kind }) => sources.length === 0 && kind !== "pattern")).toEqual([]);
  });

  it("number advisories as their registers do", () => {
    const advisories = records.flatMap((record) => record.advisories ?? []);
    expect(advisories.length).toBeGreaterThan(30);
    expect(advisories.filter((id) => !/^(?:CVE-\d{4}-\d{4,}|GHSA(?:-[0-9a-z]{4}){3})$/.test(id))).toEqual([]);
  });

  it("are all of the list's, with its dates and sources", () => {
    if (list === undefined) return expect(existsSync(LIST)).toBe(false);
    const known = new Map(records.map((record) => [record.id, record]));
    for (const { id, date, kind, evidence, refs } of list) {
      const record = known.get(id);
      expect(record, id).toMatchObject({ kind, evidence, sources: refs });
      expect(record?.date ?? "", id).toBe(date);
    }
    expect(known.size).toBe(list.length);
  });

  it("claim no more than the list does", () => {
    if (list === undefined) return expect(existsSync(LIST)).toBe(false);
    const most = { blocks: ["yes", "partly", "no"], limits: ["partly", "no"], detects: ["no"], out_of_path: ["no"] };
    const listed = new Map(list.map((entry) => [entry.id, entry.gateway_coverage]));
    const over = records.filter(({ id, stopped }) => !most[listed.get(id) ?? "blocks"].includes(stopped));
    expect(over.map(({ id, stopped }) => `${id}: ${stopped}, listed ${listed.get(id)}`)).toEqual([]);
  });

  it("are told in words of their own", () => {
    if (list === undefined) return expect(existsSync(LIST)).toBe(false);
    const theirs = new Set(list.flatMap(({ summary, precondition, rule }) => [summary, precondition, rule].flatMap(splitSentences)));
    expect(theirs.size).toBeGreaterThan(100);
    const ours = attacks.flatMap((attack) => [
      attack.what,
      attack.how,
      attack.why,
      ...attack.not_stopped,
      ...attack.look_for.map(({ means }) => means),
      ...attack.records.map(({ what }) => what),
    ]);
    expect(ours.flatMap(splitSentences).filter((sentence) => theirs.has(sentence))).toEqual([]);
    const copied = [...theirs].filter((sentence) => ours.some((text) => text.includes(sentence)));
    expect(copied).toEqual([]);
  });
});
