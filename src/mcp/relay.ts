/**
 * Answers of a server as bytes for a client: the client's id as it was spelled, the result untouched, or with single
 * members put in, in place or left out. Members that stay are slices of what the server sent.
 */
import { isJsonObject, type Json, type JsonObject } from "../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import type { ByteSpan, ErrorAnswer, ResultAnswer } from "./answer.ts";
import { hasHopKey, META, printRelayedMeta } from "./meta.ts";
import type { MessageId } from "./request-id.ts";
import type { Era } from "./revisions.ts";

function printHead(id: MessageId | undefined, member: "result" | "error"): string {
  return `{"jsonrpc":"2.0","id":${id?.raw ?? "null"},"${member}":`;
}

/** The answer under the client's id, its result or error byte for byte. */
export function writeAnswer(id: MessageId, answer: ResultAnswer | ErrorAnswer, bytes: Uint8Array): Buffer {
  const span = answer.kind === "result" ? answer.result : answer.error;
  const head = printHead(id, answer.kind);
  const headBytes = Buffer.byteLength(head);
  const written = Buffer.allocUnsafe(headBytes + span.end - span.start + 1);
  written.write(head, "utf8");
  written.set(bytes.subarray(span.start, span.end), headBytes);
  written[written.length - 1] = 125;
  return written;
}

export interface MemberEdits {
  /** Raw JSON by name: put in at the end, or in place of what stands there. */
  readonly set?: Readonly<Record<string, string>> | undefined;
  readonly remove?: readonly string[] | undefined;
}

/** An object with single members changed, as pieces; every other member is a slice of the source. */
function editMembers(members: ReadonlyMap<string, ByteSpan>, bytes: Uint8Array, edits: MemberEdits): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const set = edits.set ?? {};
  const add = (piece: Uint8Array): void => {
    pieces.push(Buffer.from(pieces.length === 0 ? "{" : ","), piece);
  };
  for (const [name, span] of members) {
    if (Object.hasOwn(set, name)) add(Buffer.from(`${JSON.stringify(name)}:${set[name] as string}`));
    else if (!edits.remove?.includes(name)) add(bytes.subarray(span.key, span.end));
  }
  for (const name of Object.keys(set)) {
    if (!members.has(name)) add(Buffer.from(`${JSON.stringify(name)}:${set[name] as string}`));
  }
  pieces.push(Buffer.from(pieces.length === 0 ? "{}" : "}"));
  return pieces;
}

/** The result under the client's id with single members changed. */
export function writeEditedResult(id: MessageId, answer: ResultAnswer, bytes: Uint8Array, edits: MemberEdits): Buffer {
  return Buffer.concat([Buffer.from(printHead(id, "result")), ...editMembers(answer.members, bytes, edits), Buffer.from("}")]);
}

/** One member of a result or error, read as a value; undefined where it is absent or not strict JSON. */
export function readAnswerMember(answer: ResultAnswer | ErrorAnswer, bytes: Uint8Array, name: string): Json | undefined {
  const span = answer.members.get(name);
  if (!span) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + span.start, span.end - span.start).toString("utf8");
  const parsed = parseStrictJson(text);
  return isJsonFault(parsed) ? undefined : parsed.value;
}

export interface EraEdits {
  readonly from: Era;
  readonly to: Era;
  /** For the lists, `server/discover` and `resources/read` of the modern era. */
  readonly cache?: { readonly ttlMs: number; readonly cacheScope: "public" | "private" } | undefined;
  /** What the gateway calls itself, stamped on modern results. */
  readonly serverInfo?: JsonObject | undefined;
}

const MODERN_MEMBERS = ["resultType", "ttlMs", "cacheScope"] as const;

/**
 * What has to change in a server's result for a client of that era; undefined where it may go as it is. What a modern
 * server says of itself in `_meta` is always taken out.
 */
export function planEdits(answer: ResultAnswer, bytes: Uint8Array, edits: EraEdits): MemberEdits | undefined {
  if (edits.from === "legacy" && edits.to === "legacy") return undefined;
  const set: Record<string, string> = {};
  const remove: string[] = [];
  const { members } = answer;
  if (edits.to === "legacy") remove.push(...MODERN_MEMBERS.filter((name) => members.has(name)));
  else {
    if (answer.resultType === undefined) set["resultType"] = '"complete"';
    if (edits.cache) {
      set["ttlMs"] = String(edits.cache.ttlMs);
      set["cacheScope"] = JSON.stringify(edits.cache.cacheScope);
    }
  }
  planMeta(readAnswerMember(answer, bytes, "_meta"), edits, set, remove);
  return Object.keys(set).length === 0 && remove.length === 0 ? undefined : { set, remove };
}

function planMeta(meta: Json | undefined, edits: EraEdits, set: Record<string, string>, remove: string[]): void {
  const own = isJsonObject(meta) ? meta : undefined;
  const stamped = edits.to === "modern" && edits.serverInfo ? { [META.serverInfo]: edits.serverInfo } : undefined;
  const speaksOfHop = own !== undefined && (edits.to === "legacy" ? hasHopKey(own) : Object.hasOwn(own, META.serverInfo));
  if (!stamped && !speaksOfHop) return;
  const printed = printRelayedMeta(own, stamped);
  if (printed === undefined) remove.push("_meta");
  else set["_meta"] = printed;
}
