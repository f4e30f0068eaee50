/**
 * Compiles conditions into judges: one function from the facts of a call to a Kleene truth. `every` and `any` of `[*]`
 * and of a text's parts are settled here: every in `require`, any elsewhere, turned by each `not`.
 */
import { assert } from "../kernel/assert.ts";
import type { Json } from "../kernel/json.ts";
import { compileOperator, type JudgeValue } from "./comparison.ts";
import type { CallContext, ToolCall } from "./decision.ts";
import { type Comparison, type Condition, isAnyOf, isComparison } from "./document.ts";
import { type Found, hasEvery, isPath, type Path, parsePath, readSteps, visitSteps, WRONG_TYPE } from "./path.ts";
import { FALSE, joinAny, joinEvery, MISSING, TRUE, type Truth, turn, WRONG } from "./truth.ts";
import type { Zone } from "./zone.ts";

export type JudgeCall = (call: ToolCall, context: CallContext) => Truth;

/** Compiles a condition that parsed. `every`: the reading of `require`. */
export function compileCondition(condition: Condition, every: boolean, zone: Zone): JudgeCall {
  if (isComparison(condition)) return compileComparison(condition, every, zone);
  if (!isAnyOf(condition)) {
    const judge = compileCondition(condition.not, !every, zone);
    return (call, context) => turn(judge(call, context));
  }
  const judges = condition.any.map((part) => compileCondition(part, every, zone));
  return (call, context) => {
    let truth: Truth = FALSE;
    for (const judge of judges) {
      truth = joinAny(truth, judge(call, context));
      if (truth === TRUE) return TRUE;
    }
    return truth;
  };
}

/** The conditions of one rule, each by itself. */
export function compileConditions(conditions: readonly Condition[], every: boolean, zone: Zone): readonly JudgeCall[] {
  return conditions.map((condition) => compileCondition(condition, every, zone));
}

/** The conditions of a rule joined by AND; none at all is true. */
export function judgeConditions(conditions: readonly JudgeCall[], call: ToolCall, context: CallContext): Truth {
  let truth: Truth = TRUE;
  for (const judge of conditions) {
    truth = joinEvery(truth, judge(call, context));
    if (truth === FALSE) return FALSE;
  }
  return truth;
}

function compileComparison(condition: Comparison, every: boolean, zone: Zone): JudgeCall {
  const path = parsePath(condition.path);
  assert(isPath(path), "a parsed condition has a path");
  const compiled = compileOperator(condition.op, condition.value, condition.allow);
  assert("judge" in compiled, "a parsed condition has an operator");
  const judge = condition.missing === "match" ? matchMissing(compiled.judge) : compiled.judge;
  const judgeFound = (found: Found): Truth => (found === WRONG_TYPE ? WRONG : judge(found, every));
  if (hasEvery(path)) return compileEvery(path, judgeFound, every);
  const read = compileRead(path, zone);
  return (call, context) => judgeFound(read(call, context));
}

function matchMissing(judge: JudgeValue): JudgeValue {
  return (value, every) => {
    const truth = judge(value, every);
    return truth === MISSING ? WRONG : truth;
  };
}

/** `[*]` stands under `args` alone; elsewhere there are no lists. */
function compileEvery(path: Path, judgeFound: (found: Found) => Truth, every: boolean): JudgeCall {
  const { steps } = path;
  return (call) => {
    let truth: Truth = every ? TRUE : FALSE;
    visitSteps(call.args, steps, (found) => {
      truth = every ? joinEvery(truth, judgeFound(found)) : joinAny(truth, judgeFound(found));
    });
    return truth;
  };
}

type ReadFact = (call: ToolCall, context: CallContext) => Found;

/** Compiles the reading of a path without `[*]`. */
export function compileRead(path: Path, zone: Zone): ReadFact {
  const { root, steps } = path;
  const [name] = steps as readonly string[];
  switch (root) {
    case "args":
      return (call) => readSteps(call.args, steps);
    case "grant.label":
      return (_call, { grant }) => grant.label;
    case "grant.identity":
      return (_call, { grant }) => grant.identity;
    case "grant.tags":
      return (_call, { grant }) => (Object.hasOwn(grant.tags, name as string) ? grant.tags[name as string] : undefined);
    case "session.id":
      return (_call, { session }) => session?.id;
    case "client.name":
      return (_call, { client }) => client?.name;
    case "client.version":
      return (_call, { client }) => client?.version;
    case "tool.name":
      return (call) => call.name;
    case "tool.class":
      return ({ tool }) => tool?.class;
    case "tool.risk":
      return ({ tool }) => tool?.risk;
    case "tool.annotations":
      return ({ tool }): Json | undefined => {
        const annotations = tool?.annotations;
        return annotations && Object.hasOwn(annotations, name as string) ? annotations[name as string] : undefined;
      };
    case "server.name":
      return (_call, { server }) => server.name;
    case "time.hour":
      return (_call, { nowMs }) => zone.readLocalTime(nowMs).hour;
    case "time.weekday":
      return (_call, { nowMs }) => zone.readLocalTime(nowMs).weekday;
    case "time.date":
      return (_call, { nowMs }) => zone.readLocalTime(nowMs).date;
  }
}
