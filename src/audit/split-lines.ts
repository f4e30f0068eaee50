/**
 * Lines of a file that comes in pieces. Strict UTF-8 and bounded, so that no two files read alike: a line that is not
 * valid, or longer than any entry, comes out as a text that no entry can be.
 */

/** Longer than any line the log writes, in bytes. */
export const MAX_FILE_LINE_BYTES: number = 1024 * 1024;
const UNREADABLE = "\ufffd";

/** Lines without their line breaks. What follows the last line break is a line too, unless it is empty. */
export async function* splitLines(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decode = (bytes: Uint8Array): string => {
    try {
      return decoder.decode(bytes);
    } catch {
      return UNREADABLE;
    }
  };
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let tooLong = false;
  const finish = (end: Uint8Array): string => {
    const line = tooLong || heldBytes + end.length > MAX_FILE_LINE_BYTES ? UNREADABLE : decode(Buffer.concat([...held, end]));
    held = [];
    heldBytes = 0;
    tooLong = false;
    return line;
  };
  for await (const piece of pieces) {
    let from = 0;
    for (let at = piece.indexOf(10); at !== -1; at = piece.indexOf(10, from)) {
      yield finish(piece.subarray(from, at));
      from = at + 1;
    }
    const rest = piece.subarray(from);
    if (heldBytes + rest.length > MAX_FILE_LINE_BYTES) {
      tooLong = true;
      held = [];
      heldBytes = 1;
    } else if (rest.length > 0) {
      held.push(rest.slice());
      heldBytes += rest.length;
    }
  }
  if (heldBytes > 0 || tooLong) yield finish(new Uint8Array());
}
