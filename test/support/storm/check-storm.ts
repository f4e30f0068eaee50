/**
 * What must hold after a storm, whatever happened in it: held against the server's own list of what reached it, the
 * callers' of what they asked, and the log. Each finding is a line of text; no line, no finding.
 */
import type { Asked, Reached } from "./load.ts";

export interface LogLine {
  readonly kind: string;
  readonly time: string;
  readonly exchange?: string;
  readonly tool: string | null;
  readonly grant: string | null;
  readonly decision: string | null;
  readonly requestId: unknown;
  readonly outcome: string | null;
  readonly policyRevision: string | null;
}

export interface Bound {
  readonly tool: string;
  readonly max: number;
  /** Left out: over the whole storm. */
  readonly windowMs?: number;
  /** Calls that failed are given back. */
  readonly successes?: boolean;
}

export interface Storm {
  readonly asked: readonly Asked[];
  readonly reached: readonly Reached[];
  readonly entries: readonly LogLine[];
  readonly bounds: readonly Bound[];
  /** Processes that were killed: what they had under way has no outcome that anybody knows. */
  readonly killed: ReadonlySet<number>;
  /** Grant → when somebody was told that it is revoked. */
  readonly revoked: ReadonlyMap<string, number>;
  /** The tool that a policy denies now and then. */
  readonly switched: string;
}

/** A gateway's clock never goes back: where the machine's is slowed down, it is ahead by so much for a while. */
const CLOCK_SLACK_MS = 250;
const MAX_TOLD = 20;

export function checkStorm(storm: Storm): string[] {
  const askedBy = new Map(storm.asked.map((one) => [one.number, one]));
  const findings = [
    ...checkReached(storm, askedBy),
    ...storm.bounds.flatMap((bound) => checkBound(bound, storm.reached, askedBy)),
    ...checkOutcomes(storm, askedBy),
    ...checkRevisions(storm),
  ];
  return findings.slice(0, MAX_TOLD);
}

function checkReached({ asked, reached, entries, revoked }: Storm, askedBy: ReadonlyMap<number, Asked>): string[] {
  const findings: string[] = [];
  const intents = new Map<unknown, LogLine[]>();
  for (const entry of entries) {
    if (entry.kind === "intent") intents.set(entry.requestId, [...(intents.get(entry.requestId) ?? []), entry]);
  }
  const seen = new Set<number>();
  for (const { number, tool, atMs } of reached) {
    if (seen.has(number)) findings.push(`call ${number} reached the server twice`);
    seen.add(number);
    const [intent, ...more] = intents.get(number) ?? [];
    if (!intent) findings.push(`call ${number} of ${tool} reached the server and is not on record`);
    else if (intent.decision !== "allow" || intent.tool !== tool) findings.push(`call ${number} is on record as something else`);
    else if (Date.parse(intent.time) > atMs + CLOCK_SLACK_MS)
      findings.push(`call ${number} was on record ${Date.parse(intent.time) - atMs} ms after it had reached the server`);
    if (more.length > 0) findings.push(`call ${number} has ${more.length + 1} intents`);
    const one = askedBy.get(number);
    const revokedMs = one && revoked.get(one.grant);
    if (one && revokedMs !== undefined && one.startedMs > revokedMs) {
      findings.push(`call ${number} began ${one.startedMs - revokedMs} ms after its grant was revoked, and reached the server`);
    }
  }
  for (const { number, told } of asked) {
    if ((told === "passed" || told === "failed") && !seen.has(number)) findings.push(`call ${number} was told ${told} and reached nobody`);
  }
  return findings;
}

/**
 * A call took its limit between the caller's start and its arrival. More than `max` whose whole span lies within one
 * window were admitted too many, however late any of them came.
 */
function checkBound({ tool, max, windowMs, successes }: Bound, reached: readonly Reached[], askedBy: ReadonlyMap<number, Asked>): string[] {
  const spans = reached
    .filter((one) => one.tool === tool && !(successes === true && one.failed))
    .map((one) => ({ fromMs: askedBy.get(one.number)?.startedMs ?? one.atMs, toMs: one.atMs }));
  if (windowMs === undefined) return spans.length > max ? [`${tool}: ${spans.length} calls reached the server, of ${max}`] : [];
  for (const { fromMs } of spans) {
    const inside = spans.filter((span) => span.fromMs >= fromMs && span.toMs < fromMs + windowMs).length;
    if (inside > max) return [`${tool}: ${inside} calls in one window, of ${max}`];
  }
  return [];
}

function checkOutcomes({ entries, killed }: Storm, askedBy: ReadonlyMap<number, Asked>): string[] {
  const outcomes = new Map<string, number>();
  for (const { kind, exchange } of entries) {
    if (kind === "outcome" && exchange !== undefined) outcomes.set(exchange, (outcomes.get(exchange) ?? 0) + 1);
  }
  return entries.flatMap(({ kind, exchange = "", requestId }) => {
    if (kind !== "intent") return [];
    const count = outcomes.get(exchange) ?? 0;
    const gateway = askedBy.get(requestId as number)?.gateway;
    if (count === 1 || (count === 0 && gateway !== undefined && killed.has(gateway))) return [];
    return [
      `call ${requestId}, of a gateway that ${gateway !== undefined && killed.has(gateway) ? "was killed" : "lived"}, has ${count} outcomes`,
    ];
  });
}

/** One revision lets the switched tool pass, the other does not: none has done both. */
function checkRevisions({ entries, switched }: Storm): string[] {
  const ofTool = entries.filter(({ tool }) => tool === switched);
  const passed = new Set(ofTool.filter(({ kind }) => kind === "intent").map(({ policyRevision }) => policyRevision));
  const denied = ofTool.filter((entry) => entry.kind === "denial" && "code" in entry && entry.code === "denied");
  return denied
    .filter(({ policyRevision }) => passed.has(policyRevision))
    .map(() => "one revision both let the switched tool pass and denied it");
}
