/**
 * One `input_required` of a modern server: read strictly, held against what the client declared, and each question
 * written as the request that a legacy server would have sent. Pure but for the id that a URL elicitation needs.
 */
import { createJsonObject, isJsonObject, type Json, type JsonObject, readMember } from "../../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../kernel/strict-json.ts";
import type { ResultAnswer } from "../../mcp/answer.ts";
import { readAnswerMember } from "../../mcp/relay.ts";
import { isSince, type LegacyRevision } from "../../mcp/revisions.ts";
import { writeRequest } from "../../mcp/rewrite.ts";
import type { LegacyFrontBounds } from "./bounds.ts";

export interface Question {
  /** The server's own key, under which it wants the answer. */
  readonly key: string;
  readonly method: "elicitation/create" | "sampling/createMessage" | "roots/list";
  readonly params: JsonObject | undefined;
}

export interface InputRound {
  readonly questions: readonly Question[];
  readonly state: string | undefined;
}

const METHODS: ReadonlySet<Json | undefined> = new Set<Question["method"]>(["elicitation/create", "sampling/createMessage", "roots/list"]);

/** Undefined: no round that the protocol knows, or one beyond its bounds. */
export function readInputRound(answer: ResultAnswer, bytes: Buffer, bounds: LegacyFrontBounds): InputRound | undefined {
  const state = readAnswerMember(answer, bytes, "requestState");
  if (answer.members.has("requestState") && typeof state !== "string") return undefined;
  if (typeof state === "string" && state.length > bounds.stateCharacters) return undefined;
  const span = answer.members.get("inputRequests");
  if (!span) return typeof state === "string" ? { questions: [], state } : undefined;
  if (span.end - span.start > bounds.inputBytes) return undefined;
  const parsed = parseStrictJson(bytes.toString("utf8", span.start, span.end));
  if (isJsonFault(parsed) || !isJsonObject(parsed.value)) return undefined;
  const questions: Question[] = [];
  for (const [key, value] of Object.entries(parsed.value)) {
    if (!isJsonObject(value)) return undefined;
    const method = readMember(value, "method");
    const params = readMember(value, "params");
    if (!METHODS.has(method) || (params !== undefined && !isJsonObject(params))) return undefined;
    if (params === undefined && method !== "roots/list") return undefined;
    questions.push({ key, method: method as Question["method"], params });
  }
  if (questions.length > bounds.asksPerRound) return undefined;
  if (questions.length === 0 && state === undefined) return undefined;
  return { questions, state: typeof state === "string" ? state : undefined };
}

/** What the client would have had to declare for this question; undefined where it did. `told`: see `readClientSide`. */
export function findMissing(question: Question, told: JsonObject): string | undefined {
  const { method, params } = question;
  if (method === "roots/list") return "roots" in told ? undefined : "roots";
  if (method === "sampling/createMessage") {
    const sampling = told["sampling"];
    if (!isJsonObject(sampling)) return "sampling";
    const wantsTools = params !== undefined && ("tools" in params || "toolChoice" in params);
    return wantsTools && !("tools" in sampling) ? "sampling with tools" : undefined;
  }
  const mode = params?.["mode"] ?? "form";
  const elicitation = told["elicitation"];
  if (mode === "url") return isJsonObject(elicitation) && "url" in elicitation ? undefined : "elicitation of a URL";
  return mode === "form" && isJsonObject(elicitation) && "form" in elicitation ? undefined : "elicitation";
}

/** The question as a legacy server asks it. `elicitationId` is for a URL alone, which had to have one. */
export function writeQuestion(question: Question, id: string, revision: LegacyRevision, elicitationId: () => string): Buffer {
  const { method, params } = question;
  if (method !== "elicitation/create" || params === undefined) return writeRequest(id, method, params);
  const asked = createJsonObject();
  // Before URLs there was one mode and no word for it.
  for (const [name, value] of Object.entries(params)) if (name !== "mode" || isSince(revision, "2025-11-25")) asked[name] = value;
  if (params["mode"] === "url") asked["elicitationId"] = elicitationId();
  return writeRequest(id, method, asked);
}
