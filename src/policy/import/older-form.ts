/**
 * The older YAML form of a policy, as far as this room reads it: its keys, its windows, its durations and its names.
 * There a tool's name is never a pattern, windows are calendar ones in UTC, and a path's dots are its only syntax.
 */
import { decimalOf, scaleAmount } from "../../kernel/decimal.ts";
import { isJsonNumber, type Json, JsonNumber } from "../../kernel/json.ts";

export const OLDER_DOCUMENT_KEYS: readonly string[] = ["version", "description", "default", "hide", "tools", "approvals"];
export const OLDER_RULE_KEYS: readonly string[] = [
  "name",
  "action",
  "conditions",
  "on_deny",
  "state",
  "rate_limit",
  "approval_timeout",
  "spend",
];
export const OLDER_STATE_KEYS: readonly string[] = ["counter", "window", "increment", "increment_from"];
export const OLDER_ACTIONS = ["evaluate", "deny", "require_approval"] as const;
export const OLDER_WINDOWS = ["minute", "hour", "day", "week", "month"] as const;
export type OlderWindow = (typeof OLDER_WINDOWS)[number];

/** The name that stands for every tool. */
export const EVERY_TOOL = "*";
/** What the counters of `EVERY_TOOL` are called by in paths. */
const EVERY_TOOL_SCOPE = "_global";

const PLAIN_KEY = /^[^.[\]"*\\\s\p{Cc}]+$/u;
const NUMBER_TEXT = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/;
const DURATION_PARTS = /(\d+(?:\.\d+)?)(ms|s|m|h)/g;
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/;
const PART_SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };
const BILLION = 1_000_000_000n;

/** A selector for exactly this name. */
export function selectName(name: string): string {
  return name.replace(/[\\*]/g, "\\$&").replace(/^@/, "\\@");
}

/** `args.a.b` as a path of this language; undefined where it names no argument. */
export function readArgsPath(path: string): string | undefined {
  if (!path.startsWith("args.")) return undefined;
  const keys = path.slice("args.".length).split(".");
  return `args${keys.map((key) => (PLAIN_KEY.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`)).join("")}`;
}

/** The path by which a rule's own counter is known. */
export function pathOfCounter(tool: string, counter: string): string {
  return `state.${tool === EVERY_TOOL ? EVERY_TOOL_SCOPE : tool}.${counter}`;
}

/** `5/hour`; undefined where it is none. */
export function parseRate(text: string): { readonly max: bigint; readonly window: OlderWindow } | undefined {
  const [, count, word] = /^([0-9]{1,18})\/([a-z]+)$/.exec(text) ?? [];
  const window = OLDER_WINDOWS.find((known) => known === word);
  return count === undefined || window === undefined || BigInt(count) === 0n ? undefined : { max: BigInt(count), window };
}

/** Whole seconds of `90s`, `1h30m`, `10m`, rounded down; undefined where it is no duration of a second or more. */
export function parseOlderDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  let seconds = 0;
  for (const [, amount, unit] of text.matchAll(DURATION_PARTS)) seconds += Number(amount) * (PART_SECONDS[unit as string] as number);
  const whole = Math.floor(seconds);
  return whole >= 1 && Number.isSafeInteger(whole) ? whole : undefined;
}

/** The whole part of a number; undefined where it is none that can be counted with. */
export function readWholePart(value: Json): bigint | undefined {
  const decimal = isJsonNumber(value) ? decimalOf(value) : undefined;
  const scaled = decimal === undefined ? undefined : scaleAmount(decimal);
  return scaled === undefined ? undefined : scaled / BILLION;
}

/** The other spelling that the older form takes for equal: `5` and `"5"`, `true` and `"true"`. */
export function findTwin(value: Json): Json | undefined {
  if (isJsonNumber(value)) return String(value);
  if (typeof value === "boolean") return String(value);
  if (value === "true" || value === "false") return value === "true";
  if (typeof value !== "string" || !NUMBER_TEXT.test(value)) return undefined;
  return String(Number(value)) === value ? Number(value) : new JsonNumber(value);
}
