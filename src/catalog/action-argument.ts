/**
 * Two-way tools: an argument whose value chooses what is done. Its choices are read as names are; the worst one is what
 * the tool can do. Also flags that turn a look into a change (`reset`, `delete_after`).
 */
import type { ToolClass } from "../policy/decision.ts";
import type { Field } from "./fields.ts";
import { splitName } from "./fold-words.ts";
import { findNameVerbs } from "./name-verb.ts";
import { findVerb } from "./verbs.ts";

export interface ActionChoice {
  readonly value: string;
  readonly act: ToolClass;
}

export interface ActionArgument {
  readonly field: Field;
  readonly choices: readonly ActionChoice[];
}

const SELECTORS: ReadonlySet<string> = new Set(
  "action actions method operation operations op mode command verb subcommand operationtype actiontype task httpmethod requestmethod cmd act func function".split(
    " ",
  ),
);
const HTTP: Readonly<Record<string, ToolClass>> = {
  GET: "read",
  HEAD: "read",
  OPTIONS: "read",
  POST: "write",
  PUT: "write",
  PATCH: "write",
  DELETE: "destructive",
};
/** Ways of doing one thing, which say nothing of what it is. */
const MANNERS =
  /^(?:fast|slow|auto|full|simple|exact|json|text|strict|default|append|overwrite|light|dark|standard|advanced|all|any|none|sum|mean|max|min|avg|count)$/i;
const QUOTED = /['"`‘“]([A-Za-z][\w .:-]{1,40})['"`’”]/g;
const MAX_CHOICES = 64;

/** Where a tool writes without naming `args`: "action: Operation ('create', 'read', …)". */
export function findActionArgument(fields: readonly Field[], description: string): ActionArgument | undefined {
  for (const field of fields) {
    if (!SELECTORS.has(field.joined) || field.types.has("boolean") || field.steps.length > 3) continue;
    const values = field.choices.length > 0 ? field.choices : listQuoted(field.description || findLine(description, field.key));
    const choices = values.slice(0, MAX_CHOICES).flatMap((value) => {
      const act = readChoice(value);
      return act === undefined ? [] : [{ value, act }];
    });
    if (choices.length > 0 && (choices.length > 1 || values.length === 1)) return { field, choices };
  }
  return undefined;
}

function readChoice(value: string): ToolClass | undefined {
  const http = HTTP[value];
  if (http) return http;
  if (MANNERS.test(value)) return undefined;
  const [leading] = findNameVerbs(splitName(value));
  return leading?.verb.act;
}

function listQuoted(text: string): string[] {
  const values = [...text.matchAll(QUOTED)].map((match) => match[1] as string);
  if (values.length > 1) return values;
  const listed =
    /(?:one of|either|options?|operations?|actions?|values?)\W{1,4}((?:[a-z_]{2,30}\s*(?:,|\||\/|\bor\b)\s*){1,20}[a-z_]{2,30})/i.exec(
      text,
    )?.[1];
  return listed?.split(/\s*(?:,|\||\/|\bor\b)\s*/).filter((value) => value !== "") ?? values;
}

/** The line of a description that explains an argument, as comments of programs do. */
function findLine(description: string, key: string): string {
  if (key.length > MAX_KEY_CHARACTERS) return "";
  const at = description.search(new RegExp(`(?:^|[\\s*\`-])${key.replace(/[^\w]/g, "\\$&")}[\`*]*(?: \\([^)]{0,40}\\))?:`));
  if (at < 0) return "";
  const from = description.slice(at, at + MAX_LINE_CHARACTERS);
  const end = from.indexOf("\n", key.length + 2);
  return end < 0 ? from : from.slice(0, end);
}

const MAX_LINE_CHARACTERS = 400;
const MAX_KEY_CHARACTERS = 64;

/** A switch that changes something where the rest only looks. */
export function findChangingFlag(fields: readonly Field[]): { readonly field: Field; readonly act: ToolClass } | undefined {
  for (const field of fields) {
    if (!field.types.has("boolean")) continue;
    const found = findVerb(field.words[0]?.text ?? "");
    if (
      found &&
      !found.verb.isDouble &&
      found.form === "base" &&
      (found.verb.act === "destructive" || CHANGERS.has(found.verb.word)) &&
      found.verb.word !== "ignore"
    )
      return { field, act: found.verb.act };
  }
  return undefined;
}

const CHANGERS: ReadonlySet<string> = new Set([
  "create",
  "update",
  "save",
  "write",
  "insert",
  "commit",
  "push",
  "publish",
  "send",
  "overwrite",
  "modify",
  "apply",
  "install",
]);
