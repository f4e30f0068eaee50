/** A document that parsed → a compiled policy: frozen, pure, never failing. The same facts give the same decision for ever. */

import { decideCall, decideVisibility } from "./decide.ts";
import { decidePrompt, decideResource, decideTemplate } from "./decide-block.ts";
import type { CompiledPolicy } from "./decision.ts";
import type { PolicyDocument } from "./document.ts";
import { compilePlan, type PolicyPlan } from "./plan.ts";

/** A compiled policy with its plan, for explanations. */
export interface PlannedPolicy extends CompiledPolicy {
  readonly plan: PolicyPlan;
}

export function compilePolicy(document: PolicyDocument): PlannedPolicy {
  const plan = compilePlan(document);
  return Object.freeze({
    plan,
    decideCall: (call, context) => decideCall(plan, call, context),
    decideVisibility: (tool) => decideVisibility(plan, tool),
    decideResource: (uri) => decideResource(plan, uri),
    decideTemplate: (template) => decideTemplate(plan, template),
    decidePrompt: (name) => decidePrompt(plan, name),
    limits: plan.limits,
    selectsByClass: plan.selectsByClass,
    canAsk: plan.canAsk,
    timezone: plan.zone.name,
  } satisfies PlannedPolicy);
}
