/**
 * `npm run bench:attacks`: how much the suggested policies stop, and what they cost: attacks stopped, ordinary calls and tasks
 * that pass, questions to people, false alarms; always together. Judged are calls that others recorded and that lie beside
 * the checkout. `--json` for machines, `--suites` tells each server, `--why` names what was refused and what got by, `--write`
 * puts the tables into the page.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { classifyTool } from "../src/catalog/classify.ts";
import { readMember } from "../src/kernel/json.ts";
import { loadOperators } from "../src/policy/operators/registry.ts";
import { countAlarms } from "./attacks/count-alarms.ts";
import { type FillMode, fillPolicy, narrowPolicy } from "./attacks/fill-policy.ts";
import { addTallies, createJudge, type JudgedTask, suggestForSuite, type Tally, tally } from "./attacks/judge-suite.ts";
import {
  type BusinessSuite,
  DATA_FOLDER,
  hasData,
  readAttackSuites,
  readBusinessSuites,
  readOrdinaryTools,
  type Suite,
  type Task,
} from "./attacks/read-suites.ts";

if (!hasData()) {
  process.stderr.write(`There are no recorded calls in ${DATA_FOLDER}: nothing was measured.\n`);
  process.exit(1);
}
await loadOperators();
const why: string[] = [];

const callsOf = (tasks: readonly Task[]) => tasks.flatMap(({ calls }) => calls);

async function judgeAll(suite: Suite, tasks: readonly Task[], given: readonly Task[], mode: FillMode): Promise<JudgedTask[]> {
  const judge = createJudge(fillPolicy(suggestForSuite(suite), callsOf(given), mode), suite.tools);
  const judged: JudgedTask[] = [];
  for (const task of tasks) judged.push(await judge(task));
  return judged;
}

/** Each task under the policy that the others filled in, so that nothing is judged by what it was told itself. */
async function judgeByOthers(suite: Suite, mode: FillMode): Promise<JudgedTask[]> {
  const judged: JudgedTask[] = [];
  for (const task of suite.benign) {
    judged.push(
      ...(await judgeAll(
        suite,
        [task],
        suite.benign.filter((other) => other !== task),
        mode,
      )),
    );
  }
  return judged;
}

function tell(label: string, suite: Suite, benign: readonly JudgedTask[], attacks: readonly JudgedTask[]): Tally {
  for (const { id, calls } of benign)
    for (const { tool, decision, code, rule } of calls)
      if (decision !== "allow") why.push(`${label}: ${suite.name} ${id}: ${tool} ${decision} ${code ?? ""} ${rule ?? ""}`);
  for (const { id, calls } of attacks)
    if (calls.every(({ decision }) => decision === "allow"))
      why.push(`${label}: ${suite.name} ${id}: GOT BY ${calls.map(({ tool }) => tool).join(", ")}`);
  return tally(benign, attacks);
}

/** Every attack against the grant of every task: what one piece of work needs, filled in by itself. */
async function judgeNarrowed(suite: Suite): Promise<{ readonly benign: JudgedTask[]; readonly attacks: JudgedTask[] }> {
  const reads = new Set(suite.tools.flatMap((tool) => (classifyTool(tool).class === "read" ? [String(readMember(tool, "name"))] : [])));
  const benign: JudgedTask[] = [];
  const attacks: JudgedTask[] = [];
  for (const task of suite.benign) {
    const narrowed = narrowPolicy(suggestForSuite(suite), task.calls, reads);
    const judge = createJudge(fillPolicy(narrowed, task.calls, "values"), suite.tools);
    benign.push(await judge(task));
    for (const attack of suite.attacks) attacks.push(await judge(attack));
  }
  return { benign, attacks };
}

interface Judged {
  readonly benign: readonly JudgedTask[];
  readonly attacks: readonly JudgedTask[];
}
type Measured = Readonly<Record<string, Tally>> & { readonly all: Tally };

async function measure(label: string, suites: readonly Suite[], judge: (suite: Suite) => Promise<Judged>): Promise<Measured> {
  const each: Record<string, Tally> = {};
  for (const suite of suites) {
    const { benign, attacks } = await judge(suite);
    each[suite.name] = tell(label, suite, benign, attacks);
  }
  return { all: addTallies(Object.values(each)), ...each };
}

