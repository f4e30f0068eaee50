/**
 * What an operator that reads text as something (a URL, a path, SQL, a command line) gives and takes. An operator is
 * made once for each condition; its judging is pure, total and fast. It answers for each part of the text, or
 * `undefined` where the text has no certain reading: it never guesses.
 */

export interface TextOperator {
  /** One answer for each part of the text, never none; `undefined`: unjudgeable. */
  judge(text: string): readonly boolean[] | undefined;
}

/** A mistake in a condition's value; the pointer is relative to the condition. */
export interface OperatorFault {
  readonly pointer: string;
  readonly message: string;
}

export type CompiledTextOperator = { readonly operator: TextOperator } | { readonly faults: OperatorFault[] };

const CONTROL = /\p{Cc}/u;
const CONTROL_BUT_TAB = /[^\P{Cc}\t]/u;
const CONTROL_BUT_TAB_AND_BREAKS = /[^\P{Cc}\t\n\r]/u;

/** Not empty, whole code points only, no control characters but those named, within the bound. */
export function isPlainText(text: string, maxBytes: number, mayHold: "no control characters" | "tabs" | "tabs and breaks"): boolean {
  if (text === "" || text.length > maxBytes || Buffer.byteLength(text) > maxBytes || !text.isWellFormed()) return false;
  switch (mayHold) {
    case "tabs":
      return !CONTROL_BUT_TAB.test(text);
    case "tabs and breaks":
      return !CONTROL_BUT_TAB_AND_BREAKS.test(text);
    default:
      return !CONTROL.test(text);
  }
}
