/** A flag that may be given again: its values in order. */
export function collectWords(word: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), word];
}
