/**
 * How bad it can get: the class sets the level, some signals lift it. Nothing lowers it. Credentials lift to Medium and no
 * further, for handing one over is what connecting is.
 */
import type { ToolClass } from "../policy/decision.ts";
import { TOOL_RISKS } from "../policy/decision.ts";
import type { Signal, SignalName } from "./signals.ts";
import type { Hints, ToolRisk } from "./verdict.ts";

const BASE: Readonly<Record<ToolClass, ToolRisk>> = {
  read: "low",
  write: "medium",
  execute: "high",
  financial: "high",
  destructive: "critical",
};
/** Each lifts a level of that class by one, together at most one. */
const LIFTS: Readonly<Record<ToolClass, readonly SignalName[]>> = {
  read: ["handles_secrets", "freeform_code", "arbitrary_url"],
  write: ["admin_privilege", "irreversible", "reversible_delete", "non_additive", "code_write"],
  execute: ["admin_privilege", "irreversible"],
  financial: ["bulk_scope", "irreversible"],
  destructive: [],
};

export function weighRisk(act: ToolClass, signals: readonly Signal[], hints: Hints): ToolRisk {
  const has = (name: SignalName): boolean => signals.some((signal) => signal.name === name);
  let level = TOOL_RISKS.indexOf(BASE[act]);
  const reaches = has("external_send") && has("recipient_param");
  if (LIFTS[act].some(has) || (act === "write" && (reaches || hints.destructive === true))) level++;
  if (has("hidden_text") || has("addresses_model")) level = Math.max(level + 1, TOOL_RISKS.indexOf("high"));
  return TOOL_RISKS[Math.min(level, TOOL_RISKS.length - 1)] as ToolRisk;
}
