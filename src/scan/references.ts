/**
 * References to the environment in a client's texts, in each of the spellings that clients have: read where a server is
 * asked, turned into the gateway's own where a configuration is written. A value is never part of what is told.
 */
type Environment = Readonly<Record<string, string | undefined>>;

const NAME = "[A-Za-z_][A-Za-z0-9_]*";
const BRACED = new RegExp(`\\$\\{env:(${NAME})\\}|\\{env:(${NAME})\\}|\\$\\{(${NAME})(?::-([^{}]*))?\\}`, "g");
const BARE = new RegExp(`\\$(${NAME})`, "g");
/** What only the client can know: its inputs, its workspace. */
const UNKNOWN = /\$\{(?:input|workspaceFolder|workspaceFolderBasename|file|config|command)[^}]*\}|\$\(/;

export interface ReadText {
  readonly text: string;
  /** Values that came from the environment. */
  readonly values: readonly string[];
  /** Why the text can't be used. */
  readonly missing: readonly string[];
}

export function expandReferences(text: string, env: Environment, bare: boolean): ReadText {
  const values: string[] = [];
  const missing: string[] = [];
  if (UNKNOWN.test(text)) missing.push("something that only the client knows");
  const take = (name: string, fallback: string | undefined): string => {
    const held = Object.hasOwn(env, name) ? env[name] : undefined;
    if (held !== undefined && (held !== "" || fallback === undefined)) {
      values.push(held);
      return held;
    }
    if (fallback !== undefined) return fallback;
    missing.push(`the variable \`${name}\``);
    return "";
  };
  const braced = text.replace(BRACED, (_, one?: string, two?: string, three?: string, fallback?: string) =>
    take((one ?? two ?? three) as string, fallback),
  );
  // What a variable held is not read a second time.
  return { text: bare && values.length === 0 ? braced.replace(BARE, (_, name: string) => take(name, undefined)) : braced, values, missing };
}

export function hasReference(text: string, bare: boolean): boolean {
  return text.search(BRACED) >= 0 || UNKNOWN.test(text) || (bare && text.search(BARE) >= 0);
}

/** The same text in the spelling of the gateway's configuration; undefined where it holds what only the client knows. */
export function toOwnReferences(text: string, bare: boolean): { readonly text: string; readonly names: readonly string[] } | undefined {
  if (UNKNOWN.test(text)) return undefined;
  const names: string[] = [];
  const write = (name: string, fallback: string | undefined): string => {
    names.push(name);
    return fallback === undefined ? `\u0000${name}\u0001` : `\u0000${name}:-${fallback}\u0001`;
  };
  const braced = text.replace(BRACED, (_, one?: string, two?: string, three?: string, fallback?: string) =>
    write((one ?? two ?? three) as string, fallback),
  );
  const all = bare ? braced.replace(BARE, (_, name: string) => write(name, undefined)) : braced;
  // A dollar sign in a replacement would be read as a pattern.
  const escaped = all.replaceAll("${", () => "$${").replaceAll("\u0000", () => "${");
  return { text: escaped.replaceAll("\u0001", "}"), names };
}
