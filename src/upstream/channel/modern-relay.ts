/**
 * A process of the modern era, which everybody shares without a session, seen as a server over HTTP: closing a request
 * cancels it, a listen hears what carries its id, and errors have their status. Its log lines name no request, so they are
 * nobody's and are not offered.
 */
import { isJsonObject, type Json, printJson, readMember } from "../../kernel/json.ts";
import type { ErrorAnswer, ResultAnswer } from "../../mcp/answer.ts";
import { writeError } from "../../mcp/answers.ts";
import { META, readMeta } from "../../mcp/meta.ts";
import { asData, ERROR_CODES, statusOfError } from "../../mcp/refusal.ts";
import { readAnswerMember, writeEditedResult } from "../../mcp/relay.ts";
import type { MessageId } from "../../mcp/request-id.ts";
import { writeRelayed } from "../../mcp/rewrite.ts";
import type { AnswerSink, OpenExchange, UpstreamRequest } from "../http-upstream.ts";
import { StdioCall } from "./call.ts";
import type { ChildLog } from "./child-log.ts";
import { type AnswerEdit, answer, refuse } from "./link.ts";
import { type Posted, readWhole } from "./posted.ts";
import type { ModernFound } from "./shared-process.ts";

const LISTEN = "subscriptions/listen";
/** Listens stay open as long as their clients want; what they take must leave room for calls, and for others' listens. */
export const MAX_LISTENS = 1024;
export const MAX_LISTENS_PER_OWNER = 64;

export function postModern(found: ModernFound, posted: Posted, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
  // Over HTTP a modern client has nothing to notify and nothing to answer.
  if (posted.kind !== "request") return answer(sink, 202);
  const { id, method } = posted;
  if (method === LISTEN && !hasRoom(found, request.owner)) {
    return refuse(sink, { reason: "busy", sent: "not_sent", detail: "too many listens are open" });
  }
  const timeoutMs = method === LISTEN ? null : undefined;
  const scope = request.owner;
  const asked = found.link.ask(posted, request, sink, { scope, timeoutMs, onAnswer: (said, bytes) => editAnswer(id, method, said, bytes) });
  return asked instanceof StdioCall ? asked : refuse(sink, asked);
}

function hasRoom({ link }: ModernFound, owner: string | undefined): boolean {
  let all = 0;
  let own = 0;
  for (const call of link.calls()) {
    if (call.method !== LISTEN) continue;
    all++;
    if (call.scope === owner) own++;
  }
  return all < MAX_LISTENS && own < MAX_LISTENS_PER_OWNER;
}

function editAnswer(id: MessageId, method: string, said: ResultAnswer | ErrorAnswer, bytes: Buffer): AnswerEdit | undefined {
  if (said.kind === "error") return { status: statusOfError(said.code, "modern") };
  if (method === "server/discover") {
    const capabilities = readAnswerMember(said, bytes, "capabilities");
    if (!isJsonObject(capabilities) || !Object.hasOwn(capabilities, "logging")) return undefined;
    const offered = asData(Object.fromEntries(Object.entries(capabilities).filter(([name]) => name !== "logging")));
    return { message: writeEditedResult(id, said, bytes, { set: { capabilities: printJson(offered) } }) };
  }
  const meta = method === LISTEN ? readAnswerMember(said, bytes, "_meta") : undefined;
  if (!isJsonObject(meta) || !Object.hasOwn(meta, META.subscriptionId)) return undefined;
  return {
    message: writeEditedResult(id, said, bytes, { set: { _meta: printJson(asData({ ...meta, [META.subscriptionId]: id.value })) } }),
  };
}

/** What the process says unasked. */
export function takeModernMessage(
  found: ModernFound,
  log: ChildLog,
  bytes: Buffer,
  kind: "request" | "notification",
  call: StdioCall | undefined,
): void {
  if (call) return call.push(bytes);
  const message = readWhole(bytes);
  if (message === undefined || message.kind !== kind) return log.dropped("it is not strict JSON-RPC");
  if (message.kind === "request") {
    found.link.tell(writeError(message.id, ERROR_CODES.methodNotFound, "A server of this era asks nothing of its client"));
    return;
  }
  if (message.kind !== "notification" || message.method === "notifications/message") return;
  const meta = readMeta(message);
  const subscription: Json | undefined = meta && readMember(meta, META.subscriptionId);
  const listen = subscription === undefined ? undefined : found.link.callOf(subscription);
  if (listen?.method !== LISTEN) return log.dropped("it belongs to no listen");
  listen.push(writeRelayed(message, { meta: { [META.subscriptionId]: listen.id.value } }));
}
