/**
 * What a search or a filtered export asks for. A line is first looked through as text, for the member as it would be
 * printed, and only a line that has it is parsed: the text can give too much, never too little.
 */
import type { AuditDecision, AuditKind } from "./entry.ts";

export const FILTER_FIELDS = ["kind", "exchange", "server", "grant", "identity", "tool", "decision", "code", "rule"] as const;
export type FilterField = (typeof FILTER_FIELDS)[number];

export interface AuditFilter {
  /** Unix milliseconds, included. */
  readonly sinceMs?: number | undefined;
  /** Unix milliseconds, not included. */
  readonly untilMs?: number | undefined;
  readonly kind?: AuditKind | undefined;
  readonly exchange?: string | undefined;
  readonly server?: string | undefined;
  readonly grant?: string | undefined;
  readonly identity?: string | undefined;
  readonly tool?: string | undefined;
  readonly decision?: AuditDecision | undefined;
  readonly code?: string | undefined;
  readonly rule?: string | undefined;
}

export interface LineFilter {
  /** The fields that are asked for, with their values. */
  readonly wanted: readonly (readonly [FilterField, string])[];
  /** Whether anything at all is asked for. */
  readonly isEmpty: boolean;
  /** Whether a line has what is asked for; times are the reader's, who knows where they begin and end. */
  matches(line: string): boolean;
}

export function compileFilter(filter: AuditFilter): LineFilter {
  const wanted = FILTER_FIELDS.flatMap((field) => {
    const value = filter[field];
    return value === undefined ? [] : [[field, value] as const];
  });
  const texts = wanted.map(([field, value]) => `"${field}":${JSON.stringify(value)}`);
  return {
    wanted,
    isEmpty: wanted.length === 0 && filter.sinceMs === undefined && filter.untilMs === undefined,
    matches(line) {
      for (const text of texts) if (!line.includes(text)) return false;
      if (wanted.length === 0) return true;
      let entry: Readonly<Record<string, unknown>>;
      try {
        entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
      } catch {
        return false;
      }
      return wanted.every(([field, value]) => entry[field] === value);
    },
  };
}
