/**
 * What a modern server's result says of its own hop, put into the gateway's words: who answers, and which listen of the
 * client's it belongs to. Everything else stays the bytes that the server sent.
 */
import { isJsonObject, type Json, type JsonObject, printJson } from "../kernel/json.ts";
import type { ResultAnswer } from "../mcp/answer.ts";
import { META } from "../mcp/meta.ts";
import { asData } from "../mcp/refusal.ts";
import { type MemberEdits, planEdits, readAnswerMember } from "../mcp/relay.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";
import { serverInfoOf } from "./inspect-opening.ts";

/** The `_meta` of a result as the client gets it; undefined where it may stay as it is. */
export function createOwnMeta(desk: Desk, exchange: Exchange, meta: Json | undefined): JsonObject | undefined {
  const said = isJsonObject(meta) ? meta : undefined;
  const isNamed = said !== undefined && Object.hasOwn(said, META.serverInfo);
  const isListen = exchange.subject.kind === "listen";
  if (!isNamed && !isListen) return undefined;
  const named = isNamed ? { [META.serverInfo]: serverInfoOf(desk, exchange) } : {};
  const listens = isListen ? { [META.subscriptionId]: exchange.request.id.value } : {};
  return asData({ ...said, ...named, ...listens });
}

/** The edits of a modern result for a modern client; undefined where it may go as it is. */
export function planModernEdits(desk: Desk, exchange: Exchange, answer: ResultAnswer, bytes: Buffer): MemberEdits | undefined {
  const edits = planEdits(answer, bytes, { from: "modern", to: "modern" });
  const set: Record<string, string> = { ...edits?.set };
  const meta = createOwnMeta(desk, exchange, readAnswerMember(answer, bytes, "_meta"));
  if (meta) set["_meta"] = printJson(meta);
  // What one grant may read must not be kept for another one.
  if (exchange.subject.kind === "resource_read" && answer.members.has("cacheScope")) set["cacheScope"] = '"private"';
  return edits === undefined && Object.keys(set).length === 0 ? undefined : { ...edits, set };
}
