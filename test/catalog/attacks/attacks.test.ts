/** Each attack of the collection is what it claims: its policy's test holds, its proofs are there, its words are the log's. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { AUDIT_KINDS } from "../../../src/audit/entry.ts";
import { LOG_MEMBERS } from "../../../src/catalog/attacks/attack.ts";
import { deriveClaim, readRole, weighCases } from "../../../src/catalog/attacks/claim.ts";
import { loadAttacks } from "../../../src/catalog/attacks/load-attacks.ts";
import { SIGNAL_NAMES } from "../../../src/catalog/signals.ts";
import { readTextFile } from "../../../src/cli/policy-files.ts";
import { type CaseResult, runPolicyTestFile } from "../../../src/cli/run-policy-tests.ts";
import { lintPolicy } from "../../../src/policy/lint.ts";
import { loadOperators } from "../../../src/policy/operators/registry.ts";
import { parseTestFile } from "../../../src/policy/test-file/read-test-file.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const loaded = await loadAttacks(path.join(ROOT, "attacks"));
if (!loaded.ok) throw new Error(JSON.stringify(loaded.failures, null, 2));
const attacks = loaded.value;
await loadOperators();

async function runCases(file: string): Promise<readonly CaseResult[]> {
  const run = await runPolicyTestFile(path.join(ROOT, file), readTextFile);
  if (!run.ok) throw new Error(JSON.stringify(run.failures));
  return run.value.results;
}

const policyFileOf = (id: string): string => `attacks/${id}.policy-test.yaml`;

describe("the attacks", () => {
  it("are there, and their tests are theirs", () => {
    expect(attacks.length).toBeGreaterThanOrEqual(30);
    const tested = attacks.filter(({ proofs }) => proofs.some(({ by }) => by === "policy")).map(({ id }) => policyFileOf(id));
    expect(globSync("attacks/*.policy-test.yaml", { cwd: ROOT }).sort()).toEqual(tested.sort());
  });

  it("have every signal that is a reason for one", () => {
    const used = new Set(attacks.flatMap(({ touches }) => [touches, ...(touches.legs ?? [])].flatMap(({ signals }) => signals ?? [])));
    const harmless = ["reversible_delete", "many_arguments", "not_looked_at"];
    expect(SIGNAL_NAMES.filter((name) => !used.has(name))).toEqual(harmless);
  });

  it.each(attacks.map((attack) => [attack.id, attack] as const))("%s claims what its proofs bear", async (id, attack) => {
    const proof = attack.proofs.find(({ by }) => by === "policy");
    const cases = proof && (await runCases(proof.file));
    if (proof) expect(proof.file).toBe(policyFileOf(id));
    if (cases) expect(weighCases(cases).wrong).toEqual([]);
    expect(deriveClaim(attack, cases)).toBe(attack.stopped);
  });

  it("name tests of ours by the names that they have", () => {
    const proofs = attacks.flatMap(({ proofs: listed }) => listed).filter(({ name }) => name !== undefined);
    expect(proofs.length).toBeGreaterThan(20);
    const isNamed = (text: string, name: string): boolean => [`"${name}"`, `\`${name}\``].some((title) => text.includes(title));
    const missing = proofs.filter(({ file, name }) => !isNamed(readFileSync(path.join(ROOT, file), "utf8"), name as string));
    expect(missing).toEqual([]);
    expect(proofs.filter(({ file }) => !/^test\/.*\.test\.ts$/.test(file))).toEqual([]);
  });

  it("look for entries that the log writes", () => {
    const sources = globSync("src/**/*.ts", { cwd: ROOT });
    const code = sources
      .filter((file) => !file.includes(`${path.sep}attacks${path.sep}`))
      .map((file) => readFileSync(path.join(ROOT, file), "utf8"))
      .join("\n");
    const page = readFileSync(path.join(ROOT, "docs/audit.md"), "utf8");
    expect(LOG_MEMBERS.filter((member) => !page.includes(`\`${member}\``))).toEqual([]);
    const signs = attacks.flatMap(({ look_for }) => look_for);
    expect(signs.length).toBeGreaterThan(60);
    const fixed = ["kind", "code", "action", "outcome", "method", "cause"] as const;
    const said = new Set(signs.flatMap(({ where }) => fixed.flatMap((member) => where[member] ?? [])));
    expect([...said].filter((word) => !new RegExp(`["' ]${word.replaceAll(/[./]/g, "\\$&")}["' ]`).test(code))).toEqual([]);
    expect(signs.filter(({ where }) => !AUDIT_KINDS.some((kind) => kind === where.kind))).toEqual([]);
  });

  it("have policies about which the check has nothing to say, and cases that say what they are", () => {
    for (const { id, proofs } of attacks.filter(({ proofs: listed }) => listed.some(({ by }) => by === "policy"))) {
      const file = proofs.find(({ by }) => by === "policy")?.file as string;
      const parsed = parseTestFile(readFileSync(path.join(ROOT, file), "utf8"), { file });
      expect(parsed.ok ? [] : parsed.failures).toEqual([]);
      if (!parsed.ok || !parsed.value.policy || !("document" in parsed.value.policy)) throw new Error(`${id} holds its own policy`);
      expect(lintPolicy(parsed.value.policy.document), id).toEqual([]);
      const roles = parsed.value.cases.map(({ name }) => readRole(name));
      expect(roles.includes(undefined), id).toBe(false);
      expect(new Set(roles).size, id).toBeGreaterThanOrEqual(2);
      expect(new Set(parsed.value.cases.map(({ name }) => name)).size).toBe(roles.length);
    }
  });
});
