/**
 * `npm run bench`: one table from one interleaved run. Rounds go A B C … C B A; what is told are medians and, pair by
 * pair within a round, ratios to nginx and to the raw relay. A sample that the rest of the machine disturbed is taken
 * again once; where more than half stay disturbed, no verdict is given.
 *
 *   npm run bench -- [--rounds 5] [--seconds 3] [--growth | --only-growth] [--json]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { measureGrowth, type TakeOne } from "./growth.ts";
import { benchPolicy } from "./policies.ts";
import { type Load, median, type Sample, takeSample } from "./sample.ts";
import { CALL_BODY, findPort, type System, startNginx, startRelay, startSallyport, startUpstream } from "./systems.ts";

/** Foreign load above which a sample is taken again, in cores. */
const DISTURBED_CORES = 0.15;
const WARM_UP_SECONDS = 6;
const MARK_OF_NGINX = 0.25;
const MARK_ADDED_P50_US = 1000;

function writeScript(folder: string, system: System): string {
  const file = path.join(folder, `${system.name.replaceAll(/\W+/g, "-")}.lua`);
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", ...system.headers };
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`);
  writeFileSync(file, `wrk.method = "POST"\nwrk.body = [==[${CALL_BODY}]==]\n${lines.join("\n")}\n`);
  return file;
}

async function sampleSystem(system: System, script: string, upstream: System, connections: number, seconds: number): Promise<Sample> {
  const load: Load = { url: system.url, connections, seconds, script };
  const others = system === upstream ? [] : upstream.pids();
  const first = await takeSample(load, system.pids(), others);
  if (first.foreignCores <= DISTURBED_CORES) return first;
  const second = await takeSample(load, system.pids(), others);
  return second.foreignCores < first.foreignCores ? second : first;
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    growth: { type: "boolean", default: false },
    "only-growth": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(
    "npm run bench -- [--rounds 5] [--seconds 3] [--growth | --only-growth] [--json]\n\n" +
      "Needs wrk and nginx (Debian: apt-get install wrk nginx-light) and two cores.\n" +
      "--growth adds the curves over entries and grants, --only-growth leaves out the table.\n",
  );
  process.exit(0);
}
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const folder = mkdtempSync(path.join(os.tmpdir(), "sallyport-bench-"));
const upstreamPort = await findPort();
const workshop = { folder, upstreamPort };
const systems: System[] = [];

interface Row {
  readonly name: string;
  readonly busy: Sample[];
  readonly quiet: Sample[];
}

try {
  const upstream = await startUpstream(upstreamPort);
  systems.push(upstream);
  const takeOne = (system: System, connections: number): Promise<Sample> =>
    sampleSystem(system, writeScript(folder, system), upstream, connections, seconds);
  if (values["only-growth"]) {
    const growth = await measureGrowth(workshop, rounds, takeOne, say);
    if (values.json) process.stdout.write(`${JSON.stringify({ growth })}\n`);
    else {
      console.table(growth.rows);
      process.stdout.write(`${growth.words}\n`);
    }
  } else await measureTable(upstream, takeOne);
} finally {
  await Promise.all(systems.map((system) => system.stop()));
  rmSync(folder, { recursive: true, force: true });
}

async function measureTable(upstream: System, takeOne: TakeOne): Promise<void> {
  systems.push(await startNginx(workshop));
  systems.push(await startRelay(workshop));
  systems.push(await startRelay(workshop, "raw relay again (A/A)"));
  systems.push(await startSallyport(workshop, "sallyport", benchPolicy(1)));
  const scripts = new Map(systems.map((system) => [system, writeScript(folder, system)]));
  const rows = new Map<System, Row>(systems.map((system) => [system, { name: system.name, busy: [], quiet: [] }]));

  say("warming up");
  for (const system of systems) await sampleSystem(system, scripts.get(system) as string, upstream, 32, WARM_UP_SECONDS);
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? systems : [...systems].reverse();
    for (const system of order) {
      const script = scripts.get(system) as string;
      rows.get(system)?.busy.push(await sampleSystem(system, script, upstream, 32, seconds));
      rows.get(system)?.quiet.push(await sampleSystem(system, script, upstream, 1, Math.max(1, Math.ceil(seconds / 2))));
      say(`round ${round + 1}/${rounds}: ${system.name}`);
    }
  }

  const list = [...rows.values()];
  const nginx = list.find((row) => row.name.startsWith("nginx")) as Row;
  const relay = list.find((row) => row.name === "raw relay") as Row;
  const ours = list.find((row) => row.name === "sallyport") as Row;
  const ratio = (row: Row, to: Row) =>
    median(row.busy.map((sample, index) => sample.requestsPerSecond / (to.busy[index] as Sample).requestsPerSecond));
  const cpuRatio = (row: Row, to: Row) => median(row.busy.map((sample, index) => (to.busy[index] as Sample).cpuUs / sample.cpuUs));
  const addedP50 = (row: Row, to: Row) => median(row.quiet.map((sample, index) => sample.p50Us - (to.quiet[index] as Sample).p50Us));
  const table = list.map((row) => ({
    system: row.name,
    "calls/s": Math.round(median(row.busy.map((sample) => sample.requestsPerSecond))),
    "CPU µs/call": Number(median(row.busy.map((sample) => sample.cpuUs)).toFixed(1)),
    "p50 µs at 1": Math.round(median(row.quiet.map((sample) => sample.p50Us))),
    "÷ nginx": Number(ratio(row, nginx).toFixed(2)),
    "÷ relay": Number(ratio(row, relay).toFixed(2)),
    "nginx CPU ÷ own": Number(cpuRatio(row, nginx).toFixed(2)),
    "foreign cores": Number(median(row.busy.map((sample) => sample.foreignCores)).toFixed(2)),
    errors: [...row.busy, ...row.quiet].reduce((sum, sample) => sum + sample.errors, 0),
  }));
  const disturbed = list.flatMap((row) => row.busy).filter((sample) => sample.foreignCores > DISTURBED_CORES).length;
  const judged = disturbed * 2 <= list.length * rounds;
  const verdict = {
    judged,
    ofNginx: Number(ratio(ours, nginx).toFixed(3)),
    addedP50Us: Math.round(addedP50(ours, nginx)),
    met: judged && ratio(ours, nginx) >= MARK_OF_NGINX && addedP50(ours, nginx) < MARK_ADDED_P50_US,
  };
  const growth = values.growth ? await measureGrowth(workshop, rounds, takeOne, say) : undefined;
  if (values.json) process.stdout.write(`${JSON.stringify({ table, verdict, growth })}\n`);
  else {
    console.table(table);
    process.stdout.write(
      judged
        ? `Sallyport with policy, limits and durable audit: ${verdict.ofNginx} of nginx (mark ${MARK_OF_NGINX}), ${verdict.addedP50Us} µs added at p50 (mark ${MARK_ADDED_P50_US}): ${verdict.met ? "met" : "not met"}\n`
        : "The machine is too busy to judge: more than half of the samples were disturbed.\n",
    );
    if (growth) console.table(growth.rows);
    if (growth) process.stdout.write(`${growth.words}\n`);
  }
  process.exitCode = verdict.met || !judged ? 0 : 1;
}
