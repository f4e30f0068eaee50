/**
 * What `scan` and `init` share: asking whoever sits at the terminal, and looking at servers with progress told there. What
 * was started ends with the command, however that ends.
 */
import { revealText } from "../kernel/reveal-text.ts";
import type { Baseline } from "../scan/baseline.ts";
import type { ScanReport } from "../scan/report.ts";
import { scanTargets } from "../scan/scan-targets.ts";
import { needsYes, type Target } from "../scan/target.ts";
import type { Ports } from "./ports.ts";

/** True: somebody sits there and said yes. */
export async function askToRun({ terminal }: Ports, targets: readonly Target[]): Promise<boolean> {
  const waiting = targets.filter(needsYes);
  if (waiting.length === 0 || terminal.ask === undefined) return false;
  terminal.err("To see their tools, these have to be started or asked with what they take from the environment:\n");
  for (const { name, shown } of waiting) terminal.err(`  ${revealText(name)}: ${shown}\n`);
  return isYes(await terminal.ask(`Do it now, ${waiting.length} in all? [y/N] `));
}

export function isYes(answer: string): boolean {
  return /^y(?:es)?$/i.test(answer.trim());
}

interface RunScan {
  readonly hasYes: boolean;
  readonly baseline: Baseline | undefined;
  readonly timeoutMs: number | undefined;
}

export async function runScan(
  { terminal, version }: Ports,
  targets: readonly Target[],
  { hasYes, baseline, timeoutMs }: RunScan,
): Promise<ScanReport> {
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    return await scanTargets(targets, {
      clientInfo: { name: "sallyport", version },
      env: terminal.env,
      nowMs: Date.now(),
      timeoutMs,
      signal: stopping.signal,
      hasYes,
      baseline,
      onProgress: terminal.isTerminal
        ? (done, all) => terminal.err(done === all ? "\r\u001b[K" : `\r\u001b[Klooked at ${done} of ${all} servers`)
        : undefined,
    });
  } finally {
    process.removeListener("SIGINT", stop);
    process.removeListener("SIGTERM", stop);
  }
}
