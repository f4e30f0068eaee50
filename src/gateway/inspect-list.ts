/**
 * Lists on their way out: every page passes the function that decides calls. A tool shows when its name may be seen and
 * its definition is the accepted one; a difference sends for a fresh snapshot at once. What can't be read isn't passed.
 */
import type { Json } from "../kernel/json.ts";
import type { ResultAnswer } from "../mcp/answer.ts";
import { type ListItem, type ListKind, printListPage, readListPage, writeResultText } from "../mcp/lists.ts";
import type { ListJudgement } from "../mcp/subject.ts";
import type { CompiledPolicy } from "../policy/decision.ts";
import { decideListing } from "../policy/refusal.ts";
import type { Desk, Endpoint } from "./desk.ts";
import { createOwnMeta } from "./edit-modern.ts";
import type { Exchange } from "./exchange.ts";
import { type Inspected, inspectFault } from "./inspect.ts";
import { listForeignMembers } from "./pair-structured.ts";

const KINDS: Readonly<Record<ListJudgement, ListKind>> = {
  tool_list: "tools",
  prompt_list: "prompts",
  resource_list: "resources",
  template_list: "resourceTemplates",
};

export async function filterList(desk: Desk, exchange: Exchange, bytes: Buffer, answer: ResultAnswer): Promise<Inspected> {
  const { subject, endpoint, policy, claim } = exchange;
  const kind = KINDS[subject.kind as ListJudgement];
  const page = readListPage(answer, bytes, kind);
  if (page.kind === "invalid") return inspectFault(exchange, "invalid_answer", "unknown");
  let keep: (item: ListItem) => boolean = () => false;
  if (kind === "tools") {
    if (endpoint.tools.differs(page.items)) await endpoint.tools.refresh();
    if (policy) keep = (item) => showsTool(endpoint, policy.compiled, item);
  } else if (policy) {
    keep = (item) => showsItem(policy.compiled, kind, item.key);
  }
  // A list that is cut to a grant must not be kept for another one.
  const set: Record<string, Json> = claim.era === "modern" ? { resultType: "complete", ttlMs: 0, cacheScope: "private" } : {};
  const meta = claim.era === "modern" ? createOwnMeta(desk, exchange, page.result["_meta"]) : undefined;
  if (meta) set["_meta"] = meta;
  const omit = kind === "tools" && claim.era === "legacy" ? listForeignMembers : undefined;
  const text = printListPage(page, keep, { set, omit });
  return { outcome: "ok", status: 200, message: writeResultText(exchange.request.id, text) };
}

export function showsTool(endpoint: Pick<Endpoint, "tools">, policy: CompiledPolicy, item: ListItem): boolean {
  const tool = endpoint.tools.current()?.tools.get(item.key);
  if (!tool?.facts || tool.state !== "accepted" || tool.definitionHash !== item.hash || item.isRepeated) return false;
  return policy.decideVisibility(tool.facts) === "shown";
}

function showsItem(policy: CompiledPolicy, kind: ListKind, key: string): boolean {
  if (kind === "prompts") return decideListing(policy.decidePrompt(key)) === "shown";
  if (kind === "resources") return decideListing(policy.decideResource(key)) === "shown";
  return policy.decideTemplate(key) === "shown";
}
