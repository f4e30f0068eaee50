/**
 * One entry of a JSON file with comments put in another's place, key by key: comments, order and indentation of the rest
 * stay as they are. What was written is read again; undefined where it is not exactly what was meant. Pure.
 */
import { applyEdits, type Edit, findNodeAtLocation, modify, type ParseError, parse, parseTree } from "jsonc-parser";
import { printCanonicalJson } from "../../kernel/canonical-json.ts";
import { isJsonObject, type Json, type JsonObject, toJson } from "../../kernel/json.ts";

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
  const layout = readLayout(before, path);
  let edited = before;
  // First what comes, behind what is there, then what goes: so nothing that stays is moved or spelled anew.
  for (const [key, value] of Object.entries(entry)) {
    edited = applyEdits(
      edited,
      modify(edited, [...path, key], value, {}).map((edit) => layOut(edit, key, value, layout)),
    );
  }
  for (const key of Object.keys(old)) {
    if (REACH_KEYS.has(key) && !Object.hasOwn(entry, key)) edited = removeMember(edited, [...path, key]);
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

/** Takes the member with what stands between it and the next, so that the next one stands where it stood. */
function removeMember(text: string, path: readonly (string | number)[]): string {
  const tree = parseTree(text, [], { allowTrailingComma: true });
  const member = tree && findNodeAtLocation(tree, [...path])?.parent;
  const siblings = member?.parent?.children;
  if (!member || !siblings) return text;
  const at = siblings.indexOf(member);
  const [before, after] = [siblings[at - 1], siblings[at + 1]];
  if (after !== undefined) return text.slice(0, member.offset) + text.slice(after.offset);
  const start = before === undefined ? member.offset : before.offset + before.length;
  return text.slice(0, start) + text.slice(member.offset + member.length);
}

/** How the entry is written; undefined: on one line, and there it stays. */
interface Layout {
  readonly indent: string;
  readonly unit: string;
  readonly eol: string;
}

function readLayout(text: string, path: readonly (string | number)[]): Layout | undefined {
  const tree = parseTree(text, [], { allowTrailingComma: true });
  const node = tree && findNodeAtLocation(tree, [...path]);
  const first = node?.children?.[0];
  if (!node || !first || !text.slice(node.offset, node.offset + node.length).includes("\n")) return undefined;
  const indent = /[ \t]*$/.exec(text.slice(0, first.offset))?.[0] ?? "";
  const unit = indent.startsWith("\t") ? "\t" : "  ";
  return { indent, unit, eol: text.includes("\r\n") ? "\r\n" : "\n" };
}

function layOut(edit: Edit, key: string, value: Json, layout: Layout | undefined): Edit {
  if (layout === undefined) return edit;
  const { indent, unit, eol } = layout;
  const printed = JSON.stringify(value, null, unit).replaceAll("\n", `${eol}${indent}`);
  // A new member comes behind a comma; one that is there gets another value.
  if (edit.content.startsWith(",")) return { ...edit, content: `,${eol}${indent}${JSON.stringify(key)}: ${printed}` };
  return edit.length > 0 ? { ...edit, content: printed } : edit;
}
