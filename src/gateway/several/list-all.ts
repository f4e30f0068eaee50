/**
 * A list of several servers as one: all are asked at once, each within its own time; who is late or dead is left out and
 * named. In the order of the servers' names, and in each the server's own.
 */
import type { Json } from "../../kernel/json.ts";
import { writeError } from "../../mcp/answers.ts";
import { type ListKind, printList, writeResultText } from "../../mcp/lists.ts";
import { META } from "../../mcp/meta.ts";
import { asData, type Refusal, refuseParams } from "../../mcp/refusal.ts";
import type { ListJudgement } from "../../mcp/subject.ts";
import { GONE_CODE, GONE_WORDS } from "../reply.ts";
import type { Asking } from "./asking.ts";
import { describeView, openPosition, type Position, sealPosition } from "./cursor.ts";
import { type ListedItem, listServer, PAGE_CHARACTERS, PAGE_ITEMS } from "./list-server.ts";
import type { OwnAnswer } from "./own-answers.ts";
import { partFor } from "./parts.ts";

/** Under it a result names the servers that are left out. */
const UNAVAILABLE_KEY = "sallyport/unavailable";

export const LIST_KINDS: Readonly<Record<ListJudgement, ListKind>> = {
  tool_list: "tools",
  prompt_list: "prompts",
  resource_list: "resources",
  template_list: "resourceTemplates",
};

/** Undefined: the client has gone. */
export async function listAll(asking: Asking, kind: ListKind): Promise<Refusal | OwnAnswer | undefined> {
  const { desk, who, request, routed } = asking;
  const view = await describeView(desk, who);
  const cursor = request.params?.["cursor"];
  let from: Position | undefined;
  if (cursor !== undefined) {
    from = typeof cursor === "string" ? openPosition(desk, who, request.method, view, cursor) : undefined;
    if (!from) return refuseParams(request.id, "Invalid params: `cursor` is not one of this list, or no longer one", "cursor");
  }
  const first = from?.server ?? "";
  const asked = who.endpoints.filter(({ name }) => name >= first);
  const shares = await Promise.all(
    asked.map((endpoint) => listServer(asking, partFor(desk, routed.session, endpoint), kind, endpoint.name === first ? from : undefined)),
  );
  if (asking.signal.aborted) return undefined;
  if (shares.includes("ended")) return { status: 401, message: writeError(request.id, GONE_CODE, GONE_WORDS) };
  const missing = asked.filter((_endpoint, index) => typeof shares[index] === "string").map(({ name }) => name);
  const items = shares.flatMap((share) => (typeof share === "string" ? [] : share));
  const count = countOfPage(items);
  const members: Record<string, Json> = {};
  const next = items[count];
  if (next) members["nextCursor"] = sealPosition(desk, who, request.method, view, next.at);
  const meta: Record<string, Json> = missing.length > 0 ? { [UNAVAILABLE_KEY]: missing } : {};
  if (routed.claim.era === "modern") {
    Object.assign(members, { resultType: "complete", ttlMs: 0, cacheScope: "private" });
    meta[META.serverInfo] = asData({ name: "sallyport", version: desk.version });
  }
  if (Object.keys(meta).length > 0) members["_meta"] = asData(meta);
  const texts = items.slice(0, count).map(({ text }) => text);
  return { status: 200, message: writeResultText(request.id, printList(kind, texts, members)) };
}

/** How many fit; one does in any case. */
function countOfPage(items: readonly ListedItem[]): number {
  let characters = 0;
  for (let count = 0; count < items.length && count < PAGE_ITEMS; count++) {
    characters += (items[count] as ListedItem).text.length;
    if (count > 0 && characters > PAGE_CHARACTERS) return count;
  }
  return Math.min(items.length, PAGE_ITEMS);
}
