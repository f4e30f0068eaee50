/**
 * One entry of a JSON file with comments put in another's place, key by key: comments, order and indentation of the rest
 * stay as they are. What was written is read again; undefined where it is not exactly what was meant. Pure.
 */
import { applyEdits, type FormattingOptions, modify, parse, type ParseError } from "jsonc-parser";
import { isJsonObject, type Json, type JsonObject, toJson } from "../../kernel/json.ts";
import { printCanonicalJson } from "../../kernel/canonical-json.ts";

/** Keys that say how a server is reached; the others of an entry are the user's and stay. */
export const REACH_KEYS: ReadonlySet<string> = new Set(
  "command args cmd env environment envs envFile cwd url httpUrl serverUrl uri headers type transport requestOptions http_headers env_http_headers bearer_token_env_var env_vars".split(
    " ",
  ),
);

export function editJsonEntry(text: string, path: readonly (string | number)[], entry: JsonObject): string | undefined {
  const mark = text.startsWith("\ufeff") ? "\ufeff" : "";
  const before = text.slice(mark.length);
  const was = readValue(before);
  const old = at(was, path);
  if (!isJsonObject(old)) return undefined;
  const formattingOptions = guessFormat(before);
  let edited = before;
  for (const key of Object.keys(old)) {
    if (!REACH_KEYS.has(key) || Object.hasOwn(entry, key)) continue;
    edited = applyEdits(edited, modify(edited, [...path, key], undefined, { formattingOptions }));
  }
  for (const [key, value] of Object.entries(entry)) {
    edited = applyEdits(edited, modify(edited, [...path, key], value, { formattingOptions }));
  }
  const meant = { ...Object.fromEntries(Object.entries(old).filter(([key]) => !REACH_KEYS.has(key))), ...entry };
  const is = readValue(edited);
  if (was === undefined || is === undefined || !isSame(put(was, path, meant), is)) return undefined;
  return mark + edited;
}

function readValue(text: string): Json | undefined {
  const errors: ParseError[] = [];
  const value: unknown = parse(text, errors, { allowTrailingComma: true });
  return errors.length > 0 || value === undefined ? undefined : toJson(value);
}

function at(value: Json | undefined, path: readonly (string | number)[]): Json | undefined {
  let here: Json | undefined = value;
  for (const step of path) {
    if (Array.isArray(here) && typeof step === "number") here = here[step] as Json | undefined;
    else here = isJsonObject(here) && Object.hasOwn(here, String(step)) ? here[String(step)] : undefined;
  }
  return here;
}

function put(value: Json, [step, ...rest]: readonly (string | number)[], meant: Json): Json {
  if (step === undefined) return meant;
  if (Array.isArray(value)) return value.map((member: Json, index) => (index === step ? put(member, rest, meant) : member));
  if (!isJsonObject(value)) return value;
  return { ...value, [step]: put(value[String(step)] ?? null, rest, meant) };
}

export function isSame(left: Json, right: Json): boolean {
  return printCanonicalJson(left) === printCanonicalJson(right);
}

function guessFormat(text: string): FormattingOptions {
  const indent = /\n([ \t]+)\S/.exec(text)?.[1] ?? "  ";
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  return indent.startsWith("\t") ? { insertSpaces: false, tabSize: 4, eol } : { insertSpaces: true, tabSize: indent.length, eol };
}
