/**
 * `path_under`: an absolute file path that is one of the folders or lies below one. Paths and folders are decoded and
 * normalised alike and compared as texts; nothing is asked of any file system. A folder with a drive letter is judged
 * by Windows' rules, any other by POSIX's; a path that has no certain reading by the rules asked for is unjudgeable.
 */

import { decodePath } from "./decode-path.ts";
import type { TextOperator } from "./text-operator.ts";

export function compilePathUnder(entries: readonly string[]): { operator: TextOperator } | { wrong: Map<number, string> } {
  const wrong = new Map<number, string>();
  const posix: string[] = [];
  const windows: string[] = [];
  for (const [index, entry] of entries.entries()) {
    const isWindows = /^[A-Za-z]:/.test(entry);
    const decoded = decodePath(entry);
    const folder = decoded === undefined ? undefined : isWindows ? normaliseWindows(decoded) : normalisePosix(decoded);
    if (folder === undefined) wrong.set(index, `\`${entry}\` is not an absolute folder that can be judged.`);
    else (isWindows ? windows : posix).push(folder);
  }
  if (wrong.size > 0) return { wrong };
  return {
    operator: {
      judge(text) {
        const path = decodePath(text);
        if (path === undefined) return undefined;
        const readings = [];
        if (windows.length > 0) readings.push(isUnder(normaliseWindows(path), windows));
        if (posix.length > 0 || windows.length === 0) readings.push(isUnder(normalisePosix(path), posix));
        if (readings.includes(true)) return [true];
        return readings.includes(undefined) ? undefined : [false];
      },
    },
  };
}

/** Normalised folders and paths end in `/`, so that a neighbour whose name begins alike is not below. */
function isUnder(path: string | undefined, folders: readonly string[]): boolean | undefined {
  return path === undefined ? undefined : folders.some((folder) => path.startsWith(folder));
}

function normalisePosix(path: string): string | undefined {
  if (!path.startsWith("/") || path.startsWith("//") || path.includes("\\")) return undefined;
  return joinSegments("/", path.split("/"));
}

function normaliseWindows(path: string): string | undefined {
  if (!/^[A-Za-z]:[\\/]/.test(path)) return undefined;
  const rest = path.slice(2);
  if (rest.includes(":") || /~[0-9]/.test(rest)) return undefined;
  const segments = rest.split(/[\\/]/);
  if (segments.some((segment) => segment !== "." && segment !== ".." && /[.\s]$/u.test(segment))) return undefined;
  const joined = joinSegments(`${path.slice(0, 2)}/`, segments);
  return joined?.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function joinSegments(root: string, segments: readonly string[]): string | undefined {
  let path = root;
  for (const segment of segments) {
    // Some servers cut a segment at `;` before they follow it.
    if (segment === ".." || segment.startsWith("..;")) return undefined;
    if (segment !== "" && segment !== ".") path += `${segment}/`;
  }
  return path;
}
