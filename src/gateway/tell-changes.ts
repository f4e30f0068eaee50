/**
 * Puts the gateway's own `list_changed` on a client's stream: on a GET stream every kind, on a listen those that it asked
 * for, under its subscription.
 */
import { META } from "../mcp/meta.ts";
import { asData } from "../mcp/refusal.ts";
import { writeNotification } from "../mcp/rewrite.ts";
import type { ListenFilter } from "../mcp/subject.ts";
import type { ChangedKind, ChangeWatch } from "./changes.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import type { MessageStream } from "./stream.ts";

/** A listen, by the client's id of it. */
export interface Listen {
  readonly subscription: string | number;
  readonly filter: ListenFilter;
}

function wants({ filter }: Listen, kind: ChangedKind): boolean {
  return { tools: filter.toolsListChanged, prompts: filter.promptsListChanged, resources: filter.resourcesListChanged }[kind];
}

/** Gives what ends it. */
export function tellChanges(
  desk: Desk,
  watch: Omit<ChangeWatch, "tell">,
  stream: Pick<MessageStream, "push">,
  listen?: Listen,
): () => void {
  const params = listen && asData({ _meta: asData({ [META.subscriptionId]: listen.subscription }) });
  return desk.changes.watch({
    ...watch,
    tell(kinds) {
      for (const kind of kinds) {
        if (!listen || wants(listen, kind)) stream.push(writeNotification(`notifications/${kind}/list_changed`, params));
      }
    },
  });
}

/** For the listen of an exchange with one server; undefined for every other exchange. */
export function tellListen(desk: Desk, exchange: Exchange, stream: Pick<MessageStream, "push">): (() => void) | undefined {
  const { subject, request, bearer, grant, endpoint } = exchange;
  if (subject.kind !== "listen") return undefined;
  const watch = { bearer, grantId: grant.id, endpointsOf: () => [endpoint], heedsHealth: false };
  return tellChanges(desk, watch, stream, { subscription: request.id.value, filter: subject.filter });
}
