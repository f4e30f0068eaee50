/**
 * One policy under test: a clock that stands where it is put, counters in memory, and the steps of a call in their
 * order, as the gateway takes them: decide, see whether the limits have room, ask a person, take, settle.
 */

import type { MemoryLimits, Outcome, Parties } from "../limit/limits.ts";
import { createMemoryLimits } from "../limit/memory-limits.ts";
import type { CallContext, Charge, CompiledPolicy, Denial, ToolFacts } from "../policy/decision.ts";
import { denyApproval, denyByLimit } from "../policy/refusal.ts";
import type { TestDecision, TestGrant, TestSubject } from "../policy/test-file/test-file.ts";

/** Of tests that do not say what the grant is called. */
export const UNNAMED_GRANT = "grant";
export const TEST_SERVER = "server";

/** A sliding limit may refuse early, and so tell a wait that is too long, by this part of its window. */
const WAIT_SLACK_PART = 64;

export interface Asking {
  readonly subject: TestSubject;
  readonly grant: TestGrant;
  readonly session: string | undefined;
  readonly nowMs: number;
  readonly outcome: Outcome;
  readonly approved: boolean;
}

/** What came of it: the log's words, whatever the agent is told. */
export interface Answer {
  readonly decision: TestDecision;
  readonly code?: string;
  readonly rule?: string;
  readonly message?: string;
  readonly cause?: string;
  readonly retryAfterMs?: number;
}

interface Taken {
  readonly charges: readonly Charge[];
  readonly parties: Parties;
  readonly nowMs: number;
  readonly outcome: Outcome;
}

const ALLOWED: Answer = Object.freeze({ decision: "allow" });

export class PolicyBench {
  readonly #policy: CompiledPolicy;
  readonly #tools: ReadonlyMap<string, ToolFacts> | undefined;
  readonly #limits: MemoryLimits = createMemoryLimits();
  readonly #taken: Taken[] = [];
  #refused: Taken | undefined;

  constructor(policy: CompiledPolicy, tools: ReadonlyMap<string, ToolFacts> | undefined) {
    this.#policy = policy;
    this.#tools = tools;
  }

  async ask(asking: Asking): Promise<Answer> {
    const { subject } = asking;
    this.#refused = undefined;
    if (subject.kind === "call") return await this.#call(asking, subject.name, subject);
    const denial = subject.kind === "read" ? this.#policy.decideResource(subject.uri) : this.#policy.decidePrompt(subject.name);
    return denial === undefined ? ALLOWED : answerOf("deny", denial);
  }

  async #call(asking: Asking, name: string, { args }: Extract<TestSubject, { kind: "call" }>): Promise<Answer> {
    const { nowMs, outcome } = asking;
    const tool = this.#tools === undefined ? undefined : (this.#tools.get(name) ?? null);
    const decision = this.#policy.decideCall({ name, args, tool }, contextOf(asking));
    if (decision.decision === "deny") return answerOf("deny", decision);
    const { charges, approval } = decision;
    const taken: Taken = { charges, parties: partiesOf(asking), nowMs, outcome };
    const room = await this.#limits.peek(charges, taken.parties, nowMs);
    if (!room.ok) {
      this.#refused = taken;
      return answerOf("deny", denyByLimit(room.charge, room.retryAfterMs));
    }
    if (approval && !asking.approved) return answerOf("approve", denyApproval(approval));
    const spent = await take(this.#limits, taken);
    if (spent.ok) {
      if (charges.length > 0) this.#taken.push(taken);
      return ALLOWED;
    }
    this.#refused = taken;
    return answerOf("deny", denyByLimit(spent.charge, spent.retryAfterMs));
  }

  /**
   * Whether the wait that the last answer told is right: after it the same call fits, and it did not much before. Tried
   * on a copy, for counters never go back in time.
   */
  async isRightWait(waitMs: number): Promise<boolean> {
    const refused = this.#refused;
    if (refused === undefined || waitMs <= 0) return false;
    const limits = createMemoryLimits();
    for (const taken of this.#taken) await take(limits, taken);
    const { charges, parties, nowMs } = refused;
    const earlyMs = nowMs + waitMs - slackOf(charges) - 1;
    if (earlyMs > nowMs && (await limits.peek(charges, parties, earlyMs)).ok) return false;
    return (await limits.peek(charges, parties, nowMs + waitMs)).ok;
  }
}

async function take(limits: MemoryLimits, { charges, parties, nowMs, outcome }: Taken): ReturnType<MemoryLimits["take"]> {
  const spent = await limits.take(charges, parties, nowMs);
  if (spent.ok && spent.reservation) await limits.settle(spent.reservation, outcome);
  return spent;
}

function slackOf(charges: readonly Charge[]): number {
  const sliding = charges.filter(({ limit }) => limit.calendar === undefined);
  return Math.ceil(Math.max(0, ...sliding.map(({ limit }) => limit.windowMs)) / WAIT_SLACK_PART);
}

function contextOf({ grant, session, nowMs }: Asking): CallContext {
  return {
    grant: { label: grant.label ?? UNNAMED_GRANT, identity: grant.identity, tags: grant.tags ?? {} },
    session: session === undefined ? undefined : { id: session },
    server: { name: TEST_SERVER },
    nowMs,
  };
}

/** A label names a grant. */
function partiesOf({ grant, session }: Asking): Parties {
  const { label = UNNAMED_GRANT, identity } = grant;
  return { organisation: "organisation", server: TEST_SERVER, policy: "policy", grant: label, session, identity };
}

function answerOf(decision: TestDecision, { code, rule, message, cause, retryAfterMs }: Denial): Answer {
  return {
    decision,
    code,
    rule,
    message,
    ...(cause === undefined ? {} : { cause }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}
