/**
 * Answers of a legacy server as a modern one would give them: results with what the revision asks of every result, errors
 * under the codes of their successors. Everything else stays the bytes that the server sent.
 */
import type { JsonObject } from "../../kernel/json.ts";
import type { ErrorAnswer, ResultAnswer } from "../../mcp/answer.ts";
import { writeError, writeFailedCall } from "../../mcp/answers.ts";
import { ERROR_CODES, statusOfError } from "../../mcp/refusal.ts";
import { planEdits, writeAnswer, writeEditedResult } from "../../mcp/relay.ts";
import type { MessageId } from "../../mcp/request-id.ts";

/** Their complete results say how long they may be kept. */
const CACHED: ReadonlySet<string> = new Set(["tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"]);
const UNCACHED = { ttlMs: 0, cacheScope: "private" } as const;
/** To a modern client they would mean another round; in the legacy era nobody gave them a meaning. */
const ROUND_MEMBERS = ["inputRequests", "requestState"] as const;

export function writeModernResult(id: MessageId, method: string, answer: ResultAnswer, bytes: Buffer, serverInfo: JsonObject): Buffer {
  const cache = CACHED.has(method) ? UNCACHED : undefined;
  const edits = planEdits(answer, bytes, { from: "legacy", to: "modern", cache, serverInfo });
  const set: Record<string, string> = { ...edits?.set };
  if (answer.resultType !== "complete") set["resultType"] = '"complete"';
  return writeEditedResult(id, answer, bytes, { set, remove: [...(edits?.remove ?? []), ...ROUND_MEMBERS] });
}

export interface ModernError {
  readonly status: number;
  readonly message: Buffer;
}

export function writeModernError(id: MessageId, answer: ErrorAnswer, bytes: Buffer): ModernError {
  const code = answer.code === ERROR_CODES.resourceNotFound ? ERROR_CODES.invalidParams : answer.code;
  const status = statusOfError(code, "modern");
  if (code === answer.code) return { status, message: writeAnswer(id, answer, bytes) };
  const slice = (name: string): string | undefined => {
    const span = answer.members.get(name);
    return span && bytes.toString("utf8", span.start, span.end);
  };
  const data = slice("data");
  const error = `{"code":${code},"message":${slice("message") ?? '""'}${data === undefined ? "" : `,"data":${data}`}}`;
  return { status, message: Buffer.from(`{"jsonrpc":"2.0","id":${id.raw},"error":${error}}`, "utf8") };
}

/** A call that can't go on: told to an agent as the tool's own failure, and in no case run again. */
export function writeBroken(id: MessageId, method: string, words: string, serverInfo?: JsonObject): ModernError {
  if (method === "tools/call") return { status: 200, message: writeFailedCall(id, words, { era: "modern", serverInfo }) };
  const code = ERROR_CODES.invalidParams;
  return { status: statusOfError(code, "modern"), message: writeError(id, code, words) };
}
