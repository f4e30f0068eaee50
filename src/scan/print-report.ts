/**
 * A report for people, in 80 to 120 columns: each server with its grade and tools, then what was found across them. What
 * strangers wrote is shown with everything visible that a reader would not see.
 */
import { describeSignal } from "../catalog/signals.ts";
import type { ToolRisk } from "../catalog/verdict.ts";
import { revealText } from "../kernel/reveal-text.ts";
import { TOOL_CLASSES } from "../policy/decision.ts";
import { describeFinding } from "../upstream/definition-findings.ts";
import type { Finding, ScanReport, ServerReport, ToolReport } from "./report.ts";
import { wrapText } from "./wrap-text.ts";

export const MIN_COLUMNS = 80;
export const MAX_COLUMNS = 120;
/** Findings that are told; the rest are counted. */
const MAX_TOLD_FINDINGS = 60;
const MAX_TOLD_DRIFT = 40;
const MAX_NAME_COLUMNS = 34;
const MAX_NOTICED = 4;
const MAX_DESCRIPTION_CHARACTERS = 200;

export interface PrintOptions {
  readonly columns: number;
  readonly hasColor: boolean;
  /** The beginning of each tool's description too. */
  readonly hasDescriptions?: boolean | undefined;
}

const COLORS: Readonly<Record<ToolRisk, string>> = { low: "2", medium: "33", high: "31", critical: "1;31" };

export function printReport(report: ScanReport, options: PrintOptions): string {
  const columns = Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, options.columns));
  const parts: string[] = [];
  for (const [group, servers] of Map.groupBy(report.servers, (server) => server.group)) {
    if (servers.some(({ at, name }) => at !== undefined || name !== group)) parts.push(`── ${revealText(group)}\n`);
    for (const server of servers) parts.push(printServer(server, { ...options, columns }));
  }
  parts.push(printFindings(report, { ...options, columns }));
  return parts.filter((part) => part !== "").join("\n");
}

function paint(text: string, risk: ToolRisk, hasColor: boolean): string {
  return hasColor ? `\u001b[${COLORS[risk]}m${text}\u001b[0m` : text;
}

function printServer(server: ServerReport, options: PrintOptions): string {
  const { name, shown, state, reason, revision, tools, grade } = server;
  const head = `${revealText(name)}${shown === "" ? "" : `  ${shown}`}`;
  if (state !== "listed") {
    const words =
      state === "waiting"
        ? "not looked at: say yes, or `--run`, to start or ask it"
        : state === "disabled"
          ? "disabled in the client"
          : `not looked at: ${reason}`;
    return wrapText(head, options.columns, "  ") + wrapText(words, options.columns, "  ", "  ");
  }
  const classes = TOOL_CLASSES.map((word) => [tools.filter((tool) => tool.class === word).length, word] as const).filter(
    ([count]) => count > 0,
  );
  const count = `${tools.length} ${tools.length === 1 ? "tool" : "tools"}`;
  const mix = classes.map(([many, word]) => `${many} ${word}`).join(", ");
  const facts = [
    grade === undefined ? "" : `grade ${grade.letter} (${grade.score})`,
    mix === "" ? count : `${count}: ${mix}`,
    `about ${server.tokens.toLocaleString("en")} tokens of definitions`,
    revision ?? "",
  ];
  const lines = [
    wrapText(head, options.columns, "  "),
    wrapText(facts.filter((fact) => fact !== "").join(" · "), options.columns, "  ", "  "),
  ];
  if (tools.length > 0) lines.push(printTools(tools, options));
  if (grade !== undefined && grade.deductions.length > 0) {
    const why = grade.deductions.map(({ points, reason: because }) => `−${points} ${because}`).join("; ");
    lines.push(wrapText(`grade: ${why}`, options.columns, "    ", "  "));
  }
  lines.push(printDrift(server, options), printSuggestion(server, options));
  return lines.join("");
}

