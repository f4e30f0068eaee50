/** The text of `docs/errors.md`: every code of the one table of failures, and how a failure looks. */
import { FAILURE_CODES } from "../../src/kernel/failure.ts";

const HEAD = `# Errors

What goes wrong in an expected way is told in one form, on standard error: where, what, the JSON Pointer of the place in
the document, and below it what to do next. All errors of a file are told at once.

\`\`\`json file=broken.json
{ "version": "1", "default": "deny", "tols": {} }
\`\`\`

\`\`\`console exit=2
$ sallyport run --policy broken.json -- true
broken.json:1:38: The key \`tols\` is not known here. (at /tols)
  Known here: $schema, version, default, description, timezone, hide, all_tools, tools, resources, prompts.
\`\`\`

Every one has one of these codes. Denials of calls are something else: they have [codes of their own](policy-language.md#order).

| code | meaning |
|---|---|
`;

const TAIL = `
Exit codes of every command: 0 done, 1 it ran and the answer is no, 2 bad usage or configuration.

*The table is written by \`node tools/write-reference.ts\` from \`src/kernel/failure.ts\`.*
`;

export function printErrorsPage(): string {
  const rows = Object.entries(FAILURE_CODES).map(([code, meaning]) => `| \`${code}\` | ${meaning} |\n`);
  return HEAD + rows.join("") + TAIL;
}
