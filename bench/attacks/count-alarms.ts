/**
 * False alarms: ordinary tools of which the product says something that a person has to look at. What hides or gives orders
 * accuses whoever wrote it; what contradicts itself is told apart.
 */
import { classifyTool } from "../../src/catalog/classify.ts";
import type { SignalName } from "../../src/catalog/signals.ts";
import type { JsonObject } from "../../src/kernel/json.ts";
import { listDefinitionFindings } from "../../src/upstream/definition-findings.ts";

const ACCUSING: readonly SignalName[] = ["hidden_text", "addresses_model"];
const CONTRADICTING: readonly SignalName[] = ["annotation_conflict", "word_conflict"];

export interface Alarms {
  readonly tools: number;
  /** With a finding in their texts, or a signal that they hide something or give the model orders. */
  readonly accused: number;
  /** Whose words or annotations are said to contradict each other. */
  readonly contradicting: number;
}

export function countAlarms(tools: readonly JsonObject[]): Alarms {
  const has = (tool: JsonObject, names: readonly SignalName[]): boolean =>
    classifyTool(tool).signals.some(({ name }) => names.includes(name));
  return {
    tools: tools.length,
    accused: tools.filter((tool) => listDefinitionFindings(tool).length > 0 || has(tool, ACCUSING)).length,
    contradicting: tools.filter((tool) => has(tool, CONTRADICTING)).length,
  };
}
