/**
 * The modern listens that one legacy session feeds: what it honours of each, told first; the changes that match; the
 * empty result when the server goes. A listen whose client is slow hears of each change once, when it can.
 */
import { createJsonObject, isJsonObject, type Json, type JsonObject } from "../../kernel/json.ts";
import { writeResult } from "../../mcp/answers.ts";
import type { Notification } from "../../mcp/message.ts";
import { META } from "../../mcp/meta.ts";
import { asData } from "../../mcp/refusal.ts";
import type { MessageId } from "../../mcp/request-id.ts";
import { writeNotification, writeRelayed } from "../../mcp/rewrite.ts";
import type { ListenFilter } from "../../mcp/subject.ts";
import { MAX_LISTENS_PER_SESSION } from "./bounds.ts";
import type { Outlet } from "./outlet.ts";
import type { LegacySession } from "./session.ts";
import { Subscriptions } from "./subscriptions.ts";

interface Listen {
  readonly id: MessageId;
  readonly outlet: Outlet;
  readonly changes: ReadonlySet<string>;
  readonly uris: readonly string[];
  /** What waits for room, by what it tells. */
  readonly waiting: Map<string, Notification>;
}

/** Notification → the flag of the filter, and the server's capability that must be there for it. */
const CHANGES = [
  ["notifications/tools/list_changed", "toolsListChanged", "tools"],
  ["notifications/prompts/list_changed", "promptsListChanged", "prompts"],
  ["notifications/resources/list_changed", "resourcesListChanged", "resources"],
] as const;
const UPDATED = "notifications/resources/updated";

export class Listens {
  readonly #session: LegacySession;
  readonly #listens = new Set<Listen>();
  readonly #subscriptions: Subscriptions;
  #count = 0;

  constructor(session: LegacySession) {
    this.#session = session;
    this.#subscriptions = new Subscriptions(session);
  }

  /** Opens a listen on a session that its caller holds for it; false: there are too many. */
  async open(id: MessageId, filter: ListenFilter, outlet: Outlet): Promise<boolean> {
    if (this.#count >= MAX_LISTENS_PER_SESSION) return false;
    this.#count++;
    const session = this.#session;
    session.hold();
    await session.stream.ready();
    const uris = session.stream.isOpen ? await this.#subscriptions.add(new Set(filter.resourceSubscriptions)) : [];
    const close = (): void => {
      if (!this.#listens.delete(listen)) return;
      this.#count--;
      this.#subscriptions.remove(uris);
      session.release();
    };
    const listen: Listen = { id, outlet, changes: this.#honour(filter), uris, waiting: new Map() };
    this.#listens.add(listen);
    outlet.onCancel = close;
    outlet.onRoom = () => this.#flush(listen);
    if (outlet.isOver || session.isEnded || session.isGone) {
      outlet.answer(200, writeEnd(id, session));
      close();
      return true;
    }
    outlet.push(this.#writeAcknowledged(listen));
    return true;
  }

  /** What the server can tell, and the client wants to hear. */
  #honour(filter: ListenFilter): ReadonlySet<string> {
    const honoured = new Set<string>();
    if (!this.#session.stream.isOpen) return honoured;
    const { capabilities } = this.#session.facts;
    for (const [method, flag, capability] of CHANGES) {
      const offered: Json | undefined = capabilities[capability];
      if (filter[flag] && isJsonObject(offered) && offered["listChanged"] === true) honoured.add(method);
    }
    return honoured;
  }

  #writeAcknowledged({ id, changes, uris }: Listen): Buffer {
    const notifications = createJsonObject();
    for (const [method, flag] of CHANGES) if (changes.has(method)) notifications[flag] = true;
    if (uris.length > 0) notifications["resourceSubscriptions"] = [...uris];
    const params = asData({ notifications, _meta: asData({ [META.subscriptionId]: id.value }) });
    return writeNotification("notifications/subscriptions/acknowledged", params);
  }

  notify(message: Notification): void {
    const uri = message.method === UPDATED ? message.params?.["uri"] : undefined;
    for (const listen of this.#listens) {
      const isMeant =
        message.method === UPDATED ? typeof uri === "string" && listen.uris.includes(uri) : listen.changes.has(message.method);
      if (!isMeant) continue;
      listen.waiting.set(typeof uri === "string" ? `${UPDATED} ${uri}` : message.method, message);
      this.#flush(listen);
    }
  }

  #flush(listen: Listen): void {
    for (const [key, message] of listen.waiting) {
      if (listen.outlet.isFull) return;
      listen.waiting.delete(key);
      listen.outlet.push(writeRelayed(message, { meta: { [META.subscriptionId]: listen.id.value } }));
    }
  }

  /** The server tells no more. */
  end(): void {
    for (const listen of [...this.#listens]) {
      listen.outlet.answer(200, writeEnd(listen.id, this.#session));
      listen.outlet.onCancel?.();
    }
  }
}

function writeEnd(id: MessageId, session: LegacySession): Buffer {
  const meta: JsonObject = asData({ [META.subscriptionId]: id.value });
  return writeResult(id, { _meta: meta }, { era: "modern", serverInfo: session.facts.serverInfo });
}
