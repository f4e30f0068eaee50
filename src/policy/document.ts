/**
 * A policy document that holds nothing the language does not know: the shape, keys and values as they were written,
 * checked and frozen. Values that have several spellings (windows, durations, decimals) keep theirs; reading them is
 * the part of `window.ts` and `compile.ts`, which never fail on a document.
 */
import type { Json, JsonNumber } from "../kernel/json.ts";
import type { CalendarWindow, LimitScope } from "./decision.ts";

export type Effect = "allow" | "deny";
export type EntryAction = "allow" | "deny" | "require_approval";

/** A number of the document that is compared or counted exactly: a JSON number, or a decimal in a text. */
export type ExactNumber = number | JsonNumber | string;

export interface PolicyDocument {
  readonly $schema?: string;
  readonly version: "1";
  readonly default: Effect;
  readonly description?: string;
  readonly timezone?: string;
  readonly hide?: readonly string[];
  readonly all_tools?: AllToolsEntry;
  /** Selector → entry. */
  readonly tools?: Readonly<Record<string, ToolEntry>>;
  readonly resources?: SelectionBlock;
  readonly prompts?: SelectionBlock;
}

export interface AllToolsEntry {
  readonly require?: readonly Rule[];
  readonly deny_if?: readonly Rule[];
  readonly approve_if?: readonly Rule[];
  readonly limits?: readonly Limit[];
  readonly approval?: ApprovalTerms;
}

export interface ToolEntry extends AllToolsEntry {
  readonly action?: EntryAction;
  readonly reason?: string;
  readonly rate_limit?: RateLimit;
  readonly validate?: Validation;
}

export interface Rule {
  readonly name?: string;
  readonly conditions: readonly Condition[];
  readonly on_deny?: string;
}

export type Condition = Comparison | AnyOf | Not;

export interface AnyOf {
  readonly any: readonly Condition[];
}

export interface Not {
  readonly not: Condition;
}

export interface Comparison {
  readonly path: string;
  readonly op: Operator;
  readonly value: Json;
  readonly missing?: "match";
  readonly allow?: readonly Json[];
}

export const OPERATORS = [
  "eq",
  "neq",
  "in",
  "not_in",
  "lt",
  "lte",
  "gt",
  "gte",
  "regex",
  "not_regex",
  "contains",
  "not_contains",
  "starts_with",
  "ends_with",
  "exists",
  "length_lte",
  "length_gte",
  "host_in",
  "path_under",
  "email_domain_in",
  "ip_in",
  "sql_verbs_in",
  "shell_commands_in",
] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Limit {
  readonly counter?: string;
  /** A name, a whole number of seconds, or a duration. */
  readonly window: number | string;
  readonly max: ExactNumber;
  readonly scope?: LimitScope;
  readonly add?: string;
  readonly per?: string;
  readonly align?: LimitAlign;
  readonly count?: LimitCount;
  readonly durable?: boolean;
}

export const LIMIT_SCOPES: readonly LimitScope[] = ["grant", "session", "identity", "server", "organisation"];
export const LIMIT_ALIGNS = ["sliding", "calendar"] as const;
export type LimitAlign = (typeof LIMIT_ALIGNS)[number];
export const LIMIT_COUNTS = ["attempts", "successes"] as const;
export type LimitCount = (typeof LIMIT_COUNTS)[number];
export const CALENDAR_WINDOWS: readonly CalendarWindow[] = ["minute", "hour", "day", "week", "month"];

export interface RateLimit {
  readonly max: ExactNumber;
  readonly window: number | string;
}

export interface ApprovalTerms {
  readonly quorum?: number;
  readonly expires?: number | string;
  readonly hold?: number | string;
  readonly approvers?: readonly string[];
}

export interface Validation {
  readonly required_args?: readonly string[];
  readonly unknown_args?: Effect;
  readonly schema?: Json;
}

export interface SelectionBlock {
  readonly default?: Effect;
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly hide?: readonly string[];
}

/** Whether a condition is `{ path, op, value }`. */
export function isComparison(condition: Condition): condition is Comparison {
  return "op" in condition;
}

export function isAnyOf(condition: Condition): condition is AnyOf {
  return "any" in condition;
}
