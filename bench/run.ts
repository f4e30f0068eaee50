/**
 * `npm run bench`: one table from one interleaved run, judged against its marks. Other words lead to the curves of growth,
 * to the stores, to memory over time and to a call taken apart. Nothing leaves the machine but the installation of the
 * peers; all that is started ends with the run.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { CURVES } from "./curves.ts";
import { measureGrowth } from "./growth.ts";
import { judgeTable, listRows, printVerdict } from "./judge-table.ts";
import { endAll, findPort, LOAD_CORE, ROOT, type System } from "./launch.ts";
import { measureTable } from "./measure-table.ts";
import { startPeers } from "./peers.ts";
import { printTable } from "./print-table.ts";
import { breakDown } from "./profile.ts";
import { soak } from "./soak.ts";
import { measureStores } from "./stores.ts";
import { startUpstream } from "./systems.ts";

const USAGE = `npm run bench -- [WORDS]

  (none)              one table of all systems, and whether the marks are met
  --growth            curves of growth, drawn into bench/curves
  --only NAME[,NAME]  of the curves only these: ${Object.keys(CURVES).join(", ")}
  --full              the curves to their ends: ten million entries
  --stores            PostgreSQL and Redis: throughput, round trips, two processes
  --minutes N         memory under load for so long
  --profile           one call taken apart

  --rounds 5  --seconds 3  --quick (one round of one second)  --no-peers  --json

Needs two cores, wrk, nginx and taskset (Debian: apt-get install wrk nginx-light util-linux); strace, where it is there,
counts syncs. --stores needs postgresql and redis-server.
`;

const WARM_UP_SECONDS = 6;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
    growth: { type: "boolean", default: false },
    only: { type: "string" },
    full: { type: "boolean", default: false },
    stores: { type: "boolean", default: false },
    minutes: { type: "string" },
    profile: { type: "boolean", default: false },
    "no-peers": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const { quick } = values;
const rounds = quick ? 1 : Number(values.rounds);
const seconds = quick ? 1 : Number(values.seconds);
const warmUpSeconds = quick ? 1 : WARM_UP_SECONDS;
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** The result: one JSON value, or words. */
function tell(value: unknown, words: string): void {
  process.stdout.write(values.json ? `${JSON.stringify(value)}\n` : words);
}

const folder = mkdtempSync(path.join(os.tmpdir(), "sallyport-bench-"));
const workshop = { folder, upstreamPort: await findPort() };

async function withUpstream<T>(act: (upstream: System) => Promise<T>): Promise<T> {
  const upstream = await startUpstream(workshop.upstreamPort);
  try {
    return await act(upstream);
  } finally {
    await upstream.stop();
  }
}

async function takeApart(): Promise<void> {
  const found = await withUpstream((upstream) => breakDown(workshop, upstream, seconds, warmUpSeconds));
  tell({ breakdown: found }, `\n${found.words}\n${printTable(found.rows)}\n${printTable(found.functions)}`);
}

async function compareAll(): Promise<void> {
  let missing: readonly string[] = [];
  const table = await measureTable(workshop, {
    rounds,
    seconds,
    warmUpSeconds,
    quick,
    startPeers: async () => {
      if (quick || values["no-peers"]) return [];
      const peers = await startPeers(folder, say);
      missing = peers.missing;
      return peers.systems;
    },
    say,
  });
  const rows = listRows(table);
  const verdict = judgeTable(table);
  const absent = missing.map((words) => `${words}\n`).join("");
  tell({ table: rows, verdict, missing }, `${printTable(rows)}${absent}\n${printVerdict(verdict)}`);
  const unmet = verdict.marks.some(({ met }) => met === false);
  if (unmet) process.exitCode = 1;
  if (unmet && !values.json) await takeApart();
}

async function drawCurves(): Promise<void> {
  const only = values.only?.split(",");
  const unknown = only?.find((name) => !(name in CURVES));
  if (unknown !== undefined) throw new Error(`there is no curve \`${unknown}\`: ${Object.keys(CURVES).join(", ")}`);
  const drawings = quick ? undefined : path.join(ROOT, "bench/curves");
  const growth = await measureGrowth(workshop, { only, quick, full: values.full, rounds, seconds, drawings, say });
  const words = growth.map((curve) => `${curve.drawing}${curve.words}\n`).join("\n");
  tell({ growth }, `${printTable(growth.flatMap((curve) => curve.rows))}\n${words}`);
  if (growth.some(({ kept }) => kept === false)) process.exitCode = 1;
}

async function watchMemory(): Promise<void> {
  const found = await withUpstream((upstream) => soak(workshop, upstream, Number(values.minutes), say));
  const words = `${found.calls} calls in ${found.minutes} minutes, ${found.errors} errors; resident at the end ${Math.round(found.residentMiB.at(-1) ?? 0)} MiB, over the second half ${(found.growth * 100).toFixed(1)} %: ${found.flat ? "no growth" : "it GROWS"}\n`;
  tell({ soak: found }, words);
  if (!found.flat || found.errors > 0) process.exitCode = 1;
}

async function useStores(): Promise<void> {
  const found = await withUpstream((upstream) => measureStores(workshop, upstream, { rounds, seconds, warmUpSeconds, say }));
  tell({ stores: found }, `${printTable(found.rows)}\n${found.words}\n`);
  if (found.kept === false) process.exitCode = 1;
}

// Whatever this process does itself is done where the load is; programs are told their own cores.
spawnSync("taskset", ["-cp", LOAD_CORE, String(process.pid)], { stdio: "ignore" });
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.once(signal, () => {
    endAll();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    process.exit(code);
  });
}

try {
  if (values.help) process.stdout.write(USAGE);
  else if (values.growth || values.only !== undefined) await drawCurves();
  else if (values.stores) await useStores();
  else if (values.minutes !== undefined) await watchMemory();
  else if (values.profile) await takeApart();
  else await compareAll();
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
