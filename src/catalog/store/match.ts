/** What somebody looks for as a question to the full text: words are words, whatever signs stand in them. Pure. */
import { TOOL_CLASSES, TOOL_RISKS, type ToolClass } from "../../policy/decision.ts";
import type { SignalName } from "../signals.ts";
import type { ToolRisk } from "../verdict.ts";
import { facetOf, facetOfSignal } from "./write-catalogue.ts";

/** Matches that are looked at, counted and shown. */
export const MAX_MATCHES = 1_000;
const MAX_WORDS = 8;
const MAX_WORD_CHARACTERS = 64;

export interface SearchAsked {
  readonly words: string;
  readonly class?: ToolClass | undefined;
  readonly risk?: ToolRisk | undefined;
  readonly signal?: SignalName | undefined;
}

/** Undefined where nothing is asked. */
export function writeMatch(asked: SearchAsked, columns: string): string | undefined {
  const words = (asked.words.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []).slice(0, MAX_WORDS);
  const facets = [
    ...(asked.class === undefined ? [] : [facetOf("class", TOOL_CLASSES.indexOf(asked.class))]),
    ...(asked.risk === undefined ? [] : [facetOf("risk", TOOL_RISKS.indexOf(asked.risk))]),
    ...(asked.signal === undefined ? [] : [facetOfSignal(asked.signal)]),
  ];
  const parts = [
    ...words.map((word) => `${columns} : "${word.slice(0, MAX_WORD_CHARACTERS)}"`),
    ...facets.map((facet) => `{facets} : "${facet}"`),
  ];
  return parts.length === 0 ? undefined : parts.join(" AND ");
}
