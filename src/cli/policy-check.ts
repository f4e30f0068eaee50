/** `sallyport policy check`: every error of policy files at once, each with its place, and what is likely to be open. */
import { type Failure, formatFailure } from "../kernel/failure.ts";
import { printJson, toJson } from "../kernel/json.ts";
import { type LintedTool, lintPolicy } from "../policy/lint.ts";
import { loadOperators } from "../policy/operators/registry.ts";
import { parsePolicy } from "../policy/parse.ts";
import type { Warning } from "../policy/warning.ts";
import { readTextFile, readToolFile } from "./policy-files.ts";
import { type CommandContext, EXIT_NO, EXIT_USAGE, tellFailures } from "./run-cli.ts";

export interface CheckFlags {
  readonly tools?: string;
  readonly json?: boolean;
}

interface FileWarning extends Warning {
  readonly file: string;
}

export async function checkPolicies({ ports, exit }: CommandContext, files: readonly string[], flags: CheckFlags): Promise<void> {
  const { terminal } = ports;
  await loadOperators();
  const tools = flags.tools === undefined ? undefined : await readToolFile(flags.tools);
  const unread: Failure[] = tools?.ok === false ? [...tools.failures] : [];
  const errors: Failure[] = [];
  const warnings: FileWarning[] = [];
  for (const file of files) {
    const checked = await checkFile(file, tools?.ok ? tools.value.linted : undefined);
    unread.push(...checked.unread);
    errors.push(...checked.errors);
    warnings.push(...checked.warnings);
    if (flags.json) continue;
    for (const error of checked.errors) terminal.out(`error: ${formatFailure(error)}\n`);
    for (const warning of checked.warnings) terminal.out(`warning: ${file}: ${warning.message} (at ${warning.pointer})\n`);
    if (checked.errors.length + checked.unread.length === 0) terminal.out(`${file}: a valid policy${countWarnings(checked.warnings)}\n`);
  }
  const ok = errors.length === 0 && unread.length === 0;
  if (flags.json) terminal.out(`${printJson(toJson({ ok, errors: [...unread, ...errors].map(describeError), warnings }))}\n`);
  tellFailures(ports, unread);
  if (unread.length > 0) exit(EXIT_USAGE);
  else if (!ok) exit(EXIT_NO);
}

async function checkFile(
  file: string,
  tools: readonly LintedTool[] | undefined,
): Promise<{ unread: readonly Failure[]; errors: readonly Failure[]; warnings: readonly FileWarning[] }> {
  const text = await readTextFile(file);
  if (!text.ok) return { unread: text.failures, errors: [], warnings: [] };
  const parsed = parsePolicy(text.value, { file });
  if (!parsed.ok) return { unread: [], errors: parsed.failures, warnings: [] };
  return { unread: [], errors: [], warnings: lintPolicy(parsed.value, tools).map((warning) => ({ ...warning, file })) };
}

/** One flat object for each error. */
export function describeError({ code, message, at, hint }: Failure): Record<string, unknown> {
  return { code, message, ...at, hint };
}

function countWarnings(warnings: readonly Warning[]): string {
  if (warnings.length === 0) return "";
  return warnings.length === 1 ? ", 1 warning" : `, ${warnings.length} warnings`;
}
