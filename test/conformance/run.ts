/**
 * The conformance suite through the gateway, row by row: the fixture alone, the fixture behind a gateway, the suite's own
 * servers behind a gateway, and a gateway that is given no token. A row is good when nothing is lost that is not known,
 * and nothing is known that is not lost.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Listening } from "../interop/listen.ts";
import { explainLoss, findLosses, rate } from "./compare.ts";
import { type FixtureEra, startFixture } from "./fixture/start-fixture.ts";
import { nameOf, OWN_ERA, PAIRINGS, type Pairing, WANTED_UNSCORED, WANTED_UNSCORED_CLIENT } from "./pairings.ts";
import { isLogin, startScenarioClients } from "./scenario-clients.ts";
import { startConformanceGateway, TOKEN, type UpstreamEntry } from "./start-gateway.ts";
import { listScored, type Revision, runClientSuite, runServerSuite, type ScenarioResult } from "./suite.ts";

type KnownLosses = Readonly<Record<string, Readonly<Record<string, string>>>>;

const KNOWN = JSON.parse(readFileSync(path.join(import.meta.dirname, "known-losses.json"), "utf8")) as KnownLosses;
export const STDIO_FIXTURE: string = path.join(import.meta.dirname, "children/stdio-fixture.ts");

export interface RowReport {
  readonly name: string;
  /** Scenarios that the revision scores. */
  readonly scored: number;
  readonly alone: number;
  readonly through: number;
  /** Checks that are worse than without the gateway and not known, in words. */
  readonly losses: readonly string[];
  readonly known: readonly string[];
  /** Known losses that are none any more. */
  readonly stale: readonly string[];
}

export const isGood = ({ losses, stale, scored, alone, through }: RowReport): boolean =>
  losses.length === 0 && stale.length === 0 && alone === scored && through <= scored;

const countGood = (results: readonly ScenarioResult[], among: readonly string[]): number =>
  results.filter((result) => among.includes(result.scenario) && rate(result).isGood).length;

/** The suite gives some answers half a second, which a busy machine may not have: what failed is run again by itself. */
const MAX_RUNS = 4;

interface SteadyRun {
  readonly url: string;
  readonly revision: Revision;
  readonly token?: string;
}

/** Whether running it again would show nothing else: what is known to be lost does not get better by that. */
function isSettled(result: ScenarioResult, known: Readonly<Record<string, string>>): boolean {
  const bad = result.checks
    .filter(({ status }) => status === "FAILURE" || status === "WARNING")
    .map(({ id }) => `${result.scenario}:${id}`);
  return rate(result).isGood || (bad.length > 0 && bad.every((loss) => Object.hasOwn(known, loss)));
}

async function runSteady(of: SteadyRun, known: Readonly<Record<string, string>> = {}): Promise<ScenarioResult[]> {
  const wanted = new Set([...listScored(of.revision, "server"), ...WANTED_UNSCORED[of.revision]]);
  const settle = async (result: ScenarioResult): Promise<ScenarioResult> => {
    let last = result;
    for (let runs = 1; runs < MAX_RUNS && wanted.has(last.scenario) && !isSettled(last, known); runs++) {
      last = (await runServerSuite({ ...of, scenario: last.scenario }))[0] ?? last;
    }
    return last;
  };
  const results: ScenarioResult[] = [];
  for (const result of await runServerSuite(of)) results.push(await settle(result));
  return results;
}

/** The fixture without the gateway. */
export async function runAlone(revision: Revision): Promise<ScenarioResult[]> {
  const fixture = await startFixture(OWN_ERA[revision]);
  try {
    return await runSteady({ url: fixture.url, revision });
  } finally {
    await fixture.stop();
  }
}

interface Upstream extends Pick<Listening, "stop"> {
  readonly entry: UpstreamEntry;
}

async function startUpstream(era: FixtureEra, transport: Pairing["transport"]): Promise<Upstream> {
  if (transport === "stdio") {
    return { entry: { command: process.execPath, args: [STDIO_FIXTURE] }, stop: async () => undefined };
  }
  const fixture = await startFixture(era);
  return { entry: { url: fixture.url }, stop: () => fixture.stop() };
}

export async function runPairing(pairing: Pairing, alone: readonly ScenarioResult[]): Promise<RowReport> {
  const { requirement: revision, upstream: era, transport } = pairing;
  const upstream = await startUpstream(era, transport);
  const gateway = await startConformanceGateway(upstream.entry);
  try {
    const through = await runSteady({ url: gateway.url, revision, token: TOKEN }, KNOWN[nameOf(pairing)]);
    return judge(pairing, alone, through);
  } finally {
    await gateway.stop();
    await upstream.stop();
  }
}

