/**
 * Conditions of the older form: those on arguments become conditions here, those on a counter of the rule's own become
 * the bound of a limit, and others on counters have no equal.
 */
import { isJsonList, type Json, type JsonObject, readMember, toJson } from "../../kernel/json.ts";
import { compileOperator } from "../comparison.ts";
import { OPERATORS, type Operator } from "../document.ts";
import { readOptional } from "../inspector.ts";
import { findTwin, readArgsPath, readWholePart } from "./older-form.ts";
import type { Remarks } from "./remarks.ts";

export const MAX_OLDER_CONDITIONS = 1000;
const CONDITION_KEYS: readonly string[] = ["path", "op", "value"];
const MAX_PATH_CHARACTERS = 1024;
const TYPES_COUNT =
  "A text is never equal to a number here: what was compared across types now has to have the type that the policy names.";

export interface ReadConditions {
  /** Conditions of this language, on arguments. */
  readonly onArguments: readonly Json[];
  /** What the rule's own counter may come to at most. */
  readonly bounds: readonly bigint[];
}

/** `counterPath` is that of the rule's own counter, if it has one. */
export function readConditions(remarks: Remarks, list: readonly Json[], pointer: string, counterPath: string | undefined): ReadConditions {
  const onArguments: Json[] = [];
  const bounds: bigint[] = [];
  list.forEach((member, index) => {
    const at = `${pointer}/${index}`;
    const condition = remarks.inspector.readObject(member, at, "A condition", CONDITION_KEYS, CONDITION_KEYS);
    if (!condition) return;
    const path = readOptional(condition, "path", at, (text, place) =>
      remarks.inspector.readText(text, place, "A path", MAX_PATH_CHARACTERS),
    );
    const op = readOptional(condition, "op", at, (word, place) => remarks.inspector.readChoice(word, place, OPERATORS));
    const value = readMember(condition, "value");
    if (path === undefined || op === undefined || value === undefined) return;
    if (path.startsWith("state.")) {
      const bound = readBound(remarks, { path, op, value }, at, counterPath);
      if (bound !== undefined) bounds.push(bound);
    } else onArguments.push(...readComparison(remarks, { path, op, value }, at));
  });
  return { onArguments, bounds };
}

interface Comparison {
  readonly path: string;
  readonly op: Operator;
  readonly value: Json;
}

function readComparison(remarks: Remarks, { path, op, value }: Comparison, pointer: string): JsonObject[] {
  const here = readArgsPath(path);
  if (here === undefined) {
    remarks.fault(`${pointer}/path`, `\`${path}\` starts nowhere: a path begins with \`args.\` or \`state.\`.`);
    return [];
  }
  const compiled = compileOperator(op, value);
  if ("faults" in compiled) {
    for (const fault of compiled.faults) remarks.fault(`${pointer}${fault.pointer}`, fault.message);
    return [];
  }
  return widen(remarks, op, value, pointer).map((each) => toJson({ path: here, op, value: each }) as JsonObject);
}

/**
 * The values to compare with. What the older form keeps out in both spellings stays out in both; what it lets in stays
 * in by its type alone.
 */
function widen(remarks: Remarks, op: Operator, value: Json, pointer: string): readonly Json[] {
  if (op === "neq") {
    const twin = findTwin(value);
    return twin === undefined ? [value] : [value, twin];
  }
  if (op === "not_in" && isJsonList(value)) return [[...value, ...value.flatMap((each) => findTwin(each) ?? [])]];
  const compared = op === "eq" ? [value] : op === "in" && isJsonList(value) ? value : [];
  if (compared.some((each) => findTwin(each) !== undefined)) remarks.noteOnce(`${pointer}/value`, TYPES_COUNT);
  return [value];
}

/** The most that the rule's own counter may come to. */
function readBound(
  remarks: Remarks,
  { path, op, value }: Comparison,
  pointer: string,
  counterPath: string | undefined,
): bigint | undefined {
  if (path !== counterPath) return remarks.lose(pointer, `A limit here knows only its own count, and \`${path}\` is another rule's.`);
  if (op !== "lt" && op !== "lte") return remarks.lose(pointer, `A limit here is a most, and \`${op}\` on a counter is none.`);
  const whole = readWholePart(value);
  if (whole === undefined) return remarks.fault(`${pointer}/value`, "The bound of a counter has to be a number.");
  return op === "lt" ? whole - 1n : whole;
}
