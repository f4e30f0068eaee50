/**
 * Steps *record intent* and *record outcome*: what the log says of an exchange. Entries hold names, decisions, charges
 * and a keyed digest; values of arguments only where the configuration opts in.
 */
import { describeArguments, digestArguments } from "../audit/describe-arguments.ts";
import type { AuditCharge, AuditDecision, AuditEntry, AuditKind } from "../audit/entry.ts";
import { printCanonicalJson } from "../kernel/canonical-json.ts";
import { printAmount } from "../kernel/decimal.ts";
import { createJsonObject, JsonNumber, type JsonObject } from "../kernel/json.ts";
import type { Charge, Denial } from "../policy/decision.ts";
import type { Batch } from "../store/store.ts";
import type { Desk } from "./desk.ts";
import { type Exchange, nameOf } from "./exchange.ts";

export type Outcome = "ok" | "tool_error" | "rpc_error" | "not_sent" | "unknown";

/** An entry that is being written; one shape for all, so that printing one costs the same whatever it says. */
type Draft = { -readonly [Key in keyof AuditEntry]: AuditEntry[Key] };

/** What all entries of an exchange have in common, and room for the rest. */
function describe(exchange: Exchange, kind: AuditKind, decision: AuditDecision): Draft {
  const { grant, session, claim, request, policy, tool } = exchange;
  const said = claim.era === "modern" ? claim.clientInfo : undefined;
  return {
    kind,
    exchange: exchange.id,
    server: exchange.endpoint.name,
    grant: grant.label,
    grantId: grant.id,
    identity: grant.identity,
    session: session?.id.slice(0, SESSION_CHARACTERS),
    client: session?.client ?? (said && { name: said["name"] as string, version: said["version"] as string }),
    method: request.method,
    tool: nameOf(exchange.subject),
    toolHash: tool?.definitionHash,
    toolClass: tool?.facts?.class,
    toolRisk: tool?.facts?.risk,
    classifier: tool?.classifierVersion,
    policy: policy?.name,
    policyRevision: policy?.revision,
    requestId:
      typeof request.id.value === "number" && String(request.id.value) !== request.id.raw
        ? new JsonNumber(request.id.raw)
        : request.id.value,
    decision,
    code: undefined,
    rule: undefined,
    message: undefined,
    cause: undefined,
    outcome: undefined,
    argumentKeys: undefined,
    argumentCount: undefined,
    argumentDigest: undefined,
    argumentValues: undefined,
    upstreamStatus: undefined,
    latency: undefined,
    charges: undefined,
    detail: undefined,
  };
}

/** A session's id is a credential of its stream: the log names it by its beginning. */
const SESSION_CHARACTERS = 12;

function describeCall(desk: Desk, exchange: Exchange, entry: Draft): void {
  const { subject } = exchange;
  if (subject.kind !== "tool_call" && subject.kind !== "prompt_get") return;
  const canonical = printCanonicalJson(subject.args);
  exchange.argumentDigest = digestArguments(desk.argumentKey, canonicalParams(exchange, canonical));
  const { argumentKeys, argumentCount } = describeArguments(subject.args);
  entry.argumentKeys = argumentKeys;
  entry.argumentCount = argumentCount;
  entry.argumentDigest = exchange.argumentDigest;
  if (exchange.endpoint.recordsValues) entry.argumentValues = canonical;
}

/** Canonical text of all of `params` but `_meta`. */
function canonicalParams(exchange: Exchange, canonicalArguments: string): string {
  const params = exchange.request.params as JsonObject;
  const keys = Object.keys(params).filter((key) => key !== "_meta" && key !== "arguments" && key !== "name");
  const { subject } = exchange;
  if (keys.length === 0 && "name" in subject) return `{"arguments":${canonicalArguments},"name":${JSON.stringify(subject.name)}}`;
  const rest = createJsonObject();
  for (const key of Object.keys(params)) if (key !== "_meta") rest[key] = params[key] as JsonObject;
  if (!("arguments" in rest)) rest["arguments"] = createJsonObject();
  return printCanonicalJson(rest);
}

function chargesOf(desk: Desk, charges: readonly Charge[]): readonly AuditCharge[] | undefined {
  if (charges.length === 0) return undefined;
  return charges.map(({ limit, amount, per }) => ({
    rule: limit.rule,
    amount: printAmount(amount),
    perDigest: per === undefined ? undefined : digestArguments(desk.argumentKey, per),
  }));
}

export function appendIntent(desk: Desk, batch: Batch, exchange: Exchange): void {
  const entry = describe(exchange, "intent", "allow");
  describeCall(desk, exchange, entry);
  if (!exchange.rounds && exchange.permission) entry.charges = chargesOf(desk, exchange.permission.charges);
  desk.audit.append(batch, entry);
}

export function appendDenial(desk: Desk, batch: Batch, exchange: Exchange, denial: Denial): void {
  const entry = describe(exchange, "denial", denial.code === "approval_required" ? "approve" : "deny");
  entry.code = denial.code;
  entry.rule = denial.rule;
  entry.message = denial.message;
  entry.cause = denial.cause;
  describeCall(desk, exchange, entry);
  entry.latency = { totalMs: performance.now() - exchange.startedAt };
  desk.audit.append(batch, entry);
}

export interface OutcomeFacts {
  readonly outcome: Outcome;
  /** Why there is no whole answer, or why it was not handed on: a fixed word. */
  readonly code?: string | undefined;
  readonly detail?: JsonObject | undefined;
}

export function appendOutcome(desk: Desk, batch: Batch, exchange: Exchange, facts: OutcomeFacts): void {
  desk.audit.append(batch, describeOutcome(exchange, facts));
}

export function describeOutcome(exchange: Exchange, facts: OutcomeFacts): AuditEntry {
  const now = performance.now();
  const entry = describe(exchange, "outcome", "allow");
  entry.code = facts.code;
  entry.outcome = facts.outcome;
  entry.upstreamStatus = exchange.upstreamStatus;
  entry.latency = {
    totalMs: now - exchange.startedAt,
    upstreamMs: exchange.sentAt === undefined ? undefined : now - exchange.sentAt,
  };
  entry.detail = facts.detail;
  return entry;
}
