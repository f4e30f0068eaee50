/**
 * One server's share of a list: its pages, asked for one after the other until there is enough, each filtered by the policy
 * on its way. Bounded in time, pages, items and bytes; a cursor that comes again, or half a list, is a failure.
 */
import { isJsonObject } from "../../kernel/json.ts";
import { skimAnswer } from "../../mcp/answer.ts";
import { type ListKind, printItem, readListPage } from "../../mcp/lists.ts";
import { withParam } from "../../mcp/message.ts";
import { ERROR_CODES } from "../../mcp/refusal.ts";
import { indexCutNames, showName, showUri } from "../../mcp/several-names.ts";
import { type Asking, askPart, within } from "./asking.ts";
import type { Position } from "./cursor.ts";
import { cutToolNames } from "./cut-names.ts";
import type { Part } from "./parts.ts";

/** How long one server may take for its share; one that did not answer before is waited for less. */
export const LIST_WAIT_MS = 10_000;
export const DOWN_WAIT_MS = 2_000;
/** What one page of ours holds, and so what is asked of each server at most. */
export const PAGE_ITEMS = 500;
export const PAGE_CHARACTERS: number = 4 * 1024 * 1024;
export const MAX_PAGES_OF_SERVER = 1_000;

export interface ListedItem {
  readonly text: string;
  /** Where a list goes on that is to begin with this item. */
  readonly at: Position;
}

/** `late`, `failed`: the server is left out. `ended`: the grant has ended meanwhile. */
type Fault = "late" | "failed" | "ended";
export type Share = readonly ListedItem[] | Fault;

interface Gathered {
  readonly key: string;
  readonly print: (shown: string) => string;
  readonly at: Position;
}

const CAPABILITIES: Readonly<Record<ListKind, string>> = {
  tools: "tools",
  prompts: "prompts",
  resources: "resources",
  resourceTemplates: "resources",
};

export async function listServer(asking: Asking, part: Part, kind: ListKind, from: Position | undefined): Promise<Share> {
  const { health } = asking.desk;
  const began = performance.now();
  const waitMs = health.isDown(part.endpoint) ? DOWN_WAIT_MS : LIST_WAIT_MS;
  const left = (): number => waitMs - (performance.now() - began);
  const gathered = await gather(asking, part, kind, from, left);
  if (gathered === "ended" || asking.signal.aborted) return "ended";
  // What one client made fail says nothing of the server to others: whoever watches looks for himself.
  if (gathered === "failed") health.suspect(part.endpoint);
  else health.note(part.endpoint, gathered !== "late");
  return typeof gathered === "string" ? gathered : show(asking, part, kind, gathered);
}

async function gather(
  asking: Asking,
  part: Part,
  kind: ListKind,
  from: Position | undefined,
  left: () => number,
): Promise<readonly Gathered[] | Fault> {
  const { name: server } = part.endpoint;
  if (part.link) {
    const opened = await within(part.link.ready(), left(), asking.signal, () => undefined);
    if (!opened) return left() > 0 ? "failed" : "late";
    if (!isJsonObject(opened.capabilities[CAPABILITIES[kind]])) return [];
  }
  const items: Gathered[] = [];
  const seen = new Set<string>();
  let { cursor, skip } = from ?? { cursor: undefined, skip: 0 };
  let characters = 0;
  for (let count = 0; count < MAX_PAGES_OF_SERVER; count++) {
    const request = withParam(asking.request, "cursor", cursor);
    const asked = await askPart(asking, part, request, left());
    if (!asked) return "late";
    if (asked.status === 401) return "ended";
    const answer = skimAnswer(asked.message);
    // A server that has none of them need not know the method.
    if (answer.kind === "error" && answer.code === ERROR_CODES.methodNotFound && count === 0) return [];
    if (answer.kind !== "result") return "failed";
    const page = readListPage(answer, asked.message, kind);
    if (page.kind === "invalid") return "failed";
    for (const item of page.items.slice(skip)) {
      characters += item.raw.length;
      items.push({ key: item.key, print: (shown) => printItem(page, item, shown), at: { server, cursor, skip: item.index } });
    }
    const { nextCursor } = page;
    if (nextCursor === undefined || items.length > PAGE_ITEMS || characters > PAGE_CHARACTERS) return items;
    if (seen.has(nextCursor)) return "failed";
    seen.add(nextCursor);
    cursor = nextCursor;
    skip = 0;
  }
  return "failed";
}

/** The items under the names that the client is to use. */
function show(asking: Asking, part: Part, kind: ListKind, gathered: readonly Gathered[]): ListedItem[] {
  const { name: server } = part.endpoint;
  if (kind === "resources" || kind === "resourceTemplates") {
    return gathered.map(({ key, print, at }) => ({ text: print(showUri(server, key)), at }));
  }
  let cut = cutToolNames(part.endpoint);
  if (kind === "prompts") {
    cut = indexCutNames(server, new Set(gathered.map(({ key }) => key)));
    asking.desk.promptNames.learn(asking.who.grant.id, cut);
  }
  const items: ListedItem[] = [];
  const listed = new Set<string>();
  for (const { key, print, at } of gathered) {
    const shown = showName(server, key, cut);
    // Of a tool that stands on two pages the second would be another one under the same name.
    if (shown === undefined || (kind === "tools" && listed.has(shown))) continue;
    listed.add(shown);
    items.push({ text: print(shown), at });
  }
  return items;
}
