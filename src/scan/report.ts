/**
 * What a scan found, as plain values: servers with their tools, findings, combinations. Texts of strangers in it are as
 * they came; whoever prints them shows what can't be seen.
 */

import type { Signal } from "../catalog/signals.ts";
import type { SuggestedPolicy } from "../catalog/suggest-policy.ts";
import type { Confidence, ToolRisk } from "../catalog/verdict.ts";
import type { ToolClass } from "../policy/decision.ts";
import type { Effect } from "../policy/schema/effect.ts";
import type { DefinitionFinding } from "../upstream/definition-findings.ts";
import type { FilePlace } from "./target.ts";

/** Kinds of findings, each with what it says in general. */
export const FINDING_RULES = {
  "tool-risk": "A tool can do harm when an agent calls it wrongly.",
  "hidden-text": "A definition holds text that people do not see.",
  "addresses-model": "A definition speaks to the model in place of describing the tool.",
  "annotation-conflict": "A tool's own annotations contradict its words.",
  "unusable-definition": "A tool's definition can't be used as it stands.",
  "listed-twice": "One server lists a name twice.",
  "shadowed-name": "Two servers of one client have a tool of the same name.",
  "look-alike-name": "Two servers of one client have tools whose names are easily taken for each other.",
  "names-other-tool": "A tool's text names a tool of another server.",
  drift: "A definition is not what it was at the last scan.",
  "dangerous-combination": "Tools of one client together read private data, take in what strangers wrote, and have a way out.",
  "plain-http": "The server is reached without encryption, over a network.",
  "no-credential": "The server answers a stranger who brings no credential.",
  "not-looked-at": "The server could not be looked at.",
} as const;
export type FindingRule = keyof typeof FINDING_RULES;

export interface Finding {
  readonly rule: FindingRule;
  readonly level: ToolRisk;
  readonly server: string;
  readonly tool: string | undefined;
  readonly message: string;
  readonly at: FilePlace | undefined;
}

export interface ToolReport {
  readonly name: string;
  readonly class: ToolClass;
  readonly risk: ToolRisk;
  readonly confidence: Confidence;
  readonly signals: readonly Signal[];
  readonly description: string;
  /** What is noticeable in its texts. */
  readonly noticed: readonly DefinitionFinding[];
  readonly unusable: string | undefined;
  readonly hash: string;
  /** Its definition as a model is given it, estimated. */
  readonly tokens: number;
}

export interface ToolDrift {
  readonly name: string;
  readonly kind: "new" | "gone" | "changed";
  /** Of a change: the worst of what it does. */
  readonly effect: Effect | undefined;
  /** Places that changed, the first ones. */
  readonly changes: readonly { readonly pointer: string; readonly effect: Effect; readonly note: string | undefined }[];
}

export interface ServerDrift {
  /** When the last scan was, Unix milliseconds. */
  readonly sinceMs: number;
  readonly tools: readonly ToolDrift[];
}

export interface Deduction {
  readonly points: number;
  readonly reason: string;
}

export interface Grade {
  readonly letter: "A" | "B" | "C" | "D" | "F";
  readonly score: number;
  readonly deductions: readonly Deduction[];
}

export interface ServerReport {
  readonly name: string;
  readonly shown: string;
  readonly group: string;
  readonly at: FilePlace | undefined;
  readonly kind: "url" | "command" | "list" | "none";
  /** `waiting`: it would be asked once somebody agrees. */
  readonly state: "listed" | "failed" | "waiting" | "disabled";
  readonly reason: string | undefined;
  readonly needsLogin: boolean;
  readonly revision: string | undefined;
  readonly serverName: string | undefined;
  readonly tools: readonly ToolReport[];
  readonly tokens: number;
  readonly drift: ServerDrift | undefined;
  /** What is noticeable in the instructions that it gives to models. */
  readonly noticed: readonly DefinitionFinding[];
  readonly grade: Grade | undefined;
  readonly suggestedPolicy: SuggestedPolicy | undefined;
  /** Rules of the suggested policy that refuse everything until somebody fills them in. */
  readonly rulesToFillIn: number;
}

export type Leg = "private-data" | "untrusted-content" | "way-out";

export interface LegTool {
  readonly server: string;
  readonly tool: string;
  /** Why it is one. */
  readonly reason: string;
}

export interface Combination {
  readonly group: string;
  /** The three that are named, one for each leg. */
  readonly example: Readonly<Record<Leg, LegTool>>;
  /** How many tools there are for each leg. */
  readonly counts: Readonly<Record<Leg, number>>;
  /** Whether one server alone has all three. */
  readonly isOneServer: boolean;
  /** `medium`: one of the three is said by a single word. */
  readonly level: ToolRisk;
}

export interface ScanReport {
  readonly atMs: number;
  readonly servers: readonly ServerReport[];
  readonly findings: readonly Finding[];
  readonly combinations: readonly Combination[];
}
