/**
 * What a legacy server asks of the client while a call is under way, in the words of the modern era: which requests the
 * client declared, how they stand among `inputRequests`, and what of its `inputResponses` goes back. Slices throughout.
 */
import { isJsonList, isJsonObject, type Json, type JsonObject, printJson } from "../../kernel/json.ts";
import { escapePointer, isJsonFault, parseStrictJson } from "../../kernel/strict-json.ts";
import { type Request, sliceOf } from "../../mcp/message.ts";
import { META } from "../../mcp/meta.ts";
import { asData } from "../../mcp/refusal.ts";
import { type MessageId, readId } from "../../mcp/request-id.ts";
import { printInputRequest } from "../../mcp/rewrite.ts";
import { MAX_URL_ELICITATIONS } from "./bounds.ts";

/** One request of the server's that waits for the client. */
export interface Ask {
  /** Its key among `inputRequests`. */
  readonly name: string;
  /** The server's own id, as it was spelt. */
  readonly rawId: string;
  /** Method and params as they go out, in JSON. */
  readonly text: string;
  /** The client was asked. */
  isTold: boolean;
}

/** Members that speak of the legacy hop alone. */
const HOP_MEMBERS = ["elicitationId", "task"] as const;

export function createAsk(name: string, message: Request): Ask {
  return { name, rawId: message.id.raw, text: printInputRequest(message, HOP_MEMBERS), isTold: false };
}

/** An id or token of a server's; its spelling does not matter here. */
export function readNumberOrText(value: Json | undefined): MessageId | undefined {
  return value === undefined ? undefined : readId(value, "");
}

/** Whether the client declared what it would be asked. */
export function isDeclared(capabilities: JsonObject, message: Request): boolean {
  const { elicitation, sampling, roots } = capabilities;
  switch (message.method) {
    case "elicitation/create": {
      const mode = message.params?.["mode"] ?? "form";
      if (mode === "url") return hasUrlMode(capabilities);
      // An empty declaration is one of forms.
      return mode === "form" && isJsonObject(elicitation) && (isJsonObject(elicitation["form"]) || !isJsonObject(elicitation["url"]));
    }
    case "sampling/createMessage": {
      const usesTools = message.params?.["tools"] !== undefined || message.params?.["toolChoice"] !== undefined;
      return isJsonObject(sampling) && (!usesTools || isJsonObject(sampling["tools"]));
    }
    default:
      return message.method === "roots/list" && isJsonObject(roots);
  }
}

export function hasUrlMode(capabilities: JsonObject): boolean {
  const { elicitation } = capabilities;
  return isJsonObject(elicitation) && isJsonObject(elicitation["url"]);
}

/** A result that asks the client, with `handle` as its state. */
export function writeInputRequired(
  id: MessageId,
  requests: Iterable<Pick<Ask, "name" | "text">>,
  handle: string,
  info: JsonObject,
): Buffer {
  const members = [...requests].map(({ name, text }) => `${JSON.stringify(name)}:${text}`).join(",");
  const meta = printJson(asData({ [META.serverInfo]: info }));
  const result = `{"resultType":"input_required","inputRequests":{${members}},"requestState":${JSON.stringify(handle)},"_meta":${meta}}`;
  return Buffer.from(`{"jsonrpc":"2.0","id":${id.raw},"result":${result}}`, "utf8");
}

export interface InputResponse {
  /** As it was written. */
  readonly raw: string;
  readonly value: JsonObject;
}

/** The client's answers by key; what is not an object is no answer. */
export function readInputResponses(request: Request): ReadonlyMap<string, InputResponse> {
  const responses = new Map<string, InputResponse>();
  const text = sliceOf(request.source, "/params/inputResponses");
  const parsed = text === undefined ? undefined : parseStrictJson(text, { spanDepth: 1 });
  if (text === undefined || parsed === undefined || isJsonFault(parsed) || !isJsonObject(parsed.value)) return responses;
  for (const [name, value] of Object.entries(parsed.value)) {
    const span = parsed.spans.get(`/${escapePointer(name)}`);
    if (span && isJsonObject(value)) responses.set(name, { raw: text.slice(span.start, span.end), value });
  }
  return responses;
}

/** An address that the client's person is to visit before the server does what it was asked. */
export interface UrlElicitation {
  readonly elicitationId: string | undefined;
  readonly text: string;
}

/** The addresses of a `-32042`; undefined where it names none that can be asked for. */
export function readUrlElicitations(data: Json | undefined): readonly UrlElicitation[] | undefined {
  const list = isJsonObject(data) ? data["elicitations"] : undefined;
  if (!isJsonList(list) || list.length === 0 || list.length > MAX_URL_ELICITATIONS) return undefined;
  const found: UrlElicitation[] = [];
  for (const one of list) {
    if (!isJsonObject(one) || typeof one["url"] !== "string" || typeof one["message"] !== "string") return undefined;
    const { url, message, elicitationId } = one;
    const params = asData({ mode: "url", message, url });
    found.push({
      elicitationId: typeof elicitationId === "string" ? elicitationId : undefined,
      text: `{"method":"elicitation/create","params":${printJson(params)}}`,
    });
  }
  return found;
}
