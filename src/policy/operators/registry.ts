/**
 * The operators that read text as something, by name. One function makes an operator from a condition's `value` and
 * `allow`, or says what is wrong with them, each fault at its own pointer.
 */

import { isJsonList, type Json } from "../../kernel/json.ts";
import { compileEmailDomainIn } from "./email-domain-in.ts";
import { compileHostIn } from "./host-in.ts";
import { compileIpIn } from "./ip-in.ts";
import { compilePathUnder } from "./path-under.ts";
import { compileShellCommandsIn, SHELL_OPENINGS } from "./shell-commands.ts";
import { compileSqlVerbsIn, loadSqlParser } from "./sql-verbs-in.ts";
import type { CompiledTextOperator, OperatorFault, TextOperator } from "./text-operator.ts";

/** From the entries of the list, and the words of `allow`, to an operator, or to what is wrong with which entry. */
type Compile = (entries: readonly string[], opened: readonly string[]) => { operator: TextOperator } | { wrong: Map<number, string> };

const COMPILERS: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ["host_in", compileHostIn],
  ["path_under", compilePathUnder],
  ["email_domain_in", compileEmailDomainIn],
  ["ip_in", compileIpIn],
  ["sql_verbs_in", compileSqlVerbsIn],
  ["shell_commands_in", compileShellCommandsIn],
]);

export const TEXT_OPERATORS: ReadonlySet<string> = new Set(COMPILERS.keys());

/** Whether the operator takes `allow` beside its `value`. */
export function takesAllow(op: string): boolean {
  return op === "shell_commands_in";
}

/** To be awaited once before the first text is judged: PostgreSQL's parser is a module that loads asynchronously. */
export async function loadOperators(): Promise<void> {
  await loadSqlParser();
}

export function compileTextOperator(op: string, value: Json, allow: Json | undefined): CompiledTextOperator {
  const compile = COMPILERS.get(op);
  if (compile === undefined) return { faults: [{ pointer: "/op", message: `\`${op}\` is not an operator on text.` }] };
  const faults: OperatorFault[] = [];
  const opened = allow === undefined ? [] : readAllow(op, allow, faults);
  const entries = readTexts(value, "/value", "entry", faults);
  const texts = entries?.filter((entry) => entry !== undefined);
  const compiled = texts === undefined ? undefined : compile(texts, opened);
  if (compiled !== undefined && "wrong" in compiled) {
    const places = [...(entries ?? []).keys()].filter((index) => entries?.[index] !== undefined);
    for (const [index, message] of compiled.wrong) faults.push({ pointer: `/value/${places[index]}`, message });
  }
  return compiled !== undefined && "operator" in compiled && faults.length === 0 ? compiled : { faults };
}

function readAllow(op: string, allow: Json, faults: OperatorFault[]): readonly string[] {
  if (!takesAllow(op)) {
    faults.push({ pointer: "/allow", message: `\`${op}\` has no \`allow\`.` });
    return [];
  }
  const words = readTexts(allow, "/allow", "word", faults) ?? [];
  for (const [index, word] of words.entries()) {
    if (word !== undefined && !SHELL_OPENINGS.has(word))
      faults.push({ pointer: `/allow/${index}`, message: `\`${word}\` can't be allowed: only ${[...SHELL_OPENINGS].join(", ")}.` });
  }
  return words.filter((word) => word !== undefined);
}

/** The list's texts, each at its place; undefined, with a fault, for what is no text. */
function readTexts(value: Json, pointer: string, what: string, faults: OperatorFault[]): readonly (string | undefined)[] | undefined {
  if (!isJsonList(value)) {
    faults.push({ pointer, message: "A list of texts is needed." });
    return undefined;
  }
  return value.map((item, index) => {
    if (typeof item === "string") return item;
    faults.push({ pointer: `${pointer}/${index}`, message: `The ${what} is not a text.` });
    return undefined;
  });
}
