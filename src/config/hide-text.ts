/**
 * Faults of reading may quote what stands at their place, and in a configuration that may be a secret that lacks its
 * quotes. Takes the user's text out of them; keys, which pointers name anyway, stay.
 */
import type { Failure } from "../kernel/failure.ts";

/** Sentences of the YAML parser into which it writes text of the document. */
const QUOTING = /^Not YAML: (?:The .* tag |Verbatim tags|Unknown directive|Unsupported YAML version|Invalid escape sequence)/;

export function hideText(failure: Failure): Failure {
  return { ...failure, message: hideIn(failure.message) };
}

function hideIn(message: string): string {
  if (/^The key `.*` stands twice\.$/s.test(message)) return message;
  if (QUOTING.test(message)) return "Not YAML: what stands here is not read.";
  const yaml = /^Not YAML: ([^:"'`\n]*)/.exec(message);
  if (yaml) return `Not YAML: ${(yaml[1] as string).replace(/[.\s]+$/, "")}.`;
  if (message.includes("is no number as JSON writes them")) {
    return "This is no number as JSON writes them; put quotes around it if it is text.";
  }
  if (message.startsWith("The alias ")) {
    return "This alias names no anchor that stands before it; put quotes around it if it is text.";
  }
  return message.replaceAll(/`[^`]*`/g, (quoted) => (quoted === "`!…`" || quoted === "`<<`" ? quoted : "`…`"));
}
