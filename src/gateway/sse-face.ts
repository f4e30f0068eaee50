/**
 * The transport of 2024-11-05, HTTP+SSE, for clients that know no other: a GET opens the one stream on which everything
 * comes back, its first event names where to post, and a POST there is told no more than that it was taken. The journey of
 * a message is the same as on the face that replaced it. A connection belongs to its grant and its server; whoever posts to
 * it shows the grant's token each time.
 */

import { randomBytes } from "node:crypto";
import type { HttpReply, HttpRequest } from "../http/request.ts";
import { readMcpHeaders } from "../mcp/headers.ts";
import { writeSseEvent } from "../mcp/sse.ts";
import type { Channel } from "./channel.ts";
import type { Desk } from "./desk.ts";
import { acceptsEvents, attachResponse } from "./http-channel.ts";
import { endSession } from "./http-stream.ts";
import type { Identified } from "./identify.ts";
import { listenUpstream } from "./listen-upstream.ts";
import type { Session } from "./session.ts";
import { type AnswerStream, EventStream } from "./stream.ts";
import { tellChanges } from "./tell-changes.ts";

export const MAX_SSE_CONNECTIONS_PER_GRANT = 256;
/** Answers that wait for a client to read them; one that lets more wait is let go. */
export const MAX_SSE_WAITING_BYTES: number = 64 * 1024 * 1024;
/** What is under way when the session ends may still bring its answers for so long, and then the stream ends. */
export const SESSION_LOST_WAIT_MS = 5_000;
const CONNECTION_ID_BYTES = 24;
const PARAMETER = "sessionId";

/** One client on its one stream. */
export interface SseConnection {
  readonly id: string;
  readonly grantId: string;
  readonly serverId: string;
  readonly stream: EventStream;
  waitingBytes: number;
  /** From the answer to `initialize` on. */
  session: Session | undefined;
  /** The session whose server is heard: once, however often its client says that it is ready. */
  heard: Session | undefined;
  /** Requests whose answer is still to come. */
  awaited: number;
  /** Its session has ended, and nothing can come of it any more. */
  isLost: boolean;
  /** Ends what tells of the gateway's own changes. */
  untell: (() => void) | undefined;
  /** Ends it with all that it holds, whether or not its client reads. */
  letGo(): void;
}

/** The open connections, by id. */
export class SseTable {
  readonly #connections = new Map<string, SseConnection>();
  readonly #byGrant = new Map<string, number>();

  /** Undefined: the grant has as many as it may. */
  open(grantId: string, serverId: string): SseConnection | undefined {
    const own = this.#byGrant.get(grantId) ?? 0;
    if (own >= MAX_SSE_CONNECTIONS_PER_GRANT) return undefined;
    const id = randomBytes(CONNECTION_ID_BYTES).toString("base64url");
    const connection: SseConnection = {
      id,
      grantId,
      serverId,
      stream: new EventStream("0", false),
      waitingBytes: 0,
      session: undefined,
      heard: undefined,
      awaited: 0,
      isLost: false,
      untell: undefined,
      letGo: () => this.close(connection),
    };
    this.#connections.set(id, connection);
    this.#byGrant.set(grantId, own + 1);
    return connection;
  }

  find(id: string, grantId: string, serverId: string): SseConnection | undefined {
    const connection = this.#connections.get(id);
    return connection?.grantId === grantId && connection.serverId === serverId ? connection : undefined;
  }

