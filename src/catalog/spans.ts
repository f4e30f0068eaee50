/** The span of text behind a feature: where it stands, and the words themselves, bounded. */
import type { Field } from "./fields.ts";
import type { Word } from "./fold-words.ts";
import type { Feature } from "./verdict.ts";

const MAX_SPAN_CHARACTERS = 120;

export function spanOf(
  pointer: string,
  text: string,
  { start, end }: Pick<Word, "start" | "end">,
): Pick<Feature, "pointer" | "start" | "end" | "text"> {
  return { pointer, start, end, text: text.slice(start, Math.min(end, start + MAX_SPAN_CHARACTERS)) };
}

export function spanOfField(rule: string, says: string, field: Field, text: string): Feature {
  return { rule, says, pointer: field.pointer, start: 0, end: text.length, text: text.slice(0, MAX_SPAN_CHARACTERS) };
}

export function spanOfHint(hint: string, value: string): Pick<Feature, "pointer" | "start" | "end" | "text"> {
  return { pointer: `/annotations/${hint}`, start: 0, end: value.length, text: value };
}
