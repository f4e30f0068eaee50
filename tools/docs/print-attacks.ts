/**
 * The text of `docs/reference/attacks.md`: every attack of the collection by kind, with the claim that its policy test has
 * just borne out, and indexes by entry of the public lists, by class and by signal. Throws where a claim does not hold.
 */
import path from "node:path";
import {
  ATTACK_KINDS,
  ATTACK_SEVERITIES,
  type Attack,
  type AttackKind,
  OWASP_ENTRIES,
  type OwaspEntry,
} from "../../src/catalog/attacks/attack.ts";
import { type AttackFilter, browseAttacks } from "../../src/catalog/attacks/browse-attacks.ts";
import { type ClaimFigures, deriveClaim, weighCases } from "../../src/catalog/attacks/claim.ts";
import { loadAttacks } from "../../src/catalog/attacks/load-attacks.ts";
import { SIGNAL_NAMES, SIGNALS } from "../../src/catalog/signals.ts";
import { readTextFile } from "../../src/cli/policy-files.ts";
import { runPolicyTestFile } from "../../src/cli/run-policy-tests.ts";
import { FailureError } from "../../src/kernel/failure.ts";
import { TOOL_CLASSES } from "../../src/policy/decision.ts";
import { loadOperators } from "../../src/policy/operators/registry.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");

const TAIL = `
*Written by \`node tools/write-reference.ts\` from [attacks/](../../attacks), after running every policy test there.*
`;

export async function printAttacksPage(): Promise<string> {
  await loadOperators();
  const loaded = await loadAttacks(path.join(ROOT, "attacks"));
  if (!loaded.ok) throw new FailureError(loaded.failures);
  const attacks = loaded.value;
  const figures = new Map<string, ClaimFigures>();
  for (const attack of attacks) {
    const ran = await runPolicy(attack);
    if (deriveClaim(attack, ran) !== attack.stopped) throw new Error(`${attack.id}: the claim does not hold`);
    if (ran) figures.set(attack.id, weighCases(ran));
  }
  const parts = [
    printHead(attacks, figures),
    ...(Object.keys(ATTACK_KINDS) as AttackKind[]).map((kind) => printKind(kind, attacks, figures)),
    printOpen(attacks),
    printIndexes(attacks),
  ];
  return `${parts.join("\n")}${TAIL}`;
}

async function runPolicy({ proofs }: Attack): Promise<Parameters<typeof weighCases>[0] | undefined> {
  const proof = proofs.find(({ by }) => by === "policy");
  if (!proof) return undefined;
  const run = await runPolicyTestFile(path.join(ROOT, proof.file), readTextFile);
  if (!run.ok) throw new FailureError(run.failures);
  return run.value.results;
}

function printHead(attacks: readonly Attack[], figures: ReadonlyMap<string, ClaimFigures>): string {
  const count = (stopped: Attack["stopped"]): number => attacks.filter((attack) => attack.stopped === stopped).length;
  const sum = (read: (one: ClaimFigures) => number): number => [...figures.values()].reduce((total, one) => total + read(one), 0);
  const records = attacks.reduce((total, attack) => total + attack.records.length, 0);
  return `# The attacks

${attacks.length} attacks with ${records} records: ${count("yes")} are stopped, ${count("partly")} partly, ${count("no")} not. [What the words mean](../attacks.md). The policies of ${figures.size} of
them were run: ${sum(({ denied }) => denied)} calls of attacks were denied and ${sum(({ held }) => held)} held for a person, ${sum(({ normal }) => normal)} ordinary ones passed, and ${sum(({ open }) => open)} that are known to get by did.
`;
}

const link = ({ id, name }: Attack): string => `[${name}](../../attacks/${id}.yaml)`;

function printKind(kind: AttackKind, attacks: readonly Attack[], figures: ReadonlyMap<string, ClaimFigures>): string {
  const rows = browseAttacks(attacks, { kind }).map((attack) => {
    const ran = figures.get(attack.id);
    const held = ran && ran.held > 0 ? `, ${ran.held} held` : "";
    const open = ran && ran.open > 0 ? `, ${ran.open} ${ran.open === 1 ? "gets" : "get"} by` : "";
    const policy = ran
      ? `[policy](../../attacks/${attack.id}.policy-test.yaml): ${ran.denied} denied${held}${open}, ${ran.normal} pass`
      : undefined;
    const others = new Set(attack.proofs.flatMap(({ by }) => (by === "policy" ? [] : [by])));
    const proofs = [...(policy ? [policy] : []), ...others].join("; ");
    return `| ${link(attack)} | ${attack.severity} | ${attack.stopped} | ${proofs || "–"} | ${attack.records.length} | ${attack.owasp.join(" ")} |\n`;
  });
  return `## ${ATTACK_KINDS[kind]}

| attack | severity | stopped | by | records | OWASP |
|---|---|---|---|--:|---|
${rows.join("")}`;
}

function printOpen(attacks: readonly Attack[]): string {
  const open = browseAttacks(attacks).filter(({ not_stopped }) => not_stopped.length > 0);
  const rows = open.map((attack) => `| ${link(attack)} | ${attack.not_stopped.join(" ")} |\n`);
  return `## What is not stopped

| attack | gets by |
|---|---|
${rows.join("")}`;
}

function printIndexes(attacks: readonly Attack[]): string {
  const list = (filter: AttackFilter): string =>
    browseAttacks(attacks, filter)
      .map((attack) => `[${attack.id}](../../attacks/${attack.id}.yaml)`)
      .join(" · ");
  const table = (rows: readonly (readonly [string, AttackFilter])[]): string =>
    rows.map(([name, filter]) => `| ${name} | ${list(filter) || "–"} |\n`).join("");
  const severities = table(ATTACK_SEVERITIES.toReversed().map((severity) => [severity, { severity }]));
  const entries = table((Object.keys(OWASP_ENTRIES) as OwaspEntry[]).map((owasp) => [`${owasp} ${OWASP_ENTRIES[owasp]}`, { owasp }]));
  const classes = table(TOOL_CLASSES.map((name) => [`\`@${name}\``, { class: name }]));
  const signals = table(SIGNAL_NAMES.map((signal) => [SIGNALS[signal].words, { signal }]));
  const head = (first: string): string => `| ${first} | attacks |\n|---|---|\n`;
  return `## By severity

${head("severity")}${severities}
## By entry of the public lists

${head("OWASP for language models 2025, MCP 2025 (beta), agents 2026")}${entries}
## By class of tool

An attack that comes by no tool's power is none of these.

${head("class")}${classes}
## By signal

${head("signal")}${signals}`;
}
