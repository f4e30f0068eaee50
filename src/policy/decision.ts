/**
 * What goes into a decision and what comes out. The room knows neither the protocol nor a clock, a counter or a
 * database: the caller hands over facts, gets a decision, and asks `limit/` about the charges that the decision names.
 */
import type { Json, JsonObject } from "../kernel/json.ts";

export const TOOL_CLASSES = ["read", "write", "execute", "financial", "destructive"] as const;
export type ToolClass = (typeof TOOL_CLASSES)[number];
export const TOOL_RISKS = ["low", "medium", "high", "critical"] as const;

/** Codes of denials, the log's and the agent's. */
export type DenialCode =
  | "no_policy"
  | "unknown_tool"
  | "not_allowed"
  | "quarantined"
  | "denied"
  | "invalid_arguments"
  | "limit_exceeded"
  | "approval_required"
  | "unavailable";

/** The accepted definition of a tool, prepared once per snapshot. */
export interface ToolFacts {
  readonly name: string;
  readonly class?: ToolClass | undefined;
  readonly risk?: string | undefined;
  readonly annotations?: JsonObject | undefined;
  /** The compiled `inputSchema`; undefined: there is none to check against. */
  readonly inputSchema?: InputSchema | undefined;
  /** Set when a name this grant could see before must not be called now. */
  readonly quarantined?: boolean | undefined;
}

/** A tool's own input schema, compiled. `check` gives undefined when the arguments fit, else a short sentence. */
export interface InputSchema {
  check(args: JsonObject): string | undefined;
  /** Top-level `properties`, for `unknown_args`. */
  readonly properties: ReadonlySet<string>;
}

export interface GrantFacts {
  readonly label: string;
  readonly identity?: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
}

/** Everything about a call but the tool and its arguments. */
export interface CallContext {
  readonly grant: GrantFacts;
  readonly session?: { readonly id: string } | undefined;
  readonly client?: { readonly name?: string | undefined; readonly version?: string | undefined } | undefined;
  readonly server: { readonly name: string };
  /** Unix milliseconds. */
  readonly nowMs: number;
}

export interface ToolCall {
  readonly name: string;
  /** The arguments as they were read; an absent `arguments` is `{}`. */
  readonly args: Json;
  /**
   * `undefined`: the list of tools is not known to the caller (policy tests without `tools`): step 6 and the input
   * schema are not asked. `null`: the list is known and the name is not on it.
   */
  readonly tool: ToolFacts | null | undefined;
}

export type LimitScope = "grant" | "session" | "identity" | "server" | "organisation";
export type CalendarWindow = "minute" | "hour" | "day" | "week" | "month";

/** One limit of a document, compiled. */
export interface LimitSpec {
  /** JSON Pointer of the limit, the rule id of its denials. */
  readonly rule: string;
  /** The `counter` of the document; undefined where the limit has a count of its own. */
  readonly counter: string | undefined;
  /**
   * What the count is, within its sharing domain: the same text means the same count. Holds the counter's name (or, where
   * there is none, selector, add, per, align, count and place among equals; for `rate_limit` the tool's own name too),
   * the window and the scope. Never `max`.
   */
  readonly key: string;
  /** `policy`: of one policy alone. `shared`: every policy of that server or organisation that names the counter. */
  readonly domain: "policy" | "shared";
  readonly scope: LimitScope;
  readonly windowMs: number;
  readonly calendar: { readonly unit: CalendarWindow; readonly timezone: string } | undefined;
  /** Billionths. */
  readonly max: bigint;
  readonly counts: "attempts" | "successes";
  /** Counted in the store, wherever other limits are. */
  readonly durable?: boolean | undefined;
  /** The document's paths in their one spelling, for agreement between policies that share the counter. */
  readonly add?: string | undefined;
  readonly per?: string | undefined;
}

/** What one call charges to one limit. `refused` stands for an amount or a `per` value that can't be counted. */
export interface Charge {
  readonly limit: LimitSpec;
  /** Billionths, zero or more. */
  readonly amount: bigint;
  /** The value of `per` with its type; undefined where the limit has no `per`. */
  readonly per: string | undefined;
  readonly refused: "amount" | "per" | undefined;
}

export interface Denial {
  readonly decision: "deny";
  readonly code: DenialCode;
  /** JSON Pointer, or one of the words in parentheses. */
  readonly rule: string;
  /** Without the `[POLICY DENIED]` prefix. */
  readonly message: string;
  readonly cause?: "missing" | "wrong_type" | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Set when a step ended in an error: for the log of the program, told to nobody else. */
  readonly error?: unknown;
}

/** A call that passed steps 1 to 9. The caller asks the limits (10), then a person (11), then takes (12). */
export interface Permission {
  readonly decision: "permit";
  /** In the order in which their denials are told. */
  readonly charges: readonly Charge[];
  /** Set when a person has to agree. */
  readonly approval: ApprovalAsk | undefined;
}

export interface ApprovalAsk {
  readonly rule: string;
  readonly message: string;
  readonly quorum: number;
  readonly expiresMs: number;
  readonly holdMs: number;
  readonly approvers: readonly string[];
  /** Why the rule matched what it could not judge. */
  readonly cause?: "missing" | "wrong_type" | undefined;
}

export type Decision = Denial | Permission;

/** Whether and how a name shows in a list. */
export type Visibility = "shown" | "left_out";

/** A revision of a policy, compiled. Pure and frozen: the same facts give the same decision for ever. */
export interface CompiledPolicy {
  /** Steps 4 to 9 and what 10 and 11 need. */
  decideCall(call: ToolCall, context: CallContext): Decision;
  /** Of a name on the server's list; quarantined tools are left out by `decideVisibility` too. */
  decideVisibility(tool: ToolFacts): Visibility;
  /** `undefined`: allowed. Covers read, subscribe and completion of a resource. */
  decideResource(uri: string): Denial | undefined;
  /** Whether a resource template (RFC 6570) may be listed. */
  decideTemplate(template: string): Visibility;
  /** `undefined`: allowed. */
  decidePrompt(name: string): Denial | undefined;
  /** Every limit of the document, for agreement between policies that share counters. */
  readonly limits: readonly LimitSpec[];
  readonly selectsByClass: boolean;
  readonly canAsk: boolean;
  readonly timezone: string;
}
