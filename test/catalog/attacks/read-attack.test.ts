/** What may stand in an attack's file: its schema and its check know the same keys, and a claim is held to its proofs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { type Schema as JsonSchema, Validator } from "@cfworker/json-schema";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse as parseYaml } from "yaml";
import { loadAttacks } from "../../../src/catalog/attacks/load-attacks.ts";
import { parseAttack } from "../../../src/catalog/attacks/read-attack.ts";
import { describeAttackSchema } from "../../../tools/attack-schema.ts";
import { printSchema } from "../../../tools/policy-schema.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const validator = new Validator(JSON.parse(printSchema(describeAttackSchema())) as JsonSchema, "2020-12", false);

const RECORD = { id: "I900", name: "n", kind: "incident", what: "w", stopped: "partly", evidence: "reported", sources: ["s"] };
const GOOD = {
  id: "path-trick",
  name: "A path",
  kind: "argument",
  severity: "high",
  owasp: ["MCP05"],
  touches: { classes: ["read"], signals: ["filesystem_path"] },
  what: "what",
  how: "how",
  look_for: [{ where: { kind: "denial", code: "denied" }, means: "means" }],
  stopped: "partly",
  why: "why",
  not_stopped: ["links"],
  proofs: [{ by: "policy", file: "attacks/path-trick.policy-test.yaml" }],
  records: [RECORD],
};

const pointersOf = (value: unknown): string[] => {
  const read = parseAttack(JSON.stringify(value));
  return read.ok ? [] : read.failures.map(({ at }) => at?.pointer ?? "");
};

describe("the schema", () => {
  it("is checked in as it is made", () => {
    const text = readFileSync(path.join(ROOT, "schema/attack.schema.json"), "utf8");
    expect(text, "run `node tools/write-policy-schemas.ts`").toBe(printSchema(describeAttackSchema()));
  });

  it("lets every attack pass", async () => {
    const loaded = await loadAttacks(path.join(ROOT, "attacks"));
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.failures));
    for (const { id } of loaded.value) {
      const value = parseYaml(readFileSync(path.join(ROOT, `attacks/${id}.yaml`), "utf8")) as unknown;
      expect(validator.validate(value).errors, id).toEqual([]);
    }
  });

  it("takes what the check takes", () => {
    expect(pointersOf(GOOD)).toEqual([]);
    expect(validator.validate(GOOD).errors).toEqual([]);
  });

  type Node = { properties: Record<string, Node>; items: Node };
  const file = describeAttackSchema() as unknown as Node;
  const { touches, look_for: signs, proofs, records } = file.properties as Record<string, Node>;
  const leg = { signals: ["external_send"], zzz: 1 };
  it.each<[string, Node | undefined, string, object]>([
    ["the file", file, "", { zzz: 1 }],
    ["touches", touches, "/touches", { touches: { ...GOOD.touches, zzz: 1 } }],
    ["a leg", touches?.properties["legs"]?.items, "/touches/legs/0", { touches: { legs: [leg, { classes: ["read"] }] } }],
    ["a sign", signs?.items, "/look_for/0", { look_for: [{ ...GOOD.look_for[0], zzz: 1 }] }],
    ["where", signs?.items.properties["where"], "/look_for/0/where", { look_for: [{ where: { kind: "denial", zzz: 1 }, means: "m" }] }],
    ["a proof", proofs?.items, "/proofs/0", { proofs: [{ ...GOOD.proofs[0], zzz: 1 }] }],
    ["a record", records?.items, "/records/0", { records: [{ ...RECORD, zzz: 1 }] }],
  ])("and the check know the same keys of %s", (_, schema, pointer, change) => {
    const read = parseAttack(JSON.stringify({ ...GOOD, ...change }));
    const told = read.ok ? undefined : read.failures.find(({ at }) => at?.pointer === `${pointer}/zzz`);
    const known = (told?.hint ?? "").replace("Known here: ", "").replace(/\.$/, "").split(", ");
    expect(known.sort()).toEqual(Object.keys(schema?.properties ?? {}).sort());
    expect(validator.validate({ ...GOOD, ...change }).valid).toBe(false);
  });
});

describe("a file is refused", () => {
  it.each<[string, object, string]>([
    ["without a proof for its claim", { proofs: [] }, "/stopped"],
    ["with a proof for nothing", { stopped: "no", records: [{ ...RECORD, stopped: "no" }] }, "/stopped"],
    ["that stops it wholly and lets something by", { stopped: "yes" }, "/not_stopped"],
    ["that stops it partly and does not say what gets by", { not_stopped: [] }, "/not_stopped"],
    ["whose record is stopped though it is not", { stopped: "no", proofs: [] }, "/records/0/stopped"],
    ["that goes by a class alone", { touches: { classes: ["write"] } }, "/touches"],
    ["that touches nothing", { touches: {} }, "/touches"],
    ["of one leg", { touches: { legs: [{ signals: ["external_send"] }] } }, "/touches/legs"],
    ["of legs without a signal", { touches: { legs: [{ classes: ["read"] }, { classes: ["write"] }] } }, "/touches/legs"],
    ["that is everywhere and somewhere", { touches: { everywhere: true, signals: ["external_send"] } }, "/touches"],
    ["with a signal that nobody knows", { touches: { signals: ["x"] } }, "/touches/signals/0"],
    ["of an unknown kind", { kind: "x" }, "/kind"],
    ["of an unknown entry of a list", { owasp: ["MCP11"] }, "/owasp/0"],
    ["with an id that is no address", { id: "Path Trick" }, "/id"],
    ["with a proof by a policy and a test's name", { proofs: [{ ...GOOD.proofs[0], name: "n" }] }, "/proofs/0"],
    ["with a proof by a test without its name", { proofs: [{ by: "pins", file: "test/a.test.ts" }] }, "/proofs/0"],
    ["with a date that is none", { records: [{ ...RECORD, date: "18 July" }] }, "/records/0/date"],
    ["with a record without a number", { records: [{ ...RECORD, id: "x" }] }, "/records/0/id"],
    ["with an empty text", { why: " " }, "/why"],
    ["with a text beyond its bound", { why: "x".repeat(1001) }, "/why"],
  ])("%s", (_, change, pointer) => {
    expect(pointersOf({ ...GOOD, ...change })).toContain(pointer);
  });

  it("for a part that is missing, told all at once", () => {
    expect(pointersOf({ id: "a" })).toEqual(expect.arrayContaining(["/name", "/stopped", "/proofs", "/records"]));
  });
});

describe("a folder", () => {
  it("is refused for files that are called otherwise, for records that stand twice, and for being nowhere", async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "sallyport-attacks-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const put = (name: string, value: object): void => writeFileSync(path.join(folder, name), JSON.stringify(value));
    put("path-trick.yaml", GOOD);
    put("path-trick.policy-test.yaml", {});
    expect(await loadAttacks(folder)).toMatchObject({ ok: true, value: [{ id: "path-trick" }] });
    put("other.yaml", GOOD);
    put("second.yaml", { ...GOOD, id: "second" });
    expect(await loadAttacks(folder)).toMatchObject({
      ok: false,
      failures: [{ at: { pointer: "/id" } }, { message: "The record `I900` stands twice." }],
    });
    expect(await loadAttacks(path.join(folder, "none"))).toMatchObject({ ok: false, failures: [{ code: "not_found" }] });
  });
});
