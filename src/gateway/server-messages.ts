/**
 * What a server sends on its own: notifications, and in the legacy era requests of the client. Known methods pass, on the
 * stream they came on; a request gets an id of ours, under which the client's answer finds its way back.
 */
import { printJson } from "../kernel/json.ts";
import { DEFAULT_ANSWER_LIMIT_BYTES } from "../mcp/answer.ts";
import { type Notification, readMessage } from "../mcp/message.ts";
import { META } from "../mcp/meta.ts";
import { findMethod } from "../mcp/methods.ts";
import { isRefusal } from "../mcp/refusal.ts";
import { keyOfId, readId } from "../mcp/request-id.ts";
import type { Revision } from "../mcp/revisions.ts";
import { writeRelayed } from "../mcp/rewrite.ts";
import type { Desk, Endpoint } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import type { Session } from "./session.ts";
import type { MessageStream } from "./stream.ts";

interface Route {
  readonly endpoint: Endpoint;
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
  const { endpoint, revision, session, subject, request } = exchange;
  const subscription = subject.kind === "listen" ? request.id.value : undefined;
  return relayOn(desk, { endpoint, revision, session, subscription }, stream, bytes, kind, resume);
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
  if (message.method === "notifications/tools/list_changed") void route.endpoint.tools.refresh();
  if (!stream) return true;
  if (message.kind === "notification") {
    if (message.method === "notifications/cancelled") return withdraw(route.session, stream, message, resume);
    const meta = route.subscription === undefined ? undefined : { [META.subscriptionId]: route.subscription };
    return push(stream, writeRelayed(message, meta ? { meta } : {}), resume);
  }
  const { session } = route;
  if (!session) return drop("a request outside of a session can't be answered");
  const own = `${session.askPrefix}${session.nextAsk++}`;
  session.asks.set(own, { raw: message.id.raw, key: keyOfId(message.id), method: message.method });
  return push(stream, writeRelayed(message, { id: own }), resume);
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
