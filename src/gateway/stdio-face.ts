/**
 * The gateway's face on standard streams: one client, one server, the same journey. One line in is one message; answers go
 * out as lines in the order in which they come. The process is the session.
 */
import { isJsonObject, printJson, readMember } from "../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import { writeRefusal } from "../mcp/answers.ts";
import { DEFAULT_BODY_LIMIT_BYTES, type Notification, type Request, type Response, readMessage } from "../mcp/message.ts";
import { isRefusal, type Refusal } from "../mcp/refusal.ts";
import { keyOfId, readId } from "../mcp/request-id.ts";
import { isRevision, LATEST_LEGACY } from "../mcp/revisions.ts";
import { writeRelayedResponse } from "../mcp/rewrite.ts";
import { LineReader, writeLine } from "../mcp/stdio.ts";
import { DEAF } from "../upstream/http-upstream.ts";
import type { Channel } from "./channel.ts";
import type { Desk, Endpoint } from "./desk.ts";
import type { Identified } from "./identify.ts";
import { isClosed, recordMessage, recordRefusal, writeNotificationFor } from "./one-way.ts";
import { openExchange, prepare, renew, underWay } from "./open-exchange.ts";
import { pass } from "./pipeline.ts";
import { route } from "./route.ts";
import { relayOn } from "./server-messages.ts";
import type { Session } from "./session.ts";
import type { MessageStream } from "./stream.ts";

export interface StdioFaceOptions {
  readonly desk: Desk;
  /** The one grant of this process, and its server. */
  readonly who: Pick<Identified, "grant" | "bearer" | "endpoint">;
  /** Writes one line; false: wait for `onDrain`. */
  readonly write: (line: Buffer) => boolean;
  readonly onDrain: (act: () => void) => void;
}

export interface StdioFace {
  push(chunk: Buffer): void;
  /** Settles when every request has its answer, or when the time is up. */
  drained(timeoutMs: number): Promise<boolean>;
  /** A message of the server's own. */
  takeServerMessage(bytes: Buffer, kind: "request" | "notification"): void;
  /** The client has opened the conversation: the server may be asked. */
  readonly isOpen: boolean;
}

