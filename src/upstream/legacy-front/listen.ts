/**
 * One `subscriptions/listen` at a modern server, from its asking to its end. Tells what the server acknowledged, and of
 * its notifications only those that were asked for, each as a legacy client may have it.
 */
import { isJsonList, isJsonObject } from "../../kernel/json.ts";
import type { Notification } from "../../mcp/message.ts";
import { META, readMeta } from "../../mcp/meta.ts";
import { asData, ERROR_CODES } from "../../mcp/refusal.ts";
import { writeNotification, writeRelayed } from "../../mcp/rewrite.ts";
import { MAX_URI_CHARACTERS } from "../../mcp/subject.ts";
import type { HttpUpstream, OpenExchange } from "../http-upstream.ts";
import { MAX_CHANGE_BYTES } from "./bounds.ts";
import { printFilter, type Speaker, writeOwnRequest } from "./modern-request.ts";
import { readNotification } from "./relay-notification.ts";
import { askModernServer, type ServerAnswer } from "./server-answer.ts";

/** Which lists a listen hears of: notification → the member of the filter. */
export const LIST_FLAGS: ReadonlyMap<string, string> = new Map([
  ["notifications/tools/list_changed", "toolsListChanged"],
  ["notifications/prompts/list_changed", "promptsListChanged"],
  ["notifications/resources/list_changed", "resourcesListChanged"],
]);
export const UPDATED = "notifications/resources/updated";

/** What a listen asks for, or what of it the server took. */
export interface Filter {
  readonly lists: ReadonlySet<string>;
  readonly uris: ReadonlySet<string>;
}

/** A change that the server told. `key` is one for all tellings of the same thing. */
export interface Change {
  readonly key: string;
  readonly method: string;
  readonly uri: string | undefined;
  readonly bytes: Buffer;
}

export function keyOfChange({ method, uri = "" }: Pick<Change, "method" | "uri">): string {
  return `${method} ${uri}`;
}

/** A change with no more than what it is about. */
export function writePlainChange({ method, uri }: Pick<Change, "method" | "uri">): Buffer {
  return writeNotification(method, uri === undefined ? undefined : asData({ uri }));
}

/** A server may tell of what lies under a resource too. */
export function covers(filter: Filter, change: Pick<Change, "method" | "uri">): boolean {
  const { method, uri } = change;
  if (method !== UPDATED) return filter.lists.has(method);
  if (uri === undefined) return false;
  if (filter.uris.has(uri)) return true;
  for (const own of filter.uris) if (uri.startsWith(own)) return true;
  return false;
}

/** `unsupported`: the server will not listen, however often it is asked. */
export type ListenEnd = "ended" | "failed" | "unsupported";

export interface ListenPorts {
  readonly onAcknowledged: (listen: Listen) => void;
  /** False asks for a pause. */
  readonly onChange: (listen: Listen, change: Change) => boolean;
  /** Comes once, unless it was cancelled. */
  readonly onEnd: (listen: Listen, end: ListenEnd) => void;
  readonly onDropped: (reason: string) => void;
}

export interface ListenOptions extends ListenPorts {
  readonly upstream: HttpUpstream;
  readonly owner: string | undefined;
  readonly speaker: Speaker;
  readonly filter: Filter;
  readonly acknowledgeWaitMs: number;
}

export class Listen {
  readonly asked: Filter;
  /** What the server took of it; undefined until it said so. */
  honoured: Filter | undefined;
  readonly #options: ListenOptions;
  #open: OpenExchange | undefined;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(options: ListenOptions) {
    this.#options = options;
    this.asked = options.filter;
  }

  start(): void {
    const { upstream, owner, speaker, filter, acknowledgeWaitMs } = this.#options;
    const flags = [...filter.lists].map((method) => LIST_FLAGS.get(method) as string);
    const written = writeOwnRequest("subscriptions/listen", printFilter(flags, [...filter.uris]), speaker);
    this.#timer = setTimeout(() => this.#fail(), acknowledgeWaitMs);
    this.#timer.unref();
    this.#open = askModernServer(
      upstream,
      { method: "POST", body: written.body, headers: written.headers, owner, stream: true },
      {
        id: written.id,
        onNotification: (bytes) => this.#take(bytes, written.id),
        onAnswer: (answer) => this.#end(endOf(answer)),
        onDropped: this.#options.onDropped,
      },
    );
    if (this.#over) this.#open.cancel();
  }

  /** Ends it without a word to whoever listens. */
  cancel(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#open?.cancel();
  }

  resume(): void {
    this.#open?.resume();
  }

  #fail(): void {
    if (this.#over) return;
    this.cancel();
    this.#options.onEnd(this, "failed");
  }

  #end(end: ListenEnd): void {
    clearTimeout(this.#timer);
    if (this.#over) return;
    this.#over = true;
    this.#options.onEnd(this, end);
  }

  #take(bytes: Buffer, id: string): boolean {
    const { onDropped, onChange } = this.#options;
    if (this.#over) return true;
    const message = readNotification(bytes);
    const said = message && readMeta(message)?.[META.subscriptionId];
    if (!message || (said !== undefined && said !== id)) {
      onDropped("it does not belong on this stream");
      return true;
    }
    if (message.method === "notifications/subscriptions/acknowledged") {
      if (this.honoured === undefined) this.#acknowledge(message);
      return true;
    }
    if (message.method === "notifications/cancelled") {
      // Some servers say so before they close.
      if (message.params?.["requestId"] === id) this.#end("ended");
      return true;
    }
    const uri = message.params?.["uri"];
    const change = {
      method: message.method,
      uri: message.method === UPDATED && typeof uri === "string" ? uri : undefined,
    };
    if (!this.honoured || !covers(this.honoured, change) || (change.uri?.length ?? 0) > MAX_URI_CHARACTERS) {
      onDropped("it was not asked for");
      return true;
    }
    const written = writeRelayed(message);
    const isShort = written.length <= MAX_CHANGE_BYTES;
    return onChange(this, { ...change, key: keyOfChange(change), bytes: isShort ? written : writePlainChange(change) });
  }

  #acknowledge(message: Notification): void {
    clearTimeout(this.#timer);
    const taken = message.params?.["notifications"];
    const said = isJsonObject(taken) ? taken : {};
    const uris = said["resourceSubscriptions"];
    const honours = new Set(isJsonList(uris) ? uris : []);
    this.honoured = {
      lists: new Set([...this.asked.lists].filter((method) => said[LIST_FLAGS.get(method) as string] === true)),
      uris: new Set([...this.asked.uris].filter((uri) => honours.has(uri))),
    };
    this.#options.onAcknowledged(this);
  }
}

function endOf(answer: ServerAnswer): ListenEnd {
  if (answer.kind === "result") return "ended";
  const isUnknown = answer.kind === "error" && answer.answer.code === ERROR_CODES.methodNotFound;
  return isUnknown || (answer.kind === "status" && (answer.status === 405 || answer.status === 501)) ? "unsupported" : "failed";
}