function judge(pairing: Pairing, alone: readonly ScenarioResult[], through: readonly ScenarioResult[]): RowReport {
  const { requirement: revision } = pairing;
  const scored = listScored(revision, "server");
  const wanted = new Set([...scored, ...WANTED_UNSCORED[revision]]);
  const name = nameOf(pairing);
  const known = KNOWN[name] ?? {};
  const lost = findLosses(
    alone.filter(({ scenario }) => wanted.has(scenario)),
    through,
  );
  return {
    name,
    scored: scored.length,
    alone: countGood(alone, scored),
    through: countGood(through, scored),
    losses: lost.filter((loss) => !Object.hasOwn(known, loss)).map((loss) => explainLoss(loss, through)),
    known: lost.filter((loss) => Object.hasOwn(known, loss)).map((loss) => `${loss}: ${known[loss]}`),
    stale: Object.keys(known).filter((loss) => !lost.includes(loss)),
  };
}

/** The server refuses one version once: whether the gateway's own look meets that or the client, is chance. */
const BY_CHANCE: ReadonlySet<string> = new Set(["request-metadata:sep-2575-client-retry-supported-version"]);

/** Rows of one run of the suite's client scenarios: what reaches its servers from a client, and what from a login. */
export const nameClientRows = (revision: Revision): readonly [clients: string, signIns: string] => [
  `${revision} clients`,
  `${revision} sign-ins`,
];

/** The suite's own servers as upstreams; before the gateway a client of the SDK, and a person where it has to sign in. */
export async function runClients(revision: Revision): Promise<readonly [clients: RowReport, signIns: RowReport]> {
  const clients = await startScenarioClients();
  try {
    const through = await runClientSuite({ clients: clients.url, revision });
    const scored = listScored(revision, "client");
    const [ofClients, ofSignIns] = nameClientRows(revision);
    const others = scored.filter((scenario) => !isLogin(scenario));
    return [
      judgeClients(ofClients, others, [WANTED_UNSCORED_CLIENT], through),
      judgeClients(ofSignIns, scored.filter(isLogin), [], through),
    ];
  } finally {
    await clients.stop();
  }
}

function judgeClients(name: string, scored: readonly string[], besides: readonly string[], through: readonly ScenarioResult[]): RowReport {
  const wanted = through.filter(({ scenario }) => scored.includes(scenario) || besides.includes(scenario));
  const bad = wanted.flatMap(({ scenario, checks }) =>
    checks.filter(({ status }) => status === "FAILURE" || status === "WARNING").map(({ id }) => `${scenario}:${id}`),
  );
  const known = KNOWN[name] ?? {};
  const missing = scored.filter((scenario) => !through.some((result) => result.scenario === scenario));
  return {
    name,
    scored: scored.length,
    alone: scored.length,
    through: countGood(through, scored),
    losses: [
      ...missing.map((scenario) => `${scenario}: was not run`),
      ...bad.filter((loss) => !BY_CHANCE.has(loss) && !Object.hasOwn(known, loss)).map((loss) => explainLoss(loss, through)),
    ],
    known: bad.filter((loss) => Object.hasOwn(known, loss)).map((loss) => `${loss}: ${known[loss]}`),
    stale: Object.keys(known).filter((loss) => !bad.includes(loss)),
  };
}

export interface TokenlessReport {
  /** Scenarios that pass all the same. */
  readonly passing: readonly string[];
  /** Requests that reached the server from the client's side. */
  readonly reached: number;
}

/** A gateway before which the suite has no token. */
export async function runTokenless(revision: Revision): Promise<TokenlessReport> {
  const fixture = await startFixture(OWN_ERA[revision]);
  const gateway = await startConformanceGateway({ url: fixture.url });
  try {
    const before = fixture.count();
    const results = await runServerSuite({ url: gateway.url, revision });
    const passing = results.filter((result) => rate(result).isGood).map(({ scenario }) => scenario);
    return { passing, reached: fixture.count() - before };
  } finally {
    await gateway.stop();
    await fixture.stop();
  }
}

export const REVISIONS: readonly Revision[] = ["2025-11-25", "2026-07-28"];

/** Rows that are run, and are not kept out by name. */
export function listRows(only?: string): Pairing[] {
  return PAIRINGS.filter((pairing) => only === undefined || nameOf(pairing).includes(only));
}
