/** A report as one JSON value. Texts of strangers are as they came: JSON shows what can't be seen by its escapes. */
import { describeSignal } from "../catalog/signals.ts";
import { CLASSIFIER_VERSION } from "../catalog/verdict.ts";
import type { ScanReport, ServerReport, ToolReport } from "./report.ts";

export function describeReport(report: ScanReport): unknown {
  return {
    time: new Date(report.atMs).toISOString(),
    classifier: CLASSIFIER_VERSION,
    tokenMethod: "UTF-8 bytes of name, description and input schema as compact JSON, divided by 4",
    servers: report.servers.map(describeServer),
    findings: report.findings,
    combinations: report.combinations,
  };
}

function describeServer(server: ServerReport): unknown {
  const { tools, drift, ...rest } = server;
  return {
    ...rest,
    drift: drift && { since: new Date(drift.sinceMs).toISOString(), tools: drift.tools },
    tools: tools.map(describeTool),
  };
}

function describeTool(tool: ToolReport): unknown {
  return { ...tool, signals: tool.signals.map((signal) => ({ ...signal, text: describeSignal(signal) })) };
}

/** JSON text in which no character steers a terminal or hides. */
export function printVisibleJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\u007f-\u009f\u2800]/gu, (character) =>
    [...Array(character.length).keys()].map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
  );
}