export function createStdioFace(options: StdioFaceOptions): StdioFace {
  const { desk, who } = options;
  const { endpoint } = who;
  const lines = new LineReader(DEFAULT_BODY_LIMIT_BYTES);
  const cancels = new Map<string, () => void>();
  let session: Session | undefined;
  let revision: string = LATEST_LEGACY;
  let isOpen = false;
  /** The messages without an answer, one after the other. */
  let said: Promise<void> = Promise.resolve();

  const stream: MessageStream = {
    push: (message) => options.write(writeLine(message)),
    onceWritable: (resume) => options.onDrain(resume),
  };

  async function take(bytes: Uint8Array): Promise<void> {
    const message = readMessage(bytes, { bodyLimitBytes: DEFAULT_BODY_LIMIT_BYTES });
    if (isRefusal(message)) {
      await recordRefusal(desk, who, message);
      // What was no request gets no answer, unless it might have been one.
      stream.push(writeRefusal(message));
      return;
    }
    if (message.kind === "request") {
      // What was said before it, such as that the conversation is open, reaches the server before it.
      await said;
      return await takeRequest(message);
    }
    const taken = said.then(async () => await (message.kind === "response" ? takeResponse(message) : takeNotification(message)));
    said = taken.catch(() => undefined);
    await taken;
  }

  async function takeRequest(request: Request): Promise<void> {
    const routed = route(desk, who, request, undefined);
    if (isRefusal(routed)) {
      await recordRefusal(desk, who, routed);
      stream.push(writeRefusal(routed));
      return;
    }
    const legacy = routed.claim.era === "legacy";
    const known = legacy && session ? { ...routed, session, revision: isRevision(revision) ? revision : routed.revision } : routed;
    const look = await desk.access.look();
    await endpoint.tools.sync(desk.access.version);
    const exchange = openExchange(desk, { ...who, look }, known, request, [], performance.now());
    if (isRefusal(exchange)) {
      await recordRefusal(desk, who, exchange);
      stream.push(writeRefusal(exchange));
      return;
    }
    if (!legacy) isOpen = true;
    await prepare(desk, exchange);
    const key = keyOfId(request.id);
    let cancelled = false;
    let leave = (): void => exchange.session?.inFlight.get(key)?.cancel();
    const channel: Channel = {
      answer(_status, answer) {
        if (cancelled) return;
        if (request.method === "initialize") open(request, answer);
        stream.push(answer);
      },
      openStream: () => undefined,
      onGone(act) {
        leave = act;
      },
    };
    const refuse = async (refusal: Refusal): Promise<void> => {
      await recordRefusal(desk, who, refusal);
      stream.push(writeRefusal(refusal));
    };
    const passOn = async (): Promise<void> => {
      const cancel = (): void => {
        cancelled = true;
        leave();
      };
      if (request.method !== "initialize") cancels.set(key, cancel);
      await pass(desk, exchange, channel, (stale) => renew(desk, stale)).finally(() => cancels.delete(key));
    };
    await underWay(desk, exchange, passOn, refuse);
  }

  /** The answer to `initialize` tells the revision; from it on there is a session. */
  function open(request: Request, answer: Buffer): void {
    const parsed = parseStrictJson(answer.toString());
    const result = !isJsonFault(parsed) && isJsonObject(parsed.value) ? readMember(parsed.value, "result") : undefined;
    const chosen = isJsonObject(result) ? readMember(result, "protocolVersion") : undefined;
    if (typeof chosen !== "string") return;
    revision = chosen;
    isOpen = true;
    const info = request.params && readMember(request.params, "clientInfo");
    const text = (key: string): string | undefined => {
      const value = isJsonObject(info) ? readMember(info, key) : undefined;
      return typeof value === "string" ? value : undefined;
    };
    if (session) desk.sessions.end(session);
    session = desk.sessions.create({
      grantId: who.grant.id,
      serverId: endpoint.id,
      upstreamSession: "",
      protocolVersion: chosen,
      upstreamVersion: chosen,
      client: { name: text("name"), version: text("version") },
      nowMs: desk.clock.now(),
      endpoint,
    });
  }

  async function takeNotification(message: Notification): Promise<void> {
    const routed = route(desk, who, message, undefined);
    if (isRefusal(routed)) return await recordRefusal(desk, who, routed);
    if (message.method === "notifications/cancelled") return await takeCancel(message);
    if (isClosed(who, message)) return;
    const body = writeNotificationFor(session, message);
    if (body && (await recordMessage(desk, who, session, message.method))) send(endpoint, body);
  }

  /** A cancelled request has no answer: the server is told under its own id, and nothing more is waited for. */
  async function takeCancel(message: Notification): Promise<void> {
    const value = message.params && readMember(message.params, "requestId");
    const id = value === undefined ? undefined : readId(value, printJson(value));
    const cancel = id && cancels.get(keyOfId(id));
    if (cancel && (await recordMessage(desk, who, session, message.method))) cancel();
  }

  async function takeResponse(message: Response): Promise<void> {
    const asked = typeof message.id.value === "string" ? session?.asks.get(message.id.value) : undefined;
    if (!asked || !session) return;
    session.asks.delete(message.id.value as string);
    if (await recordMessage(desk, who, session, asked.method))
      send(endpoint, writeRelayedResponse(message, { raw: asked.raw, value: asked.raw }));
  }

  return {
    push(chunk) {
      for (const item of lines.push(chunk)) {
        if (item.kind === "line") take(item.bytes).catch((error: unknown) => desk.say(`A message ended by a fault: ${String(error)}`));
        else desk.say(`A line of the client was dropped: ${item.kind === "invalid" ? item.reason : "it is larger than its bound"}.`);
      }
    },
    drained: (timeoutMs) => desk.active.drained(timeoutMs),
    takeServerMessage(bytes, kind) {
      const spoken = isRevision(revision) ? revision : LATEST_LEGACY;
      relayOn(desk, { endpoint, revision: spoken, session, grant: who.grant }, stream, bytes, kind, () => undefined);
    },
    get isOpen() {
      return isOpen;
    },
  };
}

function send(endpoint: Endpoint, body: Buffer): void {
  endpoint.upstream.exchange({ method: "POST", body, headers: {} }, DEAF);
}
