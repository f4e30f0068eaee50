/**
 * Structured results for legacy clients, which know objects alone and fail on anything else: a tool's `outputSchema` that
 * is no object's and a result's `structuredContent` that is no object go together. Done after the tool was judged by the
 * definition that the server sent.
 */
import { isJsonObject, printJson, readMember } from "../kernel/json.ts";
import type { ResultAnswer } from "../mcp/answer.ts";
import type { ListItem } from "../mcp/lists.ts";
import { asData } from "../mcp/refusal.ts";
import type { MemberEdits } from "../mcp/relay.ts";

const NONE: readonly string[] = [];
const OUTPUT_SCHEMA: readonly string[] = ["outputSchema"];
const BRACE = 123;
const NOTHING_TO_READ = /^\[\s*\]$/;

/** Members of a listed tool that a legacy client must not see. */
export function listForeignMembers(tool: ListItem): readonly string[] {
  const schema = isJsonObject(tool.value) ? readMember(tool.value, "outputSchema") : undefined;
  return schema === undefined || (isJsonObject(schema) && readMember(schema, "type") === "object") ? NONE : OUTPUT_SCHEMA;
}

/** What has to change in a tool's result for a legacy client; undefined where it may go as it is. */
export function planPlainResult(answer: ResultAnswer, bytes: Buffer): MemberEdits | undefined {
  const structured = answer.members.get("structuredContent");
  if (!structured || bytes[structured.start] === BRACE) return undefined;
  const content = answer.members.get("content");
  const hasWords =
    content !== undefined && !NOTHING_TO_READ.test(bytes.toString("utf8", content.start, Math.min(content.end, content.start + 16)));
  if (hasWords) return { remove: ["structuredContent"] };
  // Where it was all that the tool said, it is said in text.
  const text = bytes.toString("utf8", structured.start, structured.end);
  return { remove: ["structuredContent"], set: { content: printJson([asData({ type: "text", text })]) } };
}
