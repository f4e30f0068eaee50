/**
 * A stranger's text as it may be shown to people: whatever can't be seen, turns the line round or steers a terminal is
 * written out by its number, so that nothing stands there that a reader does not see.
 */

const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\u2800]/gu;
const PLAIN = /^[ -~]*$/;

export function revealText(text: string): string {
  return PLAIN.test(text) ? text : text.replace(UNSEEN, (character) => `\\u{${nameCodePoint(character).slice(2)}}`);
}

/** `U+200B`. */
export function nameCodePoint(character: string): string {
  return `U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}`;
}
