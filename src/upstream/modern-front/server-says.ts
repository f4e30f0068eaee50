/**
 * What a legacy server says besides its answers, sorted: to the call that made it say so, to the listens of its session,
 * or to nobody. On a call's own stream it is that call's; on the GET stream only where one call alone can have caused it.
 */
import { DEFAULT_ANSWER_LIMIT_BYTES } from "../../mcp/answer.ts";
import { type Notification, type Request, readMessage } from "../../mcp/message.ts";
import { findMethod, ROUND_METHODS } from "../../mcp/methods.ts";
import { ERROR_CODES, isRefusal } from "../../mcp/refusal.ts";
import { keyOfId } from "../../mcp/request-id.ts";
import { readNumberOrText } from "./asks.ts";
import { MAX_CHANGE_CHARACTERS } from "./bounds.ts";
import type { LegacyCall } from "./call.ts";
import type { LegacySession } from "./session.ts";

const ASKS: ReadonlySet<string> = new Set(["elicitation/create", "sampling/createMessage", "roots/list"]);

/** Takes one request or notification; false asks for a pause of the stream it came on. */
export function takeServerMessage(
  session: LegacySession,
  bytes: Buffer,
  kind: "request" | "notification",
  call: LegacyCall | undefined,
): boolean {
  const message = readMessage(bytes, { bodyLimitBytes: DEFAULT_ANSWER_LIMIT_BYTES });
  if (isRefusal(message)) {
    // Whoever asks in a way that is not read hears of it: else it would wait.
    if (kind === "request" && message.id) session.refuse(message.id.raw, message.code, message.message);
    return true;
  }
  if (message.kind === "response") return true;
  const method = findMethod(message.method, kind === "request" ? "server_request" : "server_notification", session.facts.revision);
  const known = method !== undefined && method.judgement !== "refused";
  if (message.kind === "request") {
    takeRequest(session, message, known, call);
    return true;
  }
  return known ? takeNotification(session, message, call) : true;
}

function takeRequest(session: LegacySession, message: Request, known: boolean, call: LegacyCall | undefined): void {
  if (known && message.method === "ping") {
    return session.reply(message.id.raw, '"result":{}');
  }
  if (!known || !ASKS.has(message.method)) return session.refuse(message.id.raw, ERROR_CODES.methodNotFound, "Method not found");
  const caller = call ?? onlyOf(session, (one) => ROUND_METHODS.has(one.method));
  if (caller) caller.ask(message);
  else session.refuse(message.id.raw, ERROR_CODES.internal, "Nobody can be asked outside of a call");
}

function takeNotification(session: LegacySession, message: Notification, call: LegacyCall | undefined): boolean {
  const { params } = message;
  switch (message.method) {
    case "notifications/progress": {
      const token = readNumberOrText(params?.["progressToken"])?.value;
      const caller = typeof token === "number" ? session.calls.get(token) : undefined;
      return caller?.pass(message, caller === call) ?? true;
    }
    case "notifications/message":
      return (call ?? onlyOf(session, () => true))?.pass(message, call !== undefined) ?? true;
    case "notifications/cancelled": {
      const id = readNumberOrText(params?.["requestId"]);
      if (id) for (const one of call ? [call] : session.calls.values()) one.withdraw(keyOfId(id));
      return true;
    }
    case "notifications/elicitation/complete": {
      const id = params?.["elicitationId"];
      if (typeof id === "string") session.noteVisit(id);
      return true;
    }
    default:
      if (message.source.text.length > MAX_CHANGE_CHARACTERS) return true;
      if (message.method === "notifications/tools/list_changed") session.ports.onToolsChanged();
      session.listens.notify(message);
      return true;
  }
}

/** The one call of the session that is meant; undefined where it could be another one. */
function onlyOf(session: LegacySession, isMeant: (call: LegacyCall) => boolean): LegacyCall | undefined {
  let found: LegacyCall | undefined;
  for (const call of session.calls.values()) {
    if (!isMeant(call)) continue;
    if (found) return undefined;
    found = call;
  }
  return found;
}
