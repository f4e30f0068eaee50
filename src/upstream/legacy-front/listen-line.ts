/**
 * What one client session hears unasked: at most one listen in force at the server, asked for anew when its filter
 * changes or it breaks, and the client's GET stream, on which its changes go out.
 *
 * Nothing is lost between two listens: the old one is heard until the new one is acknowledged, and `handoverMs` longer,
 * for what was on its way; what both tell goes out once, and what the old one still owed at its end goes out then. After a
 * gap (the server ended the listen, the connection broke) nobody knows what was missed, so every list and resource that is
 * listened to is told as changed. While the client does not listen, one change of each kind and resource is kept.
 */
import type { HttpUpstream } from "../http-upstream.ts";
import { type LegacyFrontBounds, MAX_SUBSCRIPTION_CHARACTERS, MAX_SUBSCRIPTIONS } from "./bounds.ts";
import type { FrontReply } from "./front-reply.ts";
import { createHandover, type Handover } from "./handover.ts";
import { KeptChanges } from "./kept-changes.ts";
import { type Change, covers, type Filter, keyOfChange, Listen, type ListenEnd, UPDATED, writePlainChange } from "./listen.ts";
import type { Speaker } from "./modern-request.ts";

export interface LineOptions {
  readonly upstream: HttpUpstream;
  readonly owner: string | undefined;
  readonly speaker: Speaker;
  /** Notifications of lists that the server said it sends. */
  readonly lists: ReadonlySet<string>;
  readonly bounds: LegacyFrontBounds;
  readonly onDropped: (reason: string) => void;
}

/** How a subscription came out: `refused` by the server, `full` here, `failed` where no listen came about. */
export type Subscribed = "subscribed" | "refused" | "failed" | "full";

interface Waiting {
  readonly uri: string;
  readonly settle: (subscribed: Subscribed) => void;
}

export class ListenLine {
  readonly #options: LineOptions;
  readonly #uris = new Set<string>();
  readonly #kept = new KeptChanges();
  #waiting: Waiting[] = [];
  #out: FrontReply | undefined;
  #current: Listen | undefined;
  #next: Listen | undefined;
  #handover: Handover | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** While a client with subscriptions does not listen: until the server is listened to no longer. */
  #unheard: NodeJS.Timeout | undefined;
  #asleep = false;
  #retryMs: number;
  #heardSinceMs = 0;
  /** Changes may have been missed since a listen was last in force. */
  #missed = false;
  /** The server will not listen to what is wanted now. */
  #hopeless = false;
  #closed = false;

  constructor(options: LineOptions) {
    this.#options = options;
    this.#retryMs = options.bounds.listenRetryMs;
  }

  get isListening(): boolean {
    return this.#out !== undefined;
  }