/** The calls of tools that have a definition, or of those that have none. */
function onlyTools(suite: BusinessSuite, rebuilt: boolean): Suite {
  const keep = ({ calls, id }: Task): Task => ({ id, calls: calls.filter(({ tool }) => suite.rebuilt.has(tool) === rebuilt) });
  return { ...suite, benign: suite.benign.map(keep).filter(({ calls }) => calls.length > 0) };
}

const attackSuites = readAttackSuites();
const business = readBusinessSuites();
const asSuggested = async (suite: Suite): Promise<Judged> => ({
  benign: await judgeAll(suite, suite.benign, [], "forms"),
  attacks: await judgeAll(suite, suite.attacks, [], "forms"),
});
const byOthers =
  (mode: FillMode) =>
  async (suite: Suite): Promise<Judged> => ({
    benign: await judgeByOthers(suite, mode),
    attacks: await judgeAll(suite, suite.attacks, suite.benign, mode),
  });
const measureAll = (policy: string, suites: readonly Suite[], judge: (suite: Suite) => Promise<Judged>) =>
  measure(policy, suites, judge).then((measured) => [policy, measured] as const);
const known = business.map((suite) => onlyTools(suite, false));
const rebuilt = business.map((suite) => onlyTools(suite, true));
const results = {
  attacks: [
    await measureAll("as suggested, nothing filled in", attackSuites, asSuggested),
    await measureAll("filled in by the other tasks", attackSuites, byOthers("forms")),
    await measureAll("filled in by the other tasks, value by value", attackSuites, byOthers("values")),
    await measureAll("a grant for each task, filled in by itself", attackSuites, judgeNarrowed),
  ],
  business: [
    await measureAll("as suggested, of definitions", known, asSuggested),
    await measureAll("as suggested, of names and arguments alone", rebuilt, asSuggested),
    await measureAll("filled in by the other tasks", business, byOthers("forms")),
  ],
  alarms: countAlarms(readOrdinaryTools()),
};

const share = (part: number, whole: number): string => (whole === 0 ? "–" : `${part} of ${whole} (${((100 * part) / whole).toFixed(0)} %)`);
const rate = (part: number, whole: number, of: number): string => (whole === 0 ? "–" : ((of * part) / whole).toFixed(1));

function printRow(name: string, figures: Tally): string {
  const { attacks, denied, held, clean, tasks, tasksPassed, calls, callsPassed, callsHeld } = figures;
  const stopped = attacks === 0 ? "–" : `${share(denied + held, attacks)}${held > 0 ? `, ${held} of them held` : ""}`;
  return `| ${name} | ${stopped} | ${share(clean, attacks)} | ${share(callsPassed, calls)} | ${share(tasksPassed, tasks)} | ${rate(callsHeld, calls, 100)} |\n`;
}

const HEAD =
  "| policy | attacks stopped | with nothing changed | ordinary calls that pass | ordinary tasks that pass | approvals per 100 ordinary calls |\n|---|--:|--:|--:|--:|--:|\n";

function printTables(): string {
  const { alarms } = results;
  const rows = results.attacks.flatMap(([policy, { all, ...each }]) => [
    printRow(policy, all),
    ...(process.argv.includes("--suites") ? Object.entries(each).map(([suite, figures]) => printRow(`… ${suite}`, figures)) : []),
  ]);
  // Of a business's task only some calls were recorded, so that none can be said to pass.
  const businessRows = results.business.map(([policy, { all }]) => printRow(policy, { ...all, tasks: 0, tasksPassed: 0 }));
  const words = `False alarms: ${rate(alarms.accused, alarms.tools, 1000)} per 1,000 ordinary tools (${alarms.accused} of ${alarms.tools}). Another ${alarms.contradicting} are said to contradict themselves.`;
  return `${HEAD}${rows.join("")}\n${HEAD.replace("policy", "policy of business servers")}${businessRows.join("")}\n${words}\n`;
}

if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(results)}\n`);
else {
  const tables = printTables();
  process.stdout.write(tables);
  if (process.argv.includes("--why")) process.stdout.write(`\n${why.join("\n")}\n`);
  if (process.argv.includes("--write")) {
    const page = path.resolve(import.meta.dirname, "../docs/attacks.md");
    const text = readFileSync(page, "utf8");
    const [before = "", , after = ""] = text.split(/(?<=<!-- bench -->\n)|(?=<!-- \/bench -->)/);
    writeFileSync(page, `${before}\n${tables}\n${after}`);
  }
}
