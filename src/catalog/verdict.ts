/** What the classifier says of a definition, and what it goes by. Plain values; the same definition gives the same ones. */
import type { TOOL_RISKS, ToolClass } from "../policy/decision.ts";
import type { ActionArgument } from "./action-argument.ts";
import type { Field } from "./fields.ts";
import type { Power } from "./power.ts";
import type { Signal } from "./signals.ts";

/** Raised whenever the same definition may get another verdict. */
export const CLASSIFIER_VERSION = "2";

export type ToolRisk = (typeof TOOL_RISKS)[number];
export const CONFIDENCES = ["low", "medium", "high"] as const;
export type Confidence = (typeof CONFIDENCES)[number];

/** One thing that was seen, with the span of text that it was seen in. */
export interface Feature {
  /** What it was seen as: `name verb`, `first clause`, `argument`, `annotation` … */
  readonly rule: string;
  /** What it speaks for: a class or a signal. */
  readonly says: string;
  /** JSON Pointer of the text in the definition; of an argument, of its key. */
  readonly pointer: string;
  /** UTF-16 offsets in that text. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What the server says of the tool; undefined where it says nothing. */
export interface Hints {
  readonly readOnly: boolean | undefined;
  readonly destructive: boolean | undefined;
  readonly openWorld: boolean | undefined;
}

export interface Verdict {
  readonly class: ToolClass;
  readonly risk: ToolRisk;
  readonly confidence: Confidence;
  readonly version: string;
  readonly signals: readonly Signal[];
  readonly features: readonly Feature[];
  /** The argument that chooses between actions, where there is one. */
  readonly action: ActionArgument | undefined;
  /** The text that it takes and runs, where it does. */
  readonly power: Power | undefined;
  readonly fields: readonly Field[];
}

export const CLASS_RANK: Readonly<Record<ToolClass, number>> = { read: 0, write: 1, execute: 2, financial: 3, destructive: 4 };

export function worstClass(left: ToolClass, right: ToolClass): ToolClass {
  return CLASS_RANK[left] >= CLASS_RANK[right] ? left : right;
}
