/** Text for people in lines of a bounded width. A word that is wider than a line is cut into several. Pure. */

/** `first` goes before the first line, `rest` before each other one. Ends with a line break. */
export function wrapText(text: string, columns: number, rest: string, first = ""): string {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const token of text.split(/(?<= )(?=[^ ])/)) {
    for (const piece of cutWide(token, columns - rest.length)) {
      if (!isEmpty && line.length + piece.trimEnd().length > columns) {
        lines.push(line.trimEnd());
        line = rest;
      }
      line += piece;
      isEmpty = false;
    }
  }
  return `${[...lines, line.trimEnd()].join("\n")}\n`;
}

function cutWide(token: string, columns: number): string[] {
  if (token.trimEnd().length <= columns) return [token];
  const pieces: string[] = [];
  for (let at = 0; at < token.length; at += columns) pieces.push(token.slice(at, at + columns));
  return pieces;
}
