/** One definition → what there is to know of its tool. Pure; never throws for what a server sent. */
import { classifyTool } from "../catalog/classify.ts";
import { isJsonObject, type Json, printJson, readMember } from "../kernel/json.ts";
import type { ToolDefinition } from "../upstream/definition.ts";
import { listDefinitionFindings } from "../upstream/definition-findings.ts";
import type { ToolReport } from "./report.ts";

/** UTF-8 bytes that make one token of English words and JSON, on average. */
const BYTES_PER_TOKEN = 4;
const MAX_DESCRIPTION_CHARACTERS = 2_000;

export function lookAtTool(definition: ToolDefinition): ToolReport {
  const { value, name } = definition;
  const verdict = classifyTool(value);
  const description = isJsonObject(value) ? readMember(value, "description") : undefined;
  return {
    name,
    class: verdict.class,
    risk: verdict.risk,
    confidence: verdict.confidence,
    signals: verdict.signals,
    description: typeof description === "string" ? description.slice(0, MAX_DESCRIPTION_CHARACTERS) : "",
    noticed: listDefinitionFindings(value),
    unusable: definition.prepared.unusable,
    hash: definition.hash,
    tokens: estimateTokens(value),
  };
}

/** Of what clients hand to a model: name, description and input schema. */
export function estimateTokens(definition: Json): number {
  if (!isJsonObject(definition)) return 0;
  const parts = ["name", "description", "inputSchema"].map((key) => readMember(definition, key));
  const bytes = parts.reduce((sum: number, part) => sum + (part === undefined ? 0 : Buffer.byteLength(printJson(part))), 0);
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}