  /** The client's GET stream; the one before it ends. */
  attach(out: FrontReply): void {
    const before = this.#out;
    this.#out = out;
    this.#wake();
    before?.cut();
    out.openEvents();
    for (const bytes of this.#kept.take()) out.push(bytes);
    this.#adjust();
  }

  detach(out: FrontReply): void {
    if (this.#out !== out) return;
    this.#out = undefined;
    // Nobody holds the server's streams back any more.
    this.resume();
    this.#wake();
    this.#adjust();
  }

  resume(): void {
    this.#handover?.from.resume();
    this.#current?.resume();
    this.#next?.resume();
  }

  subscribe(uri: string, settle: Waiting["settle"]): void {
    if (this.#closed) return settle("failed");
    if (this.#uris.has(uri) && this.#current?.honoured?.uris.has(uri)) return settle("subscribed");
    if (this.#waiting.length >= MAX_SUBSCRIPTIONS || (!this.#uris.has(uri) && !this.#hasRoomFor(uri))) return settle("full");
    this.#uris.add(uri);
    this.#waiting.push({ uri, settle });
    this.#wake();
    this.#adjustNow();
  }

  #hasRoomFor(uri: string): boolean {
    let characters = uri.length;
    for (const own of this.#uris) characters += own.length;
    return this.#uris.size < MAX_SUBSCRIPTIONS && characters <= MAX_SUBSCRIPTION_CHARACTERS;
  }

  unsubscribe(uri: string): void {
    if (!this.#uris.delete(uri)) return;
    // A subscription that was overtaken by its own end.
    this.#settle((waiting) => (waiting.uri === uri ? "failed" : undefined));
    this.#adjustNow();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#unheard);
    this.#endListens();
    this.#uris.clear();
    this.#kept.take();
    this.#out?.cut();
    this.#out = undefined;
  }

  /** Somebody is there, or was a moment ago. */
  #wake(): void {
    clearTimeout(this.#unheard);
    this.#asleep = false;
    if (this.#out || this.#closed) return;
    this.#unheard = setTimeout(() => {
      this.#asleep = true;
      this.#adjust();
    }, this.#options.bounds.unheardMs);
    this.#unheard.unref();
  }

  #adjustNow(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#hopeless = false;
    this.#adjust();
  }

  /** Brings what is listened to in line with what is wanted, one step at a time. */
  #adjust(): void {
    if (this.#closed) return;
    const wanted: Filter = { lists: this.#options.lists, uris: new Set(this.#uris) };
    const isHeard = this.#out !== undefined || (this.#uris.size > 0 && !this.#asleep);
    const isWanted = isHeard && wanted.lists.size + wanted.uris.size > 0;
    if (!isWanted) return this.#endListens();
    if (this.#next || this.#retry || this.#hopeless) return;
    if (this.#current && keyOf(this.#current.asked) === keyOf(wanted)) return;
    const { upstream, owner, speaker, bounds, onDropped } = this.#options;
    const next = new Listen({
      upstream,
      owner,
      speaker,
      filter: wanted,
      acknowledgeWaitMs: bounds.acknowledgeWaitMs,
      onAcknowledged: (listen) => this.#takeOver(listen),
      onChange: (listen, change) => this.#takeChange(listen, change),
      onEnd: (listen, end) => this.#takeEnd(listen, end),
      onDropped,
    });
    this.#next = next;
    next.start();
  }

  #takeOver(next: Listen): void {
    if (this.#next !== next || !next.honoured) return;
    this.#next = undefined;
    this.#handover?.cut();
    const before = this.#current;
    this.#current = next;
    this.#heardSinceMs = performance.now();
    if (before) {
      const handover = createHandover(before, next, this.#options.bounds.handoverMs, (owed) => {
        if (this.#handover === handover) this.#handover = undefined;
        for (const change of owed) this.#deliver(change);
      });
      this.#handover = handover;
    }
    const honoured = next.honoured;
    if (this.#missed) this.#tellMissed(honoured);
    this.#missed = false;
    this.#settle(({ uri }) => (next.asked.uris.has(uri) ? (honoured.uris.has(uri) ? "subscribed" : "refused") : undefined));
    this.#adjust();
  }

  #takeChange(listen: Listen, change: Change): boolean {
    const handover = this.#handover;
    if (handover && !handover.isFirst(listen, change)) return true;
    return this.#deliver(change);
  }

  #takeEnd(listen: Listen, end: ListenEnd): void {
    if (this.#handover?.from === listen) return this.#handover.cut();
    if (listen === this.#next) {
      this.#next = undefined;
      this.#settle(({ uri }) => (listen.asked.uris.has(uri) ? "failed" : undefined));
    } else if (listen === this.#current) {
      this.#current = undefined;
      this.#missed = true;
      const { listenRetryMs, listenRetryMaxMs } = this.#options.bounds;
      // Only a listen that lasted has earned its server a quick return.
      if (performance.now() - this.#heardSinceMs > listenRetryMaxMs) this.#retryMs = listenRetryMs;
    } else return;
    const tookNothing = listen.honoured !== undefined && listen.honoured.lists.size + listen.honoured.uris.size === 0;
    if (end === "unsupported" || (end === "ended" && tookNothing)) this.#hopeless = true;
    else this.#retryLater();
  }

  #retryLater(): void {
    if (this.#closed || this.#retry) return;
    const { listenRetryMaxMs } = this.#options.bounds;
    // Sessions that broke together don't come back together.
    const waitMs = this.#retryMs * (0.5 + Math.random() / 2);
    this.#retryMs = Math.min(this.#retryMs * 2, listenRetryMaxMs);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#adjust();
    }, waitMs);
    this.#retry.unref();
  }

  /** False asks for a pause. */
  #deliver(change: Change): boolean {
    // Unsubscribed while the server's last words of it were on their way.
    if (change.method === UPDATED && !covers({ lists: this.#options.lists, uris: this.#uris }, change)) return true;
    if (this.#out) return this.#out.push(change.bytes);
    this.#kept.add(change);
    return true;
  }

  #tellMissed({ lists, uris }: Filter): void {
    const tell = (change: Pick<Change, "method" | "uri">): boolean =>
      this.#deliver({ ...change, key: keyOfChange(change), bytes: writePlainChange(change) });
    for (const method of lists) tell({ method, uri: undefined });
    for (const uri of uris) tell({ method: UPDATED, uri });
  }

  #settle(judge: (waiting: Waiting) => Subscribed | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) {
      const subscribed = judge(each);
      if (subscribed === undefined) this.#waiting.push(each);
      else {
        if (subscribed !== "subscribed") this.#uris.delete(each.uri);
        each.settle(subscribed);
      }
    }
  }

  #endListens(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    if (this.#current) this.#missed = true;
    this.#handover?.drop();
    this.#handover = undefined;
    this.#current?.cancel();
    this.#next?.cancel();
    this.#current = undefined;
    this.#next = undefined;
    this.#settle(() => "failed");
  }
}

function keyOf(filter: Filter): string {
  return JSON.stringify([[...filter.lists], [...filter.uris].sort()]);
}
