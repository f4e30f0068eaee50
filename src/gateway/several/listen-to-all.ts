/**
 * `subscriptions/listen` of a client of several servers (modern): each server gets a listen of its own for what it can tell
 * of, and all speak on the client's one stream, behind one acknowledgement. What a policy or a server's health changes is
 * told on it too. A listen that a server ends is begun again when the server is back.
 */
import type { GrantRecord } from "../../identity/grant.ts";
import { isJsonList, isJsonObject, type Json } from "../../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../kernel/strict-json.ts";
import { writeError } from "../../mcp/answers.ts";
import { withParam } from "../../mcp/message.ts";
import { META } from "../../mcp/meta.ts";
import { asData, ERROR_CODES } from "../../mcp/refusal.ts";
import { writeNotification } from "../../mcp/rewrite.ts";
import { showUri, splitUri } from "../../mcp/several-names.ts";
import type { ListenFilter } from "../../mcp/subject.ts";
import { turnUpdatedUri } from "../../mcp/turn-uris.ts";
import type { Channel } from "../channel.ts";
import type { Endpoint } from "../desk.ts";
import { endpointsOf, type Gate } from "../identify.ts";
import { wordsOf } from "../spend.ts";
import type { AnswerStream, MessageStream } from "../stream.ts";
import { tellChanges } from "../tell-changes.ts";
import { type Asking, passTo } from "./asking.ts";
import { partFor, speaks } from "./parts.ts";

/** How long the acknowledgement waits for what the servers say. */
export const ACKNOWLEDGE_WAIT_MS = 2_000;
/** What is held back until then. */
export const MAX_HELD_MESSAGES = 256;
export const LISTEN_PAUSE_MS = 2_000;
export const MAX_LISTEN_PAUSE_MS = 60_000;
/** A server that refuses a listen so often is not asked again. */
export const MAX_REFUSED_LISTENS = 3;

const ACKNOWLEDGED = Buffer.from('{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged"');
const NOTIFICATION = Buffer.from('{"jsonrpc":"2.0","method":');

const beginsWith = (message: Uint8Array, head: Buffer): boolean => head.equals(message.subarray(0, head.length));

/** Settles when the client has gone. */
export async function listenToAll(asking: Asking, filter: ListenFilter, gate: Pick<Gate, "endpoints">, channel: Channel): Promise<void> {
  const { desk, who, request, signal } = asking;
  const stream = channel.openStream();
  if (!stream) {
    const words = "Not Acceptable: a listen is answered by a stream of events";
    return channel.answer(406, writeError(request.id, ERROR_CODES.invalidRequest, words));
  }
  const out = new HeldStream(stream);
  const honoured = new Set<string>();
  const leaves = new Set<() => void>();
  const gone = Promise.withResolvers<void>();
  const subscription = { [META.subscriptionId]: request.id.value };
  const watch = {
    bearer: who.bearer,
    grantId: who.grant.id,
    endpointsOf: (grant: GrantRecord) => endpointsOf(gate, grant),
    heedsHealth: true,
  };
  const unwatch = tellChanges(desk, watch, out, { subscription: request.id.value, filter });
  channel.onGone(() => {
    unwatch();
    for (const leave of leaves) leave();
    gone.resolve();
  });
  signal.addEventListener("abort", () => gone.resolve(), { once: true });
  const started = who.endpoints.map((endpoint) => {
    const uris = filter.resourceSubscriptions.map(splitUri).filter((split) => split?.server === endpoint.name);
    const own = uris.map((split) => (split as { uri: string }).uri);
    const hasFlags = filter.toolsListChanged || filter.promptsListChanged || filter.resourcesListChanged;
    if (!speaks(endpoint, "modern") || (!hasFlags && own.length === 0)) return undefined;
    const listening = new ServerListening({ asking, endpoint, filter, uris: own, out, leaves });
    return listening.start((uri) => honoured.add(uri));
  });
  const late = new Promise<void>((resolve) => setTimeout(resolve, ACKNOWLEDGE_WAIT_MS).unref());
  await Promise.race([Promise.all(started), late, gone.promise]);
  const told: Record<string, Json> = {};
  for (const flag of ["toolsListChanged", "promptsListChanged", "resourcesListChanged"] as const) if (filter[flag]) told[flag] = true;
  if (filter.resourceSubscriptions.length > 0) {
    told["resourceSubscriptions"] = filter.resourceSubscriptions.filter((uri) => honoured.has(uri));
  }
  const params = asData({ notifications: asData(told), _meta: asData(subscription) });
  out.release(writeNotification("notifications/subscriptions/acknowledged", params));
  await gone.promise;
}

/** Keeps back what comes before the acknowledgement, which has to be first. */
class HeldStream implements MessageStream {
  readonly #stream: MessageStream;
  #held: Uint8Array[] | undefined = [];

