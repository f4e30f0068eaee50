/**
 * Step *decide*: asks the policy, with the facts of this grant, server, tool and call. The same function of `policy/`
 * answers for calls and for lists. It changes nothing; what has to be counted or asked of people comes back as a
 * permission.
 */
import { asData } from "../mcp/refusal.ts";
import type { Decision, Denial, Permission } from "../policy/decision.ts";
import { denyNoPolicy, denyUnavailable, denyUnseen, RULE_HIDDEN } from "../policy/refusal.ts";
import type { Desk } from "./desk.ts";
import { contextOf, type Exchange } from "./exchange.ts";

const PERMITTED: Permission = { decision: "permit", charges: [], approval: undefined };
const NO_ARGS = asData({});

export function decide(desk: Desk, exchange: Exchange): Decision {
  const { subject, policy, endpoint } = exchange;
  switch (subject.kind) {
    case "plain":
      return PERMITTED;
    case "listen":
      return decideListen(exchange) ?? PERMITTED;
    case "tool_list":
    case "prompt_list":
    case "resource_list":
    case "template_list":
      // A grant without a policy sees empty lists; what it may see is decided item by item.
      return PERMITTED;
    default:
      break;
  }
  if (!policy) return denyNoPolicy();
  const { compiled } = policy;
  switch (subject.kind) {
    case "tool_call": {
      const index = endpoint.tools.current();
      if (!index?.hasAcceptedList) return denyUnavailable("(no accepted list)");
      const tool = index.tools.get(subject.name);
      exchange.tool = tool;
      const call = { name: subject.name, args: subject.args ?? NO_ARGS, tool: tool?.facts ?? null };
      return compiled.decideCall(call, contextOf(exchange, desk.clock.now()));
    }
    case "prompt_get":
      return compiled.decidePrompt(subject.name) ?? PERMITTED;
    case "completion":
      return decideCompletion(exchange) ?? PERMITTED;
    case "unsubscribe":
      // Giving something up needs no permission, and tells nothing: the server only hears of what was subscribed.
      return compiled.decideResource(subject.uri) ?? PERMITTED;
    case "resource_read":
    case "subscribe":
      return compiled.decideResource(subject.uri) ?? PERMITTED;
  }
}

/** A subscription needs the permission of every resource that it names. */
function decideListen({ subject, policy }: Exchange): Denial | undefined {
  if (subject.kind !== "listen") return undefined;
  for (const uri of subject.filter.resourceSubscriptions) {
    const denial = policy ? policy.compiled.decideResource(uri) : denyNoPolicy();
    if (denial) return denial;
  }
  return undefined;
}

function decideCompletion(exchange: Exchange): Denial | undefined {
  const { subject, policy } = exchange;
  if (subject.kind !== "completion" || !policy) return undefined;
  if (subject.prompt !== undefined) return policy.compiled.decidePrompt(subject.prompt);
  if (!subject.uri.includes("{")) return policy.compiled.decideResource(subject.uri);
  if (policy.compiled.decideTemplate(subject.uri) === "shown") return undefined;
  return denyUnseen("Resource", subject.uri, "deny", RULE_HIDDEN);
}
