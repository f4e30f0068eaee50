/**
 * Resources by URI and prompts by name: hide, then deny, then allow, then the block's default. A URI that could be read
 * in two ways is refused before any selector sees it; a template shows only if it can expand to nothing but allowed URIs.
 */
import type { Denial, Visibility } from "./decision.ts";
import type { BlockPlan, PolicyPlan } from "./plan.ts";
import { denyArguments, denyByName, denyUnseen, RULE_DEFAULT_DENY, RULE_HIDDEN, RULE_URI } from "./refusal.ts";
import { canMatchBeyond, coversBeyond, isRefusedUri, parseUriTemplate } from "./uri.ts";

/** A longer name of a prompt is answered as one that is not selected. */
export const MAX_PROMPT_NAME_CHARACTERS = 1024;

export function decideResource(plan: PolicyPlan, uri: string): Denial | undefined {
  if (isRefusedUri(uri)) {
    return denyArguments(RULE_URI, "The URI holds dot segments, encoded dots or slashes, a backslash, control characters or user info.");
  }
  return decideInBlock(plan.resources, uri, "Resource");
}

export function decidePrompt(plan: PolicyPlan, name: string): Denial | undefined {
  if (name.length > MAX_PROMPT_NAME_CHARACTERS) return denyUnseen("Prompt", name, plan.prompts.default, RULE_DEFAULT_DENY);
  return decideInBlock(plan.prompts, name, "Prompt");
}

function decideInBlock(block: BlockPlan, name: string, subject: "Resource" | "Prompt"): Denial | undefined {
  if (block.hide.find(name)) return denyUnseen(subject, name, block.default, RULE_HIDDEN);
  const denied = block.deny.find(name);
  if (denied !== undefined) return denyByName(subject, name, `/${subject.toLowerCase()}s/deny/${denied}`, undefined);
  if (block.allow.find(name) || block.default === "allow") return undefined;
  return denyUnseen(subject, name, block.default, RULE_DEFAULT_DENY);
}

export function decideTemplate(plan: PolicyPlan, template: string): Visibility {
  const parsed = parseUriTemplate(template);
  if (!parsed || parsed.isRefused) return "left_out";
  if (parsed.isLiteral) return decideResource(plan, template) === undefined ? "shown" : "left_out";
  const { hide, deny, allow } = plan.resources.selectors;
  const { prefix } = parsed;
  for (const selector of hide) if (canMatchBeyond(selector, prefix)) return "left_out";
  for (const selector of deny) if (canMatchBeyond(selector, prefix)) return "left_out";
  if (plan.resources.default === "allow") return "shown";
  return allow.some((selector) => coversBeyond(selector, prefix)) ? "shown" : "left_out";
}