  constructor(stream: MessageStream) {
    this.#stream = stream;
  }

  push(message: Uint8Array): boolean {
    if (!this.#held) return this.#stream.push(message);
    if (this.#held.length < MAX_HELD_MESSAGES) this.#held.push(message);
    return true;
  }

  onceWritable(resume: () => void): void {
    this.#stream.onceWritable(resume);
  }

  release(first: Uint8Array): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const message of [first, ...held]) this.#stream.push(message);
  }
}

interface ListeningPorts {
  readonly asking: Asking;
  readonly endpoint: Endpoint;
  readonly filter: ListenFilter;
  /** The server's own. */
  readonly uris: readonly string[];
  readonly out: MessageStream;
  /** What ends it when the client goes. */
  readonly leaves: Set<() => void>;
}

/** The listen of one server, for as long as the client stays. */
class ServerListening {
  readonly #ports: ListeningPorts;
  #left = false;
  #refused = 0;
  #pauseMs = LISTEN_PAUSE_MS;
  #wake: () => void = () => undefined;

  constructor(ports: ListeningPorts) {
    this.#ports = ports;
  }

  /** Settles when the server has acknowledged for the first time, or will not. */
  async start(onHonoured: (shownUri: string) => void): Promise<void> {
    const { leaves } = this.#ports;
    leaves.add(() => {
      this.#left = true;
      this.#wake();
    });
    await new Promise<void>((resolve) => {
      void this.#run(onHonoured, resolve).finally(resolve);
    });
  }

  async #run(onHonoured: (shownUri: string) => void, onFirst: () => void): Promise<void> {
    const { asking, endpoint } = this.#ports;
    const { health } = asking.desk;
    while (!this.#left && this.#refused < MAX_REFUSED_LISTENS) {
      if (!health.isDown(endpoint)) {
        const acknowledged = await this.#listen((uri) => onHonoured(showUri(endpoint.name, uri)), onFirst);
        onFirst();
        this.#refused = acknowledged ? 0 : this.#refused + 1;
        if (acknowledged) this.#pauseMs = LISTEN_PAUSE_MS;
        if (!this.#left) health.suspect(endpoint);
      } else onFirst();
      if (this.#left) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, this.#pauseMs).unref();
      });
      this.#pauseMs = health.isDown(endpoint) ? LISTEN_PAUSE_MS : Math.min(this.#pauseMs * 2, MAX_LISTEN_PAUSE_MS);
    }
  }

  /** One listen, to its end; whether the server acknowledged it. */
  async #listen(onHonoured: (uri: string) => void, onAcknowledged: () => void): Promise<boolean> {
    const { asking, endpoint, filter, uris, out, leaves } = this.#ports;
    const { desk, request } = asking;
    let acknowledged = false;
    let leave: (() => void) | undefined;
    const take = (message: Uint8Array): boolean => {
      if (beginsWith(message, ACKNOWLEDGED)) {
        acknowledged = true;
        for (const uri of readHonoured(message)) if (uris.includes(uri)) onHonoured(uri);
        onAcknowledged();
        return true;
      }
      // The end of one server's listen is not the end of the client's.
      if (!beginsWith(message, NOTIFICATION)) return true;
      return out.push(
        turnUpdatedUri(Buffer.from(message.buffer, message.byteOffset, message.byteLength), (uri) => showUri(endpoint.name, uri)),
      );
    };
    const stream: AnswerStream = { push: take, onceWritable: (resume) => out.onceWritable(resume), end: () => undefined };
    const channel: Channel = {
      answer: () => undefined,
      openStream: () => stream,
      onGone(act) {
        leave = act;
        leaves.add(act);
      },
    };
    const { toolsListChanged, promptsListChanged, resourcesListChanged } = filter;
    const own = asData({ toolsListChanged, promptsListChanged, resourcesListChanged, resourceSubscriptions: [...uris] });
    try {
      await passTo(asking, partFor(desk, undefined, endpoint), withParam(request, "notifications", own), channel);
    } catch (error) {
      desk.say(`A listen to ${endpoint.name} ended by a fault: ${wordsOf(error)}`);
    }
    if (leave) leaves.delete(leave);
    return acknowledged;
  }
}

/** The resources that an acknowledgement holds. */
function readHonoured(message: Uint8Array): readonly string[] {
  const parsed = parseStrictJson(Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString("utf8"));
  const params = !isJsonFault(parsed) && isJsonObject(parsed.value) ? parsed.value["params"] : undefined;
  const notifications = isJsonObject(params) ? params["notifications"] : undefined;
  const uris = isJsonObject(notifications) ? notifications["resourceSubscriptions"] : undefined;
  return isJsonList(uris) ? uris.filter((uri) => typeof uri === "string") : [];
}