  close(connection: SseConnection): void {
    if (!this.#connections.delete(connection.id)) return;
    const left = (this.#byGrant.get(connection.grantId) ?? 1) - 1;
    if (left > 0) this.#byGrant.set(connection.grantId, left);
    else this.#byGrant.delete(connection.grantId);
  }
}

/** A GET that names neither a session nor a revision nor a place to go on from is one of the old transport. */
export function opensSse(request: HttpRequest): boolean {
  const headers = readMcpHeaders(request.rawHeaders);
  if (headers.session !== undefined || headers.version !== undefined || headers.lastEventId !== undefined) return false;
  return request.headers.accept !== undefined && acceptsEvents(request);
}

/** The connection that a POST's address names; undefined: it names none. */
export function readConnectionId(request: HttpRequest): string | undefined {
  const query = (request.url ?? "").split("?")[1];
  return query === undefined ? undefined : (new URLSearchParams(query).get(PARAMETER) ?? undefined);
}

/** Opens the stream; false: the grant has as many as it may, and nothing was answered. */
export function openSse(desk: Desk, who: Identified, request: HttpRequest, response: HttpReply): boolean {
  const { grant, endpoint, bearer } = who;
  const connection = desk.sse.open(grant.id, endpoint.id);
  if (!connection) return false;
  const { stream } = connection;
  attachResponse(response, stream, 0);
  const path = (request.url ?? "").split("?")[0] ?? "";
  response.write(writeSseEvent({ event: "endpoint", data: `${path}?${PARAMETER}=${connection.id}` }));
  const leave = (): void => {
    release();
    connection.untell?.();
    stream.end();
    desk.sse.close(connection);
    const { session } = connection;
    if (session && !session.ended) void endSession(desk, session);
  };
  connection.letGo = () => {
    const isStuck = response.writableNeedDrain;
    leave();
    // What a client does not read would be kept for it.
    if (isStuck) response.destroy();
  };
  const release = desk.holds.add({ bearer, grantId: grant.id, server: endpoint.name, close: () => connection.letGo() });
  response.on("close", leave);
  return true;
}

function pushTo(connection: SseConnection, message: Uint8Array): boolean {
  const { stream } = connection;
  if (stream.push(message)) return true;
  if (connection.waitingBytes === 0) {
    stream.onceWritable(() => {
      connection.waitingBytes = 0;
    });
  }
  connection.waitingBytes += message.length;
  if (connection.waitingBytes > MAX_SSE_WAITING_BYTES) connection.letGo();
  return false;
}

/** Passes one request of a connection on; the stream of a lost session ends with the last of them. */
export async function awaitOn(connection: SseConnection, passOn: () => Promise<void>): Promise<void> {
  connection.awaited++;
  try {
    await passOn();
  } finally {
    connection.awaited--;
    if (connection.isLost && connection.awaited === 0) connection.letGo();
  }
}

/** Where the answers to what is posted go. */
export function createSseChannel(desk: Desk, who: Identified, connection: SseConnection): Channel {
  const { stream } = connection;
  const push = (message: Uint8Array): boolean => pushTo(connection, message);
  const view: AnswerStream = {
    push,
    onceWritable: (resume) => stream.onceWritable(resume),
    // The answer ends, its stream goes on.
    end: () => undefined,
  };
  return {
    isConnection: true,
    openStream: () => view,
    // In the legacy era nobody cancels by leaving.
    onGone: () => undefined,
    answer(_status, message, headers) {
      const id = headers?.["mcp-session-id"];
      if (id !== undefined) takeSession(desk, connection, desk.sessions.find(id, who.grant.id, who.endpoint.id, desk.clock.now()));
      push(message);
    },
  };
}

/** A connection has one session: the one before ends, and the one that comes when the client has gone already. */
function takeSession(desk: Desk, connection: SseConnection, session: Session | undefined): void {
  const before = connection.session;
  connection.session = session;
  session?.closers.add(() => loseSession(connection, session));
  for (const over of [before, connection.stream.ended ? session : undefined]) if (over && !over.ended) void endSession(desk, over);
}

/** A client of this transport knows of no session, only of its stream: that one ends, so that the client connects anew. */
function loseSession(connection: SseConnection, session: Session): void {
  if (connection.session !== session || connection.stream.ended) return;
  connection.isLost = true;
  if (connection.awaited === 0) return connection.letGo();
  setTimeout(() => connection.letGo(), SESSION_LOST_WAIT_MS).unref();
}

/** From now on what the server says unasked comes on the stream too, where it has such a stream, and what changes here. */
export function hearServer(desk: Desk, who: Identified, connection: SseConnection): void {
  const { session, stream } = connection;
  if (!session || session.ended || connection.heard === session) return;
  connection.heard = session;
  const ignore = (): void => undefined;
  const watch = { bearer: who.bearer, grantId: who.grant.id, endpointsOf: () => [session.endpoint], heedsHealth: false };
  connection.untell ??= tellChanges(desk, watch, { push: (message) => pushTo(connection, message) });
  listenUpstream(desk, session, stream, { opened: ignore, refused: ignore, ended: ignore });
}
