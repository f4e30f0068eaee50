/** Warnings about one rule: conditions that are likely to be open, and those that believe what the other side says. */
import { isJsonList, isJsonObject, type Json, readMember } from "../kernel/json.ts";
import { oppositeOf } from "./comparison.ts";
import { type Comparison, type Condition, isAnyOf, isComparison, type Rule } from "./document.ts";
import { listWrappers } from "./operators/shell-commands.ts";
import { EVERY, isPath, type Path, type PathRoot, parsePath } from "./path.ts";
import { isPublicMailDomain } from "./public-mail-domains.ts";
import type { Warn } from "./warning.ts";

export interface SchemaOfTool {
  readonly name: string;
  readonly inputSchema?: Json | undefined;
}

const CLAIMED: ReadonlySet<PathRoot> = new Set(["client.name", "client.version", "session.id", "tool.annotations"]);
const ALWAYS_THERE: ReadonlySet<PathRoot> = new Set(["grant.label", "tool.name", "server.name", "time.hour", "time.weekday", "time.date"]);

interface Lookout {
  readonly warn: Warn;
  readonly isRequire: boolean;
  /** The tools that the rule is asked of. */
  readonly tools: readonly SchemaOfTool[];
}

/** `pointer` is the rule's. */
export function lintRule(rule: Rule, pointer: string, lookout: Lookout): void {
  rule.conditions.forEach((condition, index) => lintCondition(condition, `${pointer}/conditions/${index}`, 0, lookout));
}

function lintCondition(condition: Condition, pointer: string, nots: number, lookout: Lookout): void {
  if (isAnyOf(condition)) {
    condition.any.forEach((part, index) => lintCondition(part, `${pointer}/any/${index}`, nots, lookout));
  } else if (!isComparison(condition)) {
    lintCondition(condition.not, `${pointer}/not`, nots + 1, lookout);
  } else {
    const path = parsePath(condition.path);
    if (!isPath(path)) return;
    if (lookout.isRequire) lintRequirement(condition, path, pointer, nots, lookout.warn);
    else lintMatch(condition, path, pointer, nots, lookout);
    // What has to hold of a call that passes: the list is of those who are let in.
    if (condition.op === "email_domain_in" && lookout.isRequire === (nots % 2 === 0))
      lintMailDomains(condition.value, pointer, lookout.warn);
    if (condition.op === "shell_commands_in") lintWrappers(condition.value, pointer, lookout.warn);
  }
}

function lintRequirement(condition: Comparison, path: Path, pointer: string, nots: number, warn: Warn): void {
  const { op, value } = condition;
  if (op === "regex" && nots % 2 === 0 && typeof value === "string" && !isAnchored(value)) {
    warn("unanchored_regex", `${pointer}/value`, "The pattern is found anywhere in the text: anchor the whole of it with `^…$`.");
  }
  if (CLAIMED.has(path.root)) {
    warn("claimed_by_other_side", `${pointer}/path`, `\`${condition.path}\` is what the other side says of itself.`);
  }
}

function lintMatch(condition: Comparison, path: Path, pointer: string, nots: number, { warn, tools }: Lookout): void {
  const { op, missing } = condition;
  if (op === "exists") {
    if (missing === "match") warn("no_effect", `${pointer}/missing`, "`exists` judges absence by itself.");
    return;
  }
  const canBeMissing = !ALWAYS_THERE.has(path.root) && (path.root !== "args" || path.steps.length > 0);
  if (missing === "match" || !canBeMissing || (nots === 0 && oppositeOf(op) === undefined)) return;
  const tool = tools.find((candidate) => hasDefault(candidate.inputSchema, path));
  const why = tool ? ` \`${tool.name}\` has a default for it.` : "";
  warn("open_when_missing", pointer, `Without \`${condition.path}\` this rule does not match: say \`missing: match\`.${why}`, tool?.name);
}

function lintWrappers(value: Json, pointer: string, warn: Warn): void {
  const wrappers = listWrappers(value);
  if (wrappers.length === 0) return;
  const named = wrappers.map((wrapper) => `\`${wrapper}\``).join(", ");
  warn("wrapper_command", `${pointer}/value`, `These run other commands, which are not looked at: ${named}.`);
}

function lintMailDomains(value: Json, pointer: string, warn: Warn): void {
  const entries: readonly Json[] = isJsonList(value) ? value : [];
  const open = entries.filter((entry): entry is string => typeof entry === "string" && isPublicMailDomain(entry));
  if (open.length === 0) return;
  const named = open.map((entry) => `\`${entry}\``).join(", ");
  warn("public_mail_domain", `${pointer}/value`, `Anybody can have an address there: ${named}. List whole addresses with \`in\`.`);
}

/** Whether a pattern is bound to both ends of the text: no branch of it, and no flag, undoes that. */
export function isAnchored(pattern: string): boolean {
  const flags = /^\(\?([a-zA-Z]*)\)/.exec(pattern);
  if (flags?.[1]?.includes("m")) return false;
  const body = flags ? pattern.slice(flags[0].length) : pattern;
  if (!body.startsWith("^") && !body.startsWith("\\A")) return false;
  if (!/(?:^|[^\\])(?:\\\\)*(?:\$|\\z)$/.test(body)) return false;
  let depth = 0;
  let inClass = false;
  for (let at = 0; at < body.length; at++) {
    const char = body.charAt(at);
    if (char === "\\") at++;
    else if (inClass) inClass = char !== "]";
    else if (char === "[") {
      inClass = true;
      // A bracket that comes first in a class stands for itself.
      if (body.charAt(at + 1) === "^") at++;
      if (body.charAt(at + 1) === "]") at++;
    } else if (char === "(") depth++;
    else if (char === ")") depth--;
    else if (char === "|" && depth === 0) return false;
  }
  return true;
}

/** Whether the schema of a tool has a `default` at an argument's path. */
function hasDefault(schema: Json | undefined, path: Path): boolean {
  if (path.root !== "args") return false;
  let at = schema;
  for (const step of path.steps) {
    if (!isJsonObject(at)) return false;
    const below: Json | undefined = readMember(at, typeof step === "string" ? "properties" : "items");
    if (typeof step === "number" || step === EVERY) at = below;
    else at = isJsonObject(below) ? readMember(below, step) : undefined;
  }
  return isJsonObject(at) && Object.hasOwn(at, "default");
}
