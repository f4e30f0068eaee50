/** What makes a scan's answer a no. Unknown words are refused; a server that was not looked at never passes for a good one. */
import { TOOL_RISKS } from "../policy/decision.ts";
import type { Finding, ScanReport } from "./report.ts";

export const FAIL_ON = ["low", "medium", "high", "critical", "drift", "hidden"] as const;
export type FailOn = (typeof FAIL_ON)[number];

/** `HIGH`, `high,drift`; undefined where a word is none of the known. */
export function readFailOn(text: string): readonly FailOn[] | undefined {
  const wanted = text.split(",").map((word) => word.trim().toLowerCase());
  return wanted.every((word) => (FAIL_ON as readonly string[]).includes(word)) ? (wanted as FailOn[]) : undefined;
}

export interface FailVerdict {
  readonly findings: readonly Finding[];
  /** Servers of which nothing is known. */
  readonly unseen: number;
}

export function judgeReport(report: ScanReport, failOn: readonly FailOn[]): FailVerdict {
  const from = Math.min(...failOn.map((word) => (TOOL_RISKS as readonly string[]).indexOf(word)).filter((at) => at >= 0));
  const isOver = ({ rule, level }: Finding): boolean =>
    (Number.isFinite(from) && rule !== "not-looked-at" && TOOL_RISKS.indexOf(level) >= from) ||
    (failOn.includes("drift") && rule === "drift") ||
    (failOn.includes("hidden") && (rule === "hidden-text" || rule === "addresses-model"));
  return {
    findings: report.findings.filter(isOver),
    unseen: report.servers.filter(({ state }) => state === "failed" || state === "waiting").length,
  };
}
