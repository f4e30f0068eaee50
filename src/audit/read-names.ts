/**
 * What an entry's line names that is searched by and counted: read from the text as it is printed, which costs a tenth of
 * parsing it. A line that is printed in any other way, or whose texts hold escapes, is parsed.
 */
import { FILTER_FIELDS, type FilterField } from "./filter.ts";

export interface EntryNames {
  readonly time: string;
  /** In the order of `FILTER_FIELDS`; undefined where the entry says nothing. */
  readonly values: readonly (string | undefined)[];
  /** Whether the entry is about a tool whose definition was known. */
  readonly knowsTool: boolean;
}

const TEXT = '(?:null|"([^"\\\\]*)")';
const PRINTED = new RegExp(
  `^\\{"seq":\\d+,(?:"chain":\\d+,)?"id":"[^"]*","time":"([^"]{24})","kind":"([a-z]+)","server":${TEXT},"grant":${TEXT},"identity":${TEXT},` +
    `"method":${TEXT},"tool":${TEXT},"decision":${TEXT},"code":${TEXT},"rule":${TEXT},`,
);
/** The fields in the order of the expression's groups, after the time. */
const GROUPS: readonly (FilterField | undefined)[] = ["kind", "server", "grant", "identity", undefined, "tool", "decision", "code", "rule"];
const GROUP_OF: readonly number[] = FILTER_FIELDS.map((field) => GROUPS.indexOf(field) + 2);
const EXCHANGE = FILTER_FIELDS.indexOf("exchange");
/** Raw quotes stand round members only, never in a text. */
const EXCHANGE_START = ',"exchange":"';
const TOOL_HASH = ',"toolHash":';

export function readNames(line: string): EntryNames | undefined {
  const match = PRINTED.exec(line);
  if (!match) return parseNames(line);
  const values: (string | undefined)[] = [];
  for (let at = 0; at < GROUP_OF.length; at++) values.push(at === EXCHANGE ? undefined : match[GROUP_OF[at] as number]);
  const start = line.indexOf(EXCHANGE_START, match[0].length);
  if (start !== -1) {
    const from = start + EXCHANGE_START.length;
    const exchange = line.slice(from, line.indexOf('"', from));
    if (exchange.includes("\\")) return parseNames(line);
    values[EXCHANGE] = exchange;
  }
  return { time: match[1] as string, values, knowsTool: line.includes(TOOL_HASH, match[0].length) };
}

function parseNames(line: string): EntryNames | undefined {
  try {
    const entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
    const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
    return {
      time: text(entry["time"]) ?? "",
      values: FILTER_FIELDS.map((field) => text(entry[field])),
      knowsTool: entry["toolHash"] !== undefined,
    };
  } catch {
    return undefined;
  }
}
