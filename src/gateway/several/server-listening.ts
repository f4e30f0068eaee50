/**
 * The listen of one server under that of a client of several, for as long as the client stays: begun again when the server
 * has ended it, not while it is down, and not for ever where it is refused.
 */
import { isJsonList, isJsonObject } from "../../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../kernel/strict-json.ts";
import { withParam } from "../../mcp/message.ts";
import { asData } from "../../mcp/refusal.ts";
import { showUri } from "../../mcp/several-names.ts";
import type { ListenFilter } from "../../mcp/subject.ts";
import { turnUpdatedUri } from "../../mcp/turn-uris.ts";
import type { Channel } from "../channel.ts";
import type { Endpoint } from "../desk.ts";
import { wordsOf } from "../spend.ts";
import type { AnswerStream, MessageStream } from "../stream.ts";
import { type Asking, passTo } from "./asking.ts";
import { partFor } from "./parts.ts";

export const LISTEN_PAUSE_MS = 2_000;
export const MAX_LISTEN_PAUSE_MS = 60_000;
/** A server that refuses a listen so often is not asked again. */
export const MAX_REFUSED_LISTENS = 3;

const ACKNOWLEDGED = Buffer.from('{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged"');
const NOTIFICATION = Buffer.from('{"jsonrpc":"2.0","method":');

const beginsWith = (message: Uint8Array, head: Buffer): boolean => head.equals(message.subarray(0, head.length));

export interface ListeningPorts {
  readonly asking: Asking;
  readonly endpoint: Endpoint;
  readonly filter: ListenFilter;
  /** The server's own. */
  readonly uris: readonly string[];
  readonly out: MessageStream;
}

export class ServerListening {
  readonly #ports: ListeningPorts;
  #left = false;
  #refused = 0;
  #pauseMs = LISTEN_PAUSE_MS;
  #wake: () => void = () => undefined;
  /** Hangs up on the listen under way. */
  #hangUp: () => void = () => undefined;

  constructor(ports: ListeningPorts) {
    this.#ports = ports;
  }

  /** Settles when the server has acknowledged for the first time, or will not. */
  async start(onHonoured: (shownUri: string) => void): Promise<void> {
    await new Promise<void>((resolve) => {
      void this.#run(onHonoured, resolve).finally(resolve);
    });
  }

  /** The client has gone, or the server is no longer its grant's. */
  leave(): void {
    this.#left = true;
    this.#hangUp();
    this.#wake();
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
    const { asking, endpoint, filter, uris, out } = this.#ports;
    const { desk, request } = asking;
    let acknowledged = false;
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
      onGone: (act) => {
        this.#hangUp = act;
        if (this.#left) act();
      },
    };
    const { toolsListChanged, promptsListChanged, resourcesListChanged } = filter;
    const own = asData({ toolsListChanged, promptsListChanged, resourcesListChanged, resourceSubscriptions: [...uris] });
    try {
      await passTo(asking, partFor(desk, undefined, endpoint), withParam(request, "notifications", own), channel);
    } catch (error) {
      desk.say(`A listen to ${endpoint.name} ended by a fault: ${wordsOf(error)}`);
    }
    this.#hangUp = () => undefined;
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
