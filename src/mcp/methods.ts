/**
 * Every method of every revision: who sends it, when it exists, how it is judged. The one place that says what the
 * gateway knows; a method that is not in this table for its direction and revision does not pass.
 */
import { LATEST_MODERN, LEGACY_REVISIONS, REVISIONS, type Revision } from "./revisions.ts";

export type Direction = "client_request" | "client_notification" | "server_request" | "server_notification";

/**
 * `plain` is answered or passed on by the gateway without a policy's word; `refused` is known by name and still not let
 * through; every other word names the question that the policy is asked.
 */
export type Judgement =
  | "tool_call"
  | "tool_list"
  | "prompt_get"
  | "prompt_list"
  | "resource_read"
  | "resource_list"
  | "template_list"
  | "subscribe"
  | "unsubscribe"
  | "completion"
  | "listen"
  | "plain"
  | "refused";

export interface Method {
  readonly name: string;
  readonly direction: Direction;
  readonly judgement: Judgement;
  readonly revisions: ReadonlySet<Revision>;
}

const EVERY: readonly Revision[] = REVISIONS;
const LEGACY: readonly Revision[] = LEGACY_REVISIONS;
const MODERN: readonly Revision[] = [LATEST_MODERN];
const TASKS: readonly Revision[] = ["2025-11-25", LATEST_MODERN];
const CORE_TASKS: readonly Revision[] = ["2025-11-25"];

type Row = readonly [name: string, judgement: Judgement, revisions: readonly Revision[]];

const CLIENT_REQUESTS: readonly Row[] = [
  ["initialize", "plain", LEGACY],
  ["ping", "plain", LEGACY],
  ["logging/setLevel", "plain", LEGACY],
  ["server/discover", "plain", MODERN],
  ["subscriptions/listen", "listen", MODERN],
  ["tools/call", "tool_call", EVERY],
  ["tools/list", "tool_list", EVERY],
  ["prompts/get", "prompt_get", EVERY],
  ["prompts/list", "prompt_list", EVERY],
  ["resources/read", "resource_read", EVERY],
  ["resources/list", "resource_list", EVERY],
  ["resources/templates/list", "template_list", EVERY],
  ["resources/subscribe", "subscribe", LEGACY],
  ["resources/unsubscribe", "unsubscribe", LEGACY],
  ["completion/complete", "completion", EVERY],
  ["tasks/get", "refused", TASKS],
  ["tasks/cancel", "refused", TASKS],
  ["tasks/result", "refused", CORE_TASKS],
  ["tasks/list", "refused", CORE_TASKS],
  ["tasks/update", "refused", MODERN],
];

const CLIENT_NOTIFICATIONS: readonly Row[] = [
  ["notifications/initialized", "plain", LEGACY],
  // In the modern era only on stdio: over HTTP a closed stream is the cancel.
  ["notifications/cancelled", "plain", EVERY],
  ["notifications/progress", "plain", LEGACY],
  ["notifications/roots/list_changed", "plain", LEGACY],
  ["notifications/tasks/status", "refused", CORE_TASKS],
];

const SERVER_REQUESTS: readonly Row[] = [
  ["ping", "plain", LEGACY],
  ["sampling/createMessage", "plain", LEGACY],
  ["roots/list", "plain", LEGACY],
  ["elicitation/create", "plain", ["2025-06-18", "2025-11-25"]],
  ["tasks/get", "refused", CORE_TASKS],
  ["tasks/cancel", "refused", CORE_TASKS],
  ["tasks/result", "refused", CORE_TASKS],
  ["tasks/list", "refused", CORE_TASKS],
];

const SERVER_NOTIFICATIONS: readonly Row[] = [
  ["notifications/cancelled", "plain", EVERY],
  ["notifications/progress", "plain", EVERY],
  ["notifications/message", "plain", EVERY],
  ["notifications/tools/list_changed", "plain", EVERY],
  ["notifications/prompts/list_changed", "plain", EVERY],
  ["notifications/resources/list_changed", "plain", EVERY],
  ["notifications/resources/updated", "plain", EVERY],
  ["notifications/subscriptions/acknowledged", "plain", MODERN],
  ["notifications/elicitation/complete", "plain", ["2025-11-25"]],
  ["notifications/tasks/status", "refused", CORE_TASKS],
];

function createTable(direction: Direction, rows: readonly Row[]): ReadonlyMap<string, Method> {
  return new Map(rows.map(([name, judgement, revisions]) => [name, { name, direction, judgement, revisions: new Set(revisions) }]));
}

const TABLES: Readonly<Record<Direction, ReadonlyMap<string, Method>>> = {
  client_request: createTable("client_request", CLIENT_REQUESTS),
  client_notification: createTable("client_notification", CLIENT_NOTIFICATIONS),
  server_request: createTable("server_request", SERVER_REQUESTS),
  server_notification: createTable("server_notification", SERVER_NOTIFICATIONS),
};

/** The method of that exact name, direction and revision; undefined where the protocol has none. */
export function findMethod(name: string, direction: Direction, revision: Revision): Method | undefined {
  const method = TABLES[direction].get(name);
  return method?.revisions.has(revision) ? method : undefined;
}

/** Every row, for tests and reference pages. */
export function listMethods(): readonly Method[] {
  return Object.values(TABLES).flatMap((table) => [...table.values()]);
}

/** The methods on which a modern server may answer `input_required`. */
export const ROUND_METHODS: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"]);
