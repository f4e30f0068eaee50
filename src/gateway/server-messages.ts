/**
 * What a server sends on its own: notifications, and in the legacy era requests of the client. Known methods pass, on the
 * stream they came on; a request gets an id of ours, under which the client's answer finds its way back. What a server
 * asks of people and models passes where its entry opens it, else the server is told so.
 */
import type { GrantRecord } from "../identity/grant.ts";
import { type Json, type JsonObject, printJson } from "../kernel/json.ts";
import { DEFAULT_ANSWER_LIMIT_BYTES } from "../mcp/answer.ts";
import { writeError } from "../mcp/answers.ts";
import { type Notification, type Request, readMessage } from "../mcp/message.ts";
import { META } from "../mcp/meta.ts";
import { findMethod } from "../mcp/methods.ts";
import { ERROR_CODES, isRefusal } from "../mcp/refusal.ts";
import { keyOfId, readId } from "../mcp/request-id.ts";
import type { Revision } from "../mcp/revisions.ts";
import { writeRelayed } from "../mcp/rewrite.ts";
import { DEAF } from "../upstream/http-upstream.ts";
import { ASK_LIFE_MS, ASK_WORDS, type AskKind, findAskKind, judgeAsk, MAX_OPEN_ASKS, SERVER_LABEL } from "./asks.ts";
import type { Desk, Endpoint } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import { ONE_WAY_TIMEOUT_MS } from "./one-way.ts";
import { countAsk, recordAsk } from "./record-ask.ts";
import { messageHeaders, type Session } from "./session.ts";
import { wordsOf } from "./spend.ts";
import type { MessageStream } from "./stream.ts";

interface Route {
  readonly endpoint: Endpoint;
  /** Whose client it is, where that is known beyond its session. */
  readonly grant?: GrantRecord | undefined;
  readonly revision: Revision;
  readonly session: Session | undefined;
  /** The client's own id of a listen, in place of ours. */
  readonly subscription?: string | number | undefined;
}

/** Relays one message on the stream of an exchange; false asks for a pause, and `resume` is called when there is room. */
export function relayServerMessage(
  desk: Desk,
  exchange: Exchange,
  stream: MessageStream | undefined,
  bytes: Buffer,
  kind: "request" | "notification",
  resume: () => void,
): boolean {
  const { endpoint, revision, session, subject, request, grant } = exchange;
  const subscription = subject.kind === "listen" ? request.id.value : undefined;
  return relayOn(desk, { endpoint, revision, session, subscription, grant }, stream, bytes, kind, resume);
}

export function relayOn(
  desk: Desk,
  route: Route,
  stream: MessageStream | undefined,
  bytes: Buffer,
  kind: "request" | "notification",
  resume: () => void,
): boolean {
  const drop = (reason: string): boolean => {
    desk.say(`A message of the server ${route.endpoint.name} was dropped: ${reason}.`);
    return true;
  };
  if (route.endpoint.scan?.finds(bytes)) return drop("it held a credential of the server's");
  const message = readMessage(bytes, { bodyLimitBytes: DEFAULT_ANSWER_LIMIT_BYTES });
  if (isRefusal(message)) return drop(message.detail);
  if (message.kind === "response") return drop("an answer to nothing that was asked");
  const method = findMethod(message.method, kind === "request" ? "server_request" : "server_notification", route.revision);
  if (!method || method.judgement === "refused") return drop("its method is not let through");
  if (message.method === "notifications/elicitation/complete" && !route.endpoint.asks.kinds.has("elicitation")) {
    return drop("it speaks of a question that was not let through");
  }
  if (message.method === "notifications/tools/list_changed") void route.endpoint.tools.refresh();
  const asks = message.kind === "request" ? findAskKind(message.method) : undefined;
  if (asks && message.kind === "request") {
    void passAsk(desk, route, stream, message, asks).catch((error: unknown) => drop(wordsOf(error)));
    return true;
  }
  if (!stream) return true;
  if (message.kind === "notification") {
    if (message.method === "notifications/cancelled") return withdraw(route.session, stream, message, resume);
    const meta = route.subscription === undefined ? undefined : { [META.subscriptionId]: route.subscription };
    return push(stream, writeRelayed(message, meta ? { meta } : {}), resume);
  }
  const { session } = route;
  if (!session) return drop("a request outside of a session can't be answered");
  return push(stream, writeRelayed(message, { id: openAsk(desk, session, message) }), resume);
}

