/** HTML that escapes by construction: what is put into a template is text, unless it came out of a template itself. */

export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Piece = Html | string | number | undefined | false | readonly Piece[];

/** Only the literal parts are markup. `undefined` and `false` are nothing. */
export function html(parts: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  let text = parts[0] as string;
  for (let index = 0; index < pieces.length; index++) text += print(pieces[index]) + (parts[index + 1] as string);
  return new Html(text);
}

function print(piece: Piece): string {
  if (piece === undefined || piece === false) return "";
  if (piece instanceof Html) return piece.text;
  if (typeof piece === "string") return escapeHtml(piece);
  if (typeof piece === "number") return String(piece);
  return piece.map(print).join("");
}

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (letter) => ESCAPES[letter] as string);
}

/** A value as JSON in a block of data: no sign of it can end the block. */
export function jsonBlock(value: unknown): Html {
  const text = JSON.stringify(value).replaceAll("<", "\\u003c").replaceAll(">", "\\u003e").replaceAll("&", "\\u0026");
  return new Html(`<script type="application/ld+json">${text}</script>`);
}
