/** Reads the rules of a list and their conditions, checking every path, operator and value they hold. */
import { isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import { compileOperator } from "./comparison.ts";
import { type Comparison, type Condition, OPERATORS, type Rule } from "./document.ts";
import { freezeGiven, type Inspector, readOptional } from "./inspector.ts";
import { isPath, parsePath } from "./path.ts";

export const MAX_RULES = 1000;
export const MAX_CONDITIONS = 1000;
/** Nesting of `any` and `not`. */
export const MAX_CONDITION_DEPTH = 24;
export const MAX_SENTENCE_CHARACTERS = 4096;
export const MAX_NAME_CHARACTERS = 256;

export type RuleList = "require" | "deny_if" | "approve_if";

const RULE_KEYS = ["name", "conditions", "on_deny"];
const COMPARISON_KEYS = ["path", "op", "value", "missing"];

export function parseRules(inspector: Inspector, value: Json, pointer: string, list: RuleList): readonly Rule[] | undefined {
  const rules = inspector.readList(value, pointer, `\`${list}\``, MAX_RULES);
  return rules && Object.freeze(rules.map((rule, index) => parseRule(inspector, rule, `${pointer}/${index}`, list)));
}

function parseRule(inspector: Inspector, value: Json, pointer: string, list: RuleList): Rule {
  const rule = inspector.readObject(value, pointer, "A rule", RULE_KEYS, ["conditions"]) ?? {};
  const reader = new ConditionReader(inspector, list);
  return freezeGiven<Rule>({
    name: readOptional(rule, "name", pointer, (name, at) => inspector.readText(name, at, "A name", MAX_NAME_CHARACTERS)),
    conditions: readOptional(rule, "conditions", pointer, (conditions, at) => reader.readConditions(conditions, at)) ?? [],
    on_deny: readOptional(rule, "on_deny", pointer, (text, at) => inspector.readText(text, at, "`on_deny`", MAX_SENTENCE_CHARACTERS)),
  });
}

class ConditionReader {
  readonly #inspector: Inspector;
  readonly #list: RuleList;

  constructor(inspector: Inspector, list: RuleList) {
    this.#inspector = inspector;
    this.#list = list;
  }

  readConditions(value: Json, pointer: string): readonly Condition[] | undefined {
    const conditions = this.#inspector.readList(value, pointer, "`conditions`", MAX_CONDITIONS);
    if (conditions?.length === 0 && this.#list === "require") {
      return this.#inspector.fault(pointer, "A requirement without conditions asks nothing.");
    }
    return conditions && this.#readAll(conditions, pointer, 0);
  }

  #readAll(conditions: readonly Json[], pointer: string, depth: number): readonly Condition[] {
    const read = conditions.map((condition, index) => this.#readCondition(condition, `${pointer}/${index}`, depth));
    return Object.freeze(read.filter((condition) => condition !== undefined));
  }

  #readCondition(value: Json, pointer: string, depth: number): Condition | undefined {
    const inspector = this.#inspector;
    const forms = isJsonObject(value) ? countForms(value) : 0;
    if (!isJsonObject(value) || forms !== 1) {
      return inspector.fault(pointer, "A condition is one of `{ path, op, value }`, `{ any: […] }` and `{ not: … }`.");
    }
    if (depth > MAX_CONDITION_DEPTH) return inspector.fault(pointer, "The conditions are nested too deep.");
    const any = readMember(value, "any");
    const not = readMember(value, "not");
    if (any !== undefined) {
      inspector.checkKeys(value, pointer, ["any"]);
      const parts = inspector.readList(any, `${pointer}/any`, "`any`", MAX_CONDITIONS);
      if (parts?.length === 0) return inspector.fault(`${pointer}/any`, "`any` of nothing never holds.");
      return parts && Object.freeze({ any: this.#readAll(parts, `${pointer}/any`, depth + 1) });
    }
    if (not !== undefined) {
      inspector.checkKeys(value, pointer, ["not"]);
      const part = this.#readCondition(not, `${pointer}/not`, depth + 1);
      return part && Object.freeze({ not: part });
    }
    return this.#readComparison(value, pointer);
  }

  #readComparison(value: JsonObject, pointer: string): Comparison | undefined {
    const inspector = this.#inspector;
    const takesAllow = readMember(value, "op") === "shell_commands_in";
    inspector.readObject(value, pointer, "A condition", takesAllow ? [...COMPARISON_KEYS, "allow"] : COMPARISON_KEYS, [
      "path",
      "op",
      "value",
    ]);
    const path = readOptional(value, "path", pointer, (text, at) => readPath(inspector, text, at));
    const op = readOptional(value, "op", pointer, (text, at) => inspector.readChoice(text, at, OPERATORS));
    const missing = readOptional(value, "missing", pointer, (text, at) => this.#readMissing(text, at));
    const operand = readMember(value, "value");
    const allow = takesAllow ? readMember(value, "allow") : undefined;
    if (op !== undefined && operand !== undefined) {
      const compiled = compileOperator(op, operand, allow);
      if ("faults" in compiled) for (const fault of compiled.faults) inspector.fault(`${pointer}${fault.pointer}`, fault.message);
    }
    if (path === undefined || op === undefined || operand === undefined) return undefined;
    return freezeGiven<Comparison>({ path, op, value: operand, missing, allow: allow as readonly Json[] | undefined });
  }

  #readMissing(value: Json, pointer: string): "match" | undefined {
    if (this.#list === "require") return this.#inspector.fault(pointer, "In `require` a missing argument fails anyway.", { key: true });
    return this.#inspector.readChoice(value, pointer, ["match"]);
  }
}

/** How many of the three forms an object shows. */
function countForms(condition: JsonObject): number {
  const compares = ["path", "op", "value"].some((key) => Object.hasOwn(condition, key));
  return [compares, Object.hasOwn(condition, "any"), Object.hasOwn(condition, "not")].filter(Boolean).length;
}

function readPath(inspector: Inspector, value: Json, pointer: string): string | undefined {
  if (typeof value !== "string") return inspector.fault(pointer, "A path has to be a text.");
  const path = parsePath(value);
  return isPath(path) ? value : inspector.fault(pointer, path.fault);
}
