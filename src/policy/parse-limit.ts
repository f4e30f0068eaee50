/** Reads limits, rate limits and the terms of approvals, and holds limits that share a counter against each other. */
import { isJsonList, isJsonNumber, isJsonObject, type Json, readMember } from "../kernel/json.ts";
import type { LimitScope } from "./decision.ts";
import {
  type ApprovalTerms,
  CALENDAR_WINDOWS,
  type ExactNumber,
  LIMIT_ALIGNS,
  LIMIT_COUNTS,
  LIMIT_SCOPES,
  type Limit,
  type RateLimit,
} from "./document.ts";
import { readMax } from "./exact-number.ts";
import { freezeGiven, type Inspector, readOptional, readWhole } from "./inspector.ts";
import { hasEvery, isPath, parsePath } from "./path.ts";
import { DAY_MS, parseDuration, parseWindow } from "./window.ts";

export const MAX_LIMITS = 100;
export const MAX_COUNTER_CHARACTERS = 128;
export const MAX_APPROVERS = 1000;
export const MAX_HOLD_MS = 55_000;
export const MAX_EXPIRES_MS: number = 366 * DAY_MS;

const LIMIT_KEYS = ["counter", "window", "max", "scope", "add", "per", "align", "count", "durable"];
const COUNTING_KEYS = ["counter", "window", "scope", "add", "per", "align", "count", "durable"] as const;
const APPROVAL_KEYS = ["quorum", "expires", "hold", "approvers"];
const APPROVER = /^(?:role:(?:viewer|policy_manager|admin)|group:[^\s:][^\p{Cc}]*|[^\s@:,<>"]+@[^\s@:,<>"]+)$/u;

/** A limit whose way of counting is sound, whatever its `max`, and where it stands. */
export interface ReadLimit {
  readonly limit: Limit;
  readonly pointer: string;
}

/** Reads a list of limits; each whose way of counting is sound is handed to `onLimit` too, for what only the whole document can tell. */
export function parseLimits(
  inspector: Inspector,
  value: Json,
  pointer: string,
  onLimit: (read: ReadLimit) => void,
): readonly Limit[] | undefined {
  const limits = inspector.readList(value, pointer, "`limits`", MAX_LIMITS);
  if (!limits) return undefined;
  const read = limits.map((member, index): Limit => {
    const at = `${pointer}/${index}`;
    const limit = parseLimit(inspector, member, at);
    if (isCounted(member, limit)) onLimit({ limit, pointer: at });
    return limit;
  });
  return Object.freeze(read);
}

/** Whether everything that says how a limit counts was understood. */
function isCounted(written: Json, limit: Limit): boolean {
  if (!isJsonObject(written) || limit.window === undefined) return false;
  return COUNTING_KEYS.every((key) => !Object.hasOwn(written, key) || limit[key] !== undefined);
}

