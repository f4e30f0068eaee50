/** A stranger's text, made fit to stand in a message: short, on one line, without marks that could end the quotation. */

const MAX_QUOTED_CHARACTERS = 160;
/** Controls, line separators and the characters that turn the direction of writing. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function escapeUnit(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Cuts a text and escapes what would not show. */
export function trim(text: string): string {
  const shown = text.length > MAX_QUOTED_CHARACTERS ? `${text.slice(0, MAX_QUOTED_CHARACTERS)}…` : text;
  return shown.toWellFormed().replace(UNPRINTABLE, escapeUnit);
}

export function quote(text: string): string {
  return `\`${trim(text).replaceAll("`", "'")}\``;
}
