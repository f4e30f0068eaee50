/**
 * URIs inside of what a server says (linked and embedded resources, contents that were read, a resource that changed) put
 * into other words. Only the texts of those URIs change; every other byte is a slice of what came.
 */
import { isJsonList, isJsonObject, type Json } from "../kernel/json.ts";
import type { JsonSpan, SpanNode } from "../kernel/json-spans.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import { skimAnswer } from "./answer.ts";
import { writeEditedResult } from "./relay.ts";

export type TurnUri = (uri: string) => string;

/** The member of a result that can hold URIs, by the method it answers. */
const HOLDERS: ReadonlyMap<string, string> = new Map([
  ["tools/call", "content"],
  ["prompts/get", "messages"],
  ["resources/read", "contents"],
]);
/** `/0/content/0/resource/uri` of a prompt is the deepest. */
const SPAN_DEPTH = 5;
const URI_KEY = Buffer.from("uri");
const ESCAPE = Buffer.from("\\u");

/** Whether a member named `uri` can stand there, spelled out or with escapes. */
function mayHoldUri(bytes: Buffer): boolean {
  return bytes.includes(URI_KEY) || bytes.includes(ESCAPE);
}

function findInBlock(block: Json | undefined, pointer: string): string | undefined {
  if (!isJsonObject(block)) return undefined;
  if (block["type"] === "resource_link" && typeof block["uri"] === "string") return `${pointer}/uri`;
  const { resource } = block;
  return block["type"] === "resource" && isJsonObject(resource) && typeof resource["uri"] === "string"
    ? `${pointer}/resource/uri`
    : undefined;
}

/** Pointers of the URIs in the value of a holder. */
function findUris(method: string, value: Json): string[] {
  if (!isJsonList(value)) return [];
  const found: (string | undefined)[] = value.flatMap((item, index) => {
    const at = `/${index}`;
    if (method === "tools/call") return [findInBlock(item, at)];
    if (!isJsonObject(item)) return [];
    if (method === "resources/read") return [typeof item["uri"] === "string" ? `${at}/uri` : undefined];
    const { content } = item;
    if (isJsonList(content)) return content.map((block, place) => findInBlock(block, `${at}/content/${place}`));
    return [findInBlock(content, `${at}/content`)];
  });
  return found.filter((pointer) => pointer !== undefined);
}

/** The text with the texts at those places turned; the places are in the order in which they stand. */
function spliceUris(text: string, spans: SpanNode, pointers: readonly string[], turn: TurnUri): string {
  const places = pointers.map((pointer) => spans.get(pointer) as JsonSpan).sort((a, b) => a.start - b.start);
  let written = "";
  let at = 0;
  for (const { start, end } of places) {
    written += text.slice(at, start) + JSON.stringify(turn(JSON.parse(text.slice(start, end)) as string));
    at = end;
  }
  return written + text.slice(at);
}

/** The answer to a request of that method with its URIs turned; the same bytes where it holds none, or is no result. */
export function turnResultUris(method: string, message: Buffer, turn: TurnUri): Buffer {
  const holder = HOLDERS.get(method);
  if (holder === undefined || !mayHoldUri(message)) return message;
  const answer = skimAnswer(message);
  const span = answer.kind === "result" ? answer.members.get(holder) : undefined;
  if (answer.kind !== "result" || !span) return message;
  const text = message.toString("utf8", span.start, span.end);
  const parsed = parseStrictJson(text, { spanDepth: SPAN_DEPTH });
  // What can't be read without doubt is left as it is: an address that was not turned leads nowhere.
  if (isJsonFault(parsed)) return message;
  const pointers = findUris(method, parsed.value);
  if (pointers.length === 0) return message;
  return writeEditedResult(answer.id, answer, message, { set: { [holder]: spliceUris(text, parsed.spans, pointers, turn) } });
}

/** As the gateway itself begins that message. */
const UPDATED = Buffer.from('{"jsonrpc":"2.0","method":"notifications/resources/updated","params":');

/** A relayed `notifications/resources/updated` with its URI turned; every other message as it is. */
export function turnUpdatedUri(message: Buffer, turn: TurnUri): Buffer {
  if (!message.subarray(0, UPDATED.length).equals(UPDATED)) return message;
  const text = message.toString("utf8");
  const parsed = parseStrictJson(text, { spanDepth: 2 });
  if (isJsonFault(parsed) || !isJsonObject(parsed.value)) return message;
  const { params } = parsed.value;
  if (!isJsonObject(params) || typeof params["uri"] !== "string") return message;
  return Buffer.from(spliceUris(text, parsed.spans, ["/params/uri"], turn));
}
