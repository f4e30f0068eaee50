/**
 * `subscriptions/listen` of a client of several servers (modern): each server gets a listen of its own for what it can tell
 * of, and all speak on the client's one stream, behind one acknowledgement. What a policy or a server's health changes is
 * told on it too. A listen that a server ends is begun again when the server is back.
 */
import type { GrantRecord } from "../../identity/grant.ts";
import type { Json } from "../../kernel/json.ts";
import { writeError } from "../../mcp/answers.ts";
import { META } from "../../mcp/meta.ts";
import { asData, ERROR_CODES } from "../../mcp/refusal.ts";
import { writeNotification } from "../../mcp/rewrite.ts";
import { splitUri } from "../../mcp/several-names.ts";
import type { ListenFilter } from "../../mcp/subject.ts";
import type { Channel } from "../channel.ts";
import { endpointsOf, type Gate } from "../identify.ts";
import type { MessageStream } from "../stream.ts";
import { tellChanges } from "../tell-changes.ts";
import type { Asking } from "./asking.ts";
import { ServerListening } from "./server-listening.ts";

/** How long the acknowledgement waits for what the servers say. */
export const ACKNOWLEDGE_WAIT_MS = 2_000;
/** What is held back until then. */
export const MAX_HELD_MESSAGES = 256;
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
  const listenings = new Map<string, ServerListening>();
  const gone = Promise.withResolvers<void>();
  const subscription = { [META.subscriptionId]: request.id.value };
  const watch = {
    bearer: who.bearer,
    grantId: who.grant.id,
    // A server that is taken from the grant is heard no more.
    endpointsOf: (grant: GrantRecord) => {
      for (const [server, listening] of listenings) if (!grant.servers.has(server)) listening.leave();
      return endpointsOf(gate, grant);
    },
    heedsHealth: true,
  };
  const unwatch = tellChanges(desk, watch, out, { subscription: request.id.value, filter });
  channel.onGone(() => {
    unwatch();
    for (const listening of listenings.values()) listening.leave();
    gone.resolve();
  });
  signal.addEventListener("abort", () => gone.resolve(), { once: true });
  const started = who.endpoints.map(async (endpoint) => {
    const uris = filter.resourceSubscriptions.map(splitUri).filter((split) => split?.server === endpoint.name);
    const own = uris.map((split) => (split as { uri: string }).uri);
    const hasFlags = filter.toolsListChanged || filter.promptsListChanged || filter.resourcesListChanged;
    if (!hasFlags && own.length === 0) return undefined;
    const listening = new ServerListening({ asking, endpoint, filter, uris: own, out });
    listenings.set(endpoint.name, listening);
    return await listening.start((uri) => honoured.add(uri));
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
