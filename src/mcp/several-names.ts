/**
 * Names and URIs of several servers behind one endpoint: `<server>__<name>` and `sallyport+<server>:<uri>`, each turned
 * back to the very text the server uses. A server's name holds no `_`, so the first `__` parts them; what would be longer
 * than picky clients take is cut, ends with a hash, and is turned back by a table of the server's own names.
 */
import { hash } from "node:crypto";

/** The longest name that is shown; some clients refuse a list that holds a longer one. */
export const MAX_SHOWN_CHARACTERS = 64;
const SEPARATOR = "__";
const HASH_DIGITS = 8;
const CUT = /_[0-9a-f]{8}$/;
const HIGH_SURROGATE = /[\ud800-\udbff]$/;
const SHOWN_URI = /^sallyport\+([a-z0-9-]{1,32}):([^]+)$/;

/** Cut names of one server, each with the name it stands for; null: it would stand for more than one, and stands for none. */
export type CutNames = ReadonlyMap<string, string | null>;

const NONE: CutNames = new Map();

function joinName(server: string, name: string): string {
  const full = `${server}${SEPARATOR}${name}`;
  if (full.length <= MAX_SHOWN_CHARACTERS) return full;
  const kept = full.slice(0, MAX_SHOWN_CHARACTERS - HASH_DIGITS - 1).replace(HIGH_SURROGATE, "");
  return `${kept}_${hash("sha256", full, "hex").slice(0, HASH_DIGITS)}`;
}

function isLong(server: string, name: string): boolean {
  return server.length + SEPARATOR.length + name.length > MAX_SHOWN_CHARACTERS;
}

/** The table of the names that a server lists. */
export function indexCutNames(server: string, names: Iterable<string>): CutNames {
  let cut: Map<string, string | null> | undefined;
  const all = [...names];
  for (const name of all) {
    if (!isLong(server, name)) continue;
    cut ??= new Map();
    const shown = joinName(server, name);
    const known = cut.get(shown);
    cut.set(shown, known === undefined || known === name ? name : null);
  }
  if (!cut) return NONE;
  for (const name of all) {
    const shown = isLong(server, name) ? undefined : joinName(server, name);
    if (shown !== undefined && cut.has(shown)) cut.set(shown, null);
  }
  return cut;
}

/** What a client is shown for a server's name; undefined where that would stand for another name too. */
export function showName(server: string, name: string, cut: CutNames = NONE): string | undefined {
  const shown = joinName(server, name);
  return cut.get(shown) === null ? undefined : shown;
}

export interface SplitName {
  readonly server: string;
  /** The server's own name, unless the whole is a cut one. */
  readonly name: string;
  /** It has the form of a cut name, so the table has to be asked. */
  readonly mayBeCut: boolean;
}

/** Parts what a client says; undefined where no server is named. */
export function splitName(shown: string): SplitName | undefined {
  const at = shown.indexOf(SEPARATOR);
  if (at < 1 || at + SEPARATOR.length >= shown.length) return undefined;
  const mayBeCut = shown.length <= MAX_SHOWN_CHARACTERS && shown.length >= MAX_SHOWN_CHARACTERS - 1 && CUT.test(shown);
  return { server: shown.slice(0, at), name: shown.slice(at + SEPARATOR.length), mayBeCut };
}

/** The server's own name for what a client says; undefined where it stands for more than one. */
export function turnNameBack(shown: string, split: SplitName, cut: CutNames): string | undefined {
  const known = split.mayBeCut ? cut.get(shown) : undefined;
  return known === null ? undefined : (known ?? split.name);
}

/** A URI, or a URI template, as a client is shown it: still one, for what stands in front is a scheme. */
export function showUri(server: string, uri: string): string {
  return `sallyport+${server}:${uri}`;
}

/** The server and its own URI; undefined where no server is named. */
export function splitUri(shown: string): { readonly server: string; readonly uri: string } | undefined {
  const match = SHOWN_URI.exec(shown);
  return match ? { server: match[1] as string, uri: match[2] as string } : undefined;
}
