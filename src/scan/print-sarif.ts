/**
 * A report as SARIF 2.1.0, for pages that show findings beside code: one rule for each kind, one result for each finding
 * of medium level or worse, at the line of the configuration that names the server, where there is one.
 */

import { hash } from "node:crypto";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { ToolRisk } from "../catalog/verdict.ts";
import { revealText } from "../kernel/reveal-text.ts";
import { FINDING_RULES, type Finding, type FindingRule, type ScanReport } from "./report.ts";
import type { FilePlace } from "./target.ts";

const SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const LEVELS: Readonly<Record<ToolRisk, "note" | "warning" | "error">> = {
  low: "note",
  medium: "warning",
  high: "error",
  critical: "error",
};
/** From 0 to 10, as code hosts rank. */
const SEVERITIES: Readonly<Record<ToolRisk, string>> = { low: "2.0", medium: "5.0", high: "7.5", critical: "9.5" };

export interface SarifOptions {
  readonly version: string;
  /** Where the files of the report are below. */
  readonly folder: string;
  readonly home: string;
}

export function printSarif(report: ScanReport, options: SarifOptions): string {
  const names = Object.keys(FINDING_RULES) as FindingRule[];
  const rules = names.map((id) => ({
    id,
    name: id.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase()),
    shortDescription: { text: FINDING_RULES[id] },
    defaultConfiguration: { level: "warning" },
  }));
  const results = report.findings
    .filter(({ level, rule }) => level !== "low" || rule === "drift" || rule === "not-looked-at")
    .map((finding) => describeResult(finding, names, options));
  const driver = { name: "sallyport", version: options.version, rules };
  const run = { tool: { driver }, columnKind: "utf16CodeUnits", results };
  return `${JSON.stringify({ $schema: SCHEMA, version: "2.1.0", runs: [run] })}\n`;
}

function describeResult(finding: Finding, names: readonly FindingRule[], options: SarifOptions): unknown {
  const { rule, level, server, tool, message, at } = finding;
  const logical = revealText(tool === undefined ? server : `${server}/${tool}`);
  const location = {
    ...(at === undefined ? {} : { physicalLocation: describePlace(at, options) }),
    logicalLocations: [{ fullyQualifiedName: logical, kind: tool === undefined ? "module" : "function" }],
  };
  return {
    ruleId: rule,
    ruleIndex: names.indexOf(rule),
    level: LEVELS[level],
    message: { text: message },
    locations: [location],
    partialFingerprints: { "sallyportFinding/v1": hash("sha256", JSON.stringify([rule, server, tool ?? null]), "hex") },
    properties: { "security-severity": SEVERITIES[level], risk: level },
  };
}

function describePlace({ file, line }: FilePlace, { folder, home }: SarifOptions): unknown {
  const full = path.resolve(folder, file.startsWith(`~${path.sep}`) ? path.join(home, file.slice(2)) : file);
  const relative = path.relative(folder, full);
  const isBelow = relative !== "" && !relative.startsWith("..") && !path.isAbsolute(relative);
  const uri = isBelow ? relative.split(path.sep).map(encodeURIComponent).join("/") : pathToFileURL(full).href;
  return { artifactLocation: { uri }, region: { startLine: line ?? 1 } };
}
