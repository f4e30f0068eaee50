/**
 * Cuts the text of an address list into its addresses, at the commas that stand outside of quotes, comments, domain
 * literals and groups. Only cuts: whether a piece is an address is for a parser to say. An obsolete route (a comma or
 * colon between angle brackets) and brackets that do not close have no pieces at all.
 */

export interface AddressPiece {
  readonly text: string;
  readonly isGroup: boolean;
}

const MAX_COMMENT_DEPTH = 16;
/** Where a closing sign stands that is not there. */
const MISSING = -1;

export function splitAddressList(text: string): AddressPiece[] | undefined {
  const pieces: AddressPiece[] = [];
  let start = 0;
  let inAngle = false;
  let group: "none" | "open" | "closed" = "none";
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"':
        at = skipTo('"', text, at);
        break;
      case "[":
        at = skipTo("]", text, at);
        break;
      case "(":
        at = skipComment(text, at);
        break;
      case "<":
        if (inAngle) return undefined;
        inAngle = true;
        break;
      case ">":
        if (!inAngle) return undefined;
        inAngle = false;
        break;
      case ":":
        if (inAngle || group !== "none") return undefined;
        group = "open";
        break;
      case ";":
        if (inAngle || group !== "open") return undefined;
        group = "closed";
        break;
      case ",":
        if (inAngle) return undefined;
        if (group === "open") break;
        pieces.push({ text: text.slice(start, at), isGroup: group === "closed" });
        start = at + 1;
        group = "none";
        break;
      default:
    }
    if (at < 0) return undefined;
  }
  if (inAngle || group === "open") return undefined;
  pieces.push({ text: text.slice(start), isGroup: group === "closed" });
  return pieces;
}

/** Where the closing sign stands, passing over quoted pairs; MISSING where it is not there. */
function skipTo(close: string, text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === close) return at;
  }
  return MISSING;
}

function skipComment(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const sign = text[at];
    if (sign === "\\") at++;
    else if (sign === "(" && ++depth > MAX_COMMENT_DEPTH) return MISSING;
    else if (sign === ")" && --depth === 0) return at;
  }
  return MISSING;
}
