/**
 * What a server says in `WWW-Authenticate` when it wants another credential: where its metadata is and which scopes it
 * asks for. It is read for the gateway's own use and never handed on. What does not read as a challenge says nothing.
 */

const MAX_CHALLENGE_CHARACTERS = 8192;
/** Scopes of one challenge; the rest are not asked for. */
export const MAX_SCOPES = 64;
const MAX_SCOPE_CHARACTERS = 256;
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
// A blank can be read in one way alone: what a server puts here must not be slow to read.
const PARAMETER = /[ \t]*(?:,[ \t]*)?([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;

export interface Challenge {
  readonly error: string | undefined;
  readonly resourceMetadata: string | undefined;
  readonly scopes: readonly string[];
}

export const NO_CHALLENGE: Challenge = { error: undefined, resourceMetadata: undefined, scopes: [] };

/** The `Bearer` challenge of the header's values. */
export function readChallenge(header: string | readonly string[] | null | undefined): Challenge {
  const text = [header ?? ""].flat().join(", ");
  if (text.length > MAX_CHALLENGE_CHARACTERS) return NO_CHALLENGE;
  const start = /(?:^|[\s,])bearer[ \t]+/i.exec(text);
  if (start === null) return NO_CHALLENGE;
  const found = new Map<string, string>();
  PARAMETER.lastIndex = start.index + start[0].length;
  for (let match = PARAMETER.exec(text); match !== null; match = PARAMETER.exec(text)) {
    const name = (match[1] as string).toLowerCase();
    // Said twice it is said by two; which of them is meant nobody knows.
    if (found.has(name)) return NO_CHALLENGE;
    found.set(name, match[2] === undefined ? (match[3] as string) : match[2].replaceAll(/\\(.)/g, "$1"));
  }
  return {
    error: found.get("error"),
    resourceMetadata: found.get("resource_metadata"),
    scopes: readScopes(found.get("scope")),
  };
}

/** The scopes of a list with spaces between them; what can't be one is left out. */
export function readScopes(text: string | undefined): string[] {
  return takeScopes((text ?? "").split(" "));
}

/** Usable scopes, each once, up to the bound. */
export function takeScopes(scopes: readonly unknown[]): string[] {
  const usable = scopes.filter(
    (scope): scope is string => typeof scope === "string" && scope.length <= MAX_SCOPE_CHARACTERS && SCOPE.test(scope),
  );
  return [...new Set(usable)].slice(0, MAX_SCOPES);
}
