/**
 * One table of a TOML file put in another's place, line by line: what is not how the server is reached stays as it stands.
 * The result is read again; undefined where the file is written in a form that lines can't edit. Pure.
 */
import { parse } from "smol-toml";
import { isJsonObject, type Json, type JsonObject, printJson, toJson } from "../../kernel/json.ts";
import { readTableHeader } from "../clients/read-client-file.ts";
import { isSame, REACH_KEYS } from "./edit-json.ts";

/** Lines that one value may take. */
const MAX_VALUE_LINES = 1_000;

export function editTomlEntry(text: string, path: readonly (string | number)[], entry: JsonObject): string | undefined {
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const lines = text.split(eol);
  const start = lines.findIndex((line) => readTableHeader(line)?.join("\0") === path.join("\0"));
  const was = readToml(text);
  if (start < 0 || was === undefined) return undefined;
  const kept: string[] = [
    ...lines.slice(0, start + 1),
    ...Object.entries(entry).map(([key, value]) => `${key} = ${printTomlValue(value)}`),
  ];
  let isDropping = false;
  let inEntry = true;
  for (let at = start + 1; at < lines.length; ) {
    const line = lines[at] as string;
    const header = readTableHeader(line);
    if (header !== undefined || /^\s*\[\[/.test(line)) {
      const isBelow = header !== undefined && header.length > path.length && path.every((step, index) => header[index] === step);
      inEntry = isBelow;
      // `[mcp_servers.a.env]` is one of the keys, written as a table.
      isDropping = isBelow && REACH_KEYS.has(header[path.length] as string);
      if (!isDropping) kept.push(line);
      at++;
      if (!isBelow) {
        kept.push(...lines.slice(at));
        break;
      }
      continue;
    }
    const key = /^\s*(?:"([^"]+)"|'([^']+)'|([\w-]+))\s*[.=]/.exec(line);
    const count = key === null ? 1 : countValueLines(lines, at);
    if (count === undefined) return undefined;
    const name = key?.[1] ?? key?.[2] ?? key?.[3] ?? "";
    const isOwn = inEntry && key !== null && REACH_KEYS.has(name) && readOwnTable(kept) === path.length;
    // Comments and empty lines are the user's wherever they stand.
    if (key === null || (!isDropping && !isOwn)) kept.push(...lines.slice(at, at + count));
    at += count;
  }
  const edited = kept.join(eol);
  const is = readToml(edited);
  return is !== undefined && isSame(meantBy(was, path, entry), is) ? edited : undefined;
}

/** How deep the table is that the last lines stand in. */
function readOwnTable(lines: readonly string[]): number {
  return lines.reduce((depth, line) => readTableHeader(line)?.length ?? depth, 0);
}

/** A value may go on over lines; it ends where what stands so far can be read. */
function countValueLines(lines: readonly string[], at: number): number | undefined {
  for (let count = 1; count <= MAX_VALUE_LINES && at + count <= lines.length; count++) {
    try {
      parse(lines.slice(at, at + count).join("\n"));
      return count;
    } catch {
      // It goes on.
    }
  }
  return undefined;
}

function readToml(text: string): Json | undefined {
  try {
    return toJson(revive(parse(text, { integersAsBigInt: "asNeeded" })));
  } catch {
    return undefined;
  }
}

/** Dates as their text: they only have to be the same. */
function revive(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, revive(member)]));
}

function meantBy(value: Json, [step, ...rest]: readonly (string | number)[], entry: JsonObject): Json {
  if (!isJsonObject(value)) return value;
  if (step === undefined) return { ...Object.fromEntries(Object.entries(value).filter(([key]) => !REACH_KEYS.has(key))), ...entry };
  return { ...value, [step]: meantBy(value[String(step)] ?? null, rest, entry) };
}

/** Texts, lists of texts and tables of texts: all that an entry holds. */
function printTomlValue(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((member) => printTomlValue(member as Json)).join(", ")}]`;
  if (isJsonObject(value)) {
    return `{ ${Object.entries(value)
      .map(([key, member]) => `${JSON.stringify(key)} = ${printTomlValue(member)}`)
      .join(", ")} }`;
  }
  // JSON's escapes are TOML's, but for the one character that JSON leaves alone.
  return typeof value === "string" ? JSON.stringify(value).replaceAll("\u007f", "\\u007f") : printJson(value);
}