function openAsk(desk: Desk, session: Session, message: Request): string {
  const own = `${session.askPrefix}${session.nextAsk++}`;
  session.asks.set(own, { raw: message.id.raw, key: keyOfId(message.id), method: message.method, atMs: desk.clock.now() });
  return own;
}

/** A question of the server's: judged, on record, labelled; what does not pass is answered to the server. */
async function passAsk(desk: Desk, route: Route, stream: MessageStream | undefined, message: Request, kind: AskKind): Promise<void> {
  const { endpoint, session } = route;
  const judged = judgeAsk(endpoint.asks, kind, message.params);
  let fault = "fault" in judged ? judged.fault : undefined;
  if (fault === undefined && (!session || !stream)) fault = "ask_nobody";
  if (fault === undefined && session && countOpenAsks(session, desk.clock.now()) >= MAX_OPEN_ASKS) fault = "ask_too_many";
  countAsk(desk, endpoint, kind, fault ?? "passed");
  // Known before it is on record, so that the server can take it back meanwhile.
  const own = fault === undefined && session ? openAsk(desk, session, message) : undefined;
  const recorded = await recordAsk(desk, route, message.method, message.params, fault);
  if (fault !== undefined || "fault" in judged) return refuseAsk(route, message, ASK_WORDS[fault ?? "ask_closed"]);
  if (!recorded) {
    if (own !== undefined) session?.asks.delete(own);
    return refuseAsk(route, message, "The gateway can't put the question on record.");
  }
  if (own === undefined || !session?.asks.get(own) || !stream) return;
  const { _meta: _labelled, ...set } = judged.params;
  const meta = kind === "elicitation" || endpoint.asks.label === undefined ? undefined : { [SERVER_LABEL]: endpoint.asks.label };
  stream.push(writeRelayed(message, { id: own, set: changedMembers(message.params, set), meta }));
}

/** Members that stay are sent on as they were written. */
function changedMembers(before: JsonObject | undefined, after: JsonObject): Record<string, Json> {
  return Object.fromEntries(Object.entries(after).filter(([key, value]) => before?.[key] !== value));
}

function countOpenAsks(session: Session, nowMs: number): number {
  let open = 0;
  for (const [own, ask] of [...session.asks]) {
    if (findAskKind(ask.method) === undefined) continue;
    if (nowMs - ask.atMs > ASK_LIFE_MS) session.asks.delete(own);
    else open++;
  }
  return open;
}

function refuseAsk({ endpoint, session, revision, grant }: Route, message: Request, words: string): void {
  const body = writeError(message.id, ERROR_CODES.methodNotFound, words);
  const signal = AbortSignal.timeout(ONE_WAY_TIMEOUT_MS);
  endpoint.upstream.exchange(
    { method: "POST", body, headers: messageHeaders(session ?? revision), owner: grant?.id ?? session?.grantId, signal },
    DEAF,
  );
}

/** A server takes back what it asked: the client knows that by our id. Of anything else it has nothing to hear. */
function withdraw(session: Session | undefined, stream: MessageStream, message: Notification, resume: () => void): boolean {
  const value = message.params?.["requestId"];
  const id = value === undefined ? undefined : readId(value, printJson(value));
  const key = id && keyOfId(id);
  for (const [own, ask] of session?.asks ?? []) {
    if (ask.key !== key) continue;
    session?.asks.delete(own);
    return push(stream, writeRelayed(message, { set: { requestId: own } }), resume);
  }
  return true;
}

function push(stream: MessageStream, message: Buffer, resume: () => void): boolean {
  if (stream.push(message)) return true;
  stream.onceWritable(resume);
  return false;
}