function parseLimit(inspector: Inspector, value: Json, pointer: string): Limit {
  const limit = inspector.readObject(value, pointer, "A limit", LIMIT_KEYS, ["window", "max"]) ?? {};
  const window = readOptional(limit, "window", pointer, (text, at) => readWindow(inspector, text, at));
  const align = readOptional(limit, "align", pointer, (text, at) => inspector.readChoice(text, at, LIMIT_ALIGNS));
  if (align === "calendar" && window !== undefined && !(CALENDAR_WINDOWS as readonly unknown[]).includes(window)) {
    inspector.fault(`${pointer}/align`, `A calendar has only the windows ${CALENDAR_WINDOWS.map((name) => `\`${name}\``).join(", ")}.`);
  }
  return freezeGiven<Limit>({
    counter: readOptional(limit, "counter", pointer, (text, at) => readCounter(inspector, text, at)),
    window,
    max: readOptional(limit, "max", pointer, (number, at) => readLimitMax(inspector, number, at)) as ExactNumber,
    scope: readOptional(limit, "scope", pointer, (text, at) => inspector.readChoice<LimitScope>(text, at, LIMIT_SCOPES)),
    add: readOptional(limit, "add", pointer, (text, at) => readArgsPath(inspector, text, at)),
    per: readOptional(limit, "per", pointer, (text, at) => readArgsPath(inspector, text, at)),
    align,
    count: readOptional(limit, "count", pointer, (text, at) => inspector.readChoice(text, at, LIMIT_COUNTS)),
    durable: readOptional(limit, "durable", pointer, (value, at) =>
      typeof value === "boolean" ? value : inspector.fault(at, "`durable` is `true` or `false`."),
    ),
  });
}

export function parseRateLimit(inspector: Inspector, value: Json, pointer: string): RateLimit | undefined {
  const rate = inspector.readObject(value, pointer, "A rate limit", ["max", "window"], ["max", "window"]);
  if (!rate) return undefined;
  return freezeGiven<RateLimit>({
    max: readOptional(rate, "max", pointer, (number, at) => readLimitMax(inspector, number, at)) as ExactNumber,
    window: readOptional(rate, "window", pointer, (text, at) => readWindow(inspector, text, at)) as RateLimit["window"],
  });
}

function readCounter(inspector: Inspector, value: Json, pointer: string): string | undefined {
  const counter = inspector.readText(value, pointer, "A counter's name", MAX_COUNTER_CHARACTERS);
  if (counter !== undefined && /^$|\p{Cc}/u.test(counter))
    return inspector.fault(pointer, "A counter's name is empty or holds a control character.");
  return counter;
}

function readWindow(inspector: Inspector, value: Json, pointer: string): number | string | undefined {
  const window = typeof value === "string" ? value : readWhole(value);
  if (window !== undefined && parseWindow(window) !== undefined) return window;
  return inspector.fault(
    pointer,
    "A window is `second`, `minute`, `hour`, `day`, `week`, `month`, whole seconds above zero, or a duration such as `15m`.",
  );
}

function readLimitMax(inspector: Inspector, value: Json, pointer: string): ExactNumber | undefined {
  if ((isJsonNumber(value) || typeof value === "string") && readMax(value) !== undefined) return value;
  return inspector.fault(pointer, "`max` has to be a number above zero, with at most 9 places.");
}

function readArgsPath(inspector: Inspector, value: Json, pointer: string): string | undefined {
  const path = typeof value === "string" ? parsePath(value) : undefined;
  if (typeof value === "string" && path && isPath(path) && path.root === "args" && path.steps.length > 0 && !hasEvery(path)) return value;
  return inspector.fault(pointer, "This has to be a path under `args`, without `[*]`.");
}

export function parseApproval(inspector: Inspector, value: Json, pointer: string): ApprovalTerms | undefined {
  const terms = inspector.readObject(value, pointer, "`approval`", APPROVAL_KEYS);
  if (!terms) return undefined;
  const quorum = readOptional(terms, "quorum", pointer, (number, at) => {
    const whole = readWhole(number);
    return whole !== undefined && whole >= 1 ? whole : inspector.fault(at, "A quorum is a whole number of people, one at least.");
  });
  const approvers = readOptional(terms, "approvers", pointer, (list, at) => readApprovers(inspector, list, at));
  if (quorum !== undefined && isEmptyList(readMember(terms, "approvers")))
    inspector.fault(`${pointer}/quorum`, `The quorum is ${quorum}, and there are no approvers.`);
  if (quorum !== undefined && approvers?.every((approver) => approver.includes("@") && !/^(?:role|group):/.test(approver))) {
    const people = new Set(approvers.map((approver) => approver.toLowerCase())).size;
    if (quorum > people) inspector.fault(`${pointer}/quorum`, `The quorum is ${quorum}, and there are ${people} approvers.`);
  }
  return freezeGiven<ApprovalTerms>({
    quorum,
    expires: readOptional(terms, "expires", pointer, (text, at) => readTime(inspector, text, at, 1, MAX_EXPIRES_MS)),
    hold: readOptional(terms, "hold", pointer, (text, at) => readTime(inspector, text, at, 0, MAX_HOLD_MS)),
    approvers,
  });
}

function isEmptyList(value: Json | undefined): boolean {
  return isJsonList(value) && value.length === 0;
}

function readTime(inspector: Inspector, value: Json, pointer: string, minMs: number, maxMs: number): number | string | undefined {
  const time = typeof value === "string" ? value : readWhole(value);
  const ms = time === undefined ? undefined : parseDuration(time);
  if (ms !== undefined && ms >= minMs && ms <= maxMs) return time;
  const range = minMs === 0 ? `from 0 to ${maxMs / 1000} s` : `above zero, at most ${maxMs / DAY_MS} days`;
  return inspector.fault(pointer, `This has to be a duration such as \`25s\` or \`30m\`, ${range}.`);
}

function readApprovers(inspector: Inspector, value: Json, pointer: string): readonly string[] | undefined {
  const list = inspector.readList(value, pointer, "`approvers`", MAX_APPROVERS);
  if (!list) return undefined;
  if (list.length === 0) return inspector.fault(pointer, "Without approvers nobody could ever agree.");
  const approvers = list.filter((approver, index): approver is string => {
    if (typeof approver === "string" && APPROVER.test(approver)) return true;
    inspector.fault(
      `${pointer}/${index}`,
      "An approver is `role:viewer`, `role:policy_manager`, `role:admin`, `group:…` or an e-mail address.",
    );
    return false;
  });
  return approvers.length === list.length ? Object.freeze(approvers) : undefined;
}