function printTools(tools: readonly ToolReport[], { columns, hasColor, hasDescriptions }: PrintOptions): string {
  const names = tools.map(({ name }) => cut(revealText(name), MAX_NAME_COLUMNS));
  const wide = Math.max(4, ...names.map(({ length }) => length));
  const lines = [`  ${"TOOL".padEnd(wide)}  ${"CLASS".padEnd(11)}  ${"RISK".padEnd(8)}  SIGNALS\n`];
  const indent = " ".repeat(2 + wide + 2 + 11 + 2 + 8 + 2);
  tools.forEach((tool, index) => {
    const start = `  ${(names[index] as string).padEnd(wide)}  ${tool.class.padEnd(11)}  `;
    const risk = paint(tool.risk.padEnd(8), tool.risk, hasColor);
    const signals = tool.signals.map(describeSignal).join(" · ");
    const [first = "", ...more] = wrapText(revealText(signals === "" ? "-" : signals), columns - indent.length, "").split("\n");
    lines.push(`${start}${risk}  ${first}\n`, ...more.filter((line) => line !== "").map((line) => `${indent}${line}\n`));
    if (hasDescriptions === true && tool.description !== "") {
      lines.push(wrapText(cut(revealText(tool.description.replace(/\s+/g, " ")), MAX_DESCRIPTION_CHARACTERS), columns, "    ", "    "));
    }
    if (tool.unusable !== undefined) lines.push(wrapText(`can't be used: ${revealText(tool.unusable)}`, columns, "      ", "    "));
    for (const finding of tool.noticed.slice(0, MAX_NOTICED))
      lines.push(wrapText(`noticed ${describeFinding(finding)}`, columns, "      ", "    "));
    if (tool.noticed.length > MAX_NOTICED) lines.push(`    … and ${tool.noticed.length - MAX_NOTICED} more\n`);
  });
  return lines.join("");
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function printDrift({ drift }: ServerReport, { columns }: PrintOptions): string {
  if (drift === undefined) return "";
  const since = new Date(drift.sinceMs).toISOString();
  if (drift.tools.length === 0) return `  no drift since ${since}\n`;
  const lines = [`  drift since ${since}\n`];
  for (const { name, kind, effect, changes } of drift.tools.slice(0, MAX_TOLD_DRIFT)) {
    const places = changes.map(({ pointer, effect: does }) => `${pointer} ${does}`).join(", ");
    lines.push(
      wrapText(
        `${revealText(name)}: ${kind === "changed" ? `changed, ${effect} (${revealText(places)})` : kind}`,
        columns,
        "      ",
        "    ",
      ),
    );
  }
  if (drift.tools.length > MAX_TOLD_DRIFT) lines.push(`    … and ${drift.tools.length - MAX_TOLD_DRIFT} more\n`);
  return lines.join("");
}

function printSuggestion({ suggestedPolicy, rulesToFillIn }: ServerReport, { columns }: PrintOptions): string {
  if (suggestedPolicy === undefined) return "";
  const entries = Object.values(suggestedPolicy.tools);
  const asks = entries.filter(({ action }) => action !== undefined).length;
  const parts = [`${entries.length - asks} allowed and counted`];
  if (asks > 0) parts.push(`${asks} after a person agreed`);
  if ((suggestedPolicy.hide?.length ?? 0) > 0) parts.push(`${suggestedPolicy.hide?.length} hidden`);
  if (rulesToFillIn > 0) parts.push(`${rulesToFillIn} ${rulesToFillIn === 1 ? "rule" : "rules"} to fill in`);
  return wrapText(`suggested policy: ${parts.join(", ")}`, columns, "    ", "  ");
}

function printFindings({ findings, servers }: ScanReport, { columns, hasColor }: PrintOptions): string {
  // What stands in the tables is not said twice.
  const told = findings.filter(({ rule }) => rule !== "tool-risk" && rule !== "not-looked-at");
  const lines = told.length === 0 ? [] : ["Findings\n"];
  for (const finding of told.slice(0, MAX_TOLD_FINDINGS)) lines.push(printFinding(finding, columns, hasColor));
  if (told.length > MAX_TOLD_FINDINGS) lines.push(`  … and ${told.length - MAX_TOLD_FINDINGS} more\n`);
  const seen = servers.filter(({ state }) => state === "listed");
  const tools = seen.reduce((sum, server) => sum + server.tools.length, 0);
  const unseen = servers.filter(({ state }) => state === "failed" || state === "waiting").length;
  lines.push(
    `${seen.length} ${seen.length === 1 ? "server" : "servers"}, ${tools} ${tools === 1 ? "tool" : "tools"}${unseen > 0 ? `, ${unseen} not looked at` : ""}\n`,
  );
  return lines.join("");
}

function printFinding({ level, rule, server, message }: Finding, columns: number, hasColor: boolean): string {
  const plain = wrapText(`${level.padEnd(8)}  ${rule}  ${revealText(server)}: ${message}`, columns, "            ", "  ");
  return hasColor ? plain.replace(level.padEnd(8), paint(level.padEnd(8), level, true)) : plain;
}
