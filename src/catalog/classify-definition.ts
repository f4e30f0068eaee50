/** The classifier as a snapshot of tools takes it: class, risk and version of one definition, none of the rest. */
import type { Json } from "../kernel/json.ts";
import type { ToolClass } from "../policy/decision.ts";
import { classifyTool } from "./classify.ts";
import type { ToolRisk } from "./verdict.ts";

export interface Classification {
  readonly class: ToolClass;
  readonly risk: ToolRisk;
  readonly version: string;
}

export function classifyDefinition(definition: { readonly value: Json }): Classification {
  const { class: toolClass, risk, version } = classifyTool(definition.value);
  return { class: toolClass, risk, version };
}
