/** `sallyport policy import`: an older YAML policy becomes one of this language, with words about every difference. */
import { writeFile } from "node:fs/promises";
import { type Failure, FailureError, formatFailure } from "../kernel/failure.ts";
import { printJson, toJson } from "../kernel/json.ts";
import { importPolicy as importOlderPolicy } from "../policy/import/import-policy.ts";
import type { Remark } from "../policy/import/remarks.ts";
import { loadOperators } from "../policy/operators/registry.ts";
import { printPolicy } from "../policy/print.ts";
import { unwrap } from "./folder-flags.ts";
import { describeError } from "./policy-check.ts";
import { readTextFile } from "./policy-files.ts";
import { type CommandContext, EXIT_NO, tellFailures } from "./run-cli.ts";

export interface ImportFlags {
  readonly lossy?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

export async function importPolicy({ ports, exit }: CommandContext, file: string, flags: ImportFlags): Promise<void> {
  const { terminal } = ports;
  await loadOperators();
  const text = unwrap(await readTextFile(file));
  const imported = importOlderPolicy(text, { file, lossy: flags.lossy === true });
  if (!imported.ok) {
    tellFailures(ports, imported.failures);
    if (flags.json) terminal.out(`${printJson(toJson({ ok: false, errors: imported.failures.map(describeError) }))}\n`);
    exit(EXIT_NO);
    return;
  }
  const { document, losses, notes } = imported.value;
  for (const loss of losses) terminal.err(`left out: ${formatRemark(loss)}\n`);
  for (const note of notes) terminal.err(`note: ${formatRemark(note)}\n`);
  const printed = printPolicy(document);
  if (flags.out === undefined) {
    terminal.out(printed);
    return;
  }
  await writeOut(flags.out, printed);
  if (flags.json)
    terminal.out(`${printJson(toJson({ ok: true, file: flags.out, losses: losses.map(flatten), notes: notes.map(flatten) }))}\n`);
  else terminal.err(`${flags.out}: written. Check it: sallyport policy check ${flags.out}\n`);
}

function formatRemark(remark: Remark): string {
  return formatFailure({ code: "not_importable", ...remark });
}

function flatten({ message, at }: Remark): Record<string, unknown> {
  return { message, ...at };
}

async function writeOut(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch {
    const failure: Failure = { code: "usage", message: "The file can't be written.", at: { file } };
    throw new FailureError(failure);
  }
}
