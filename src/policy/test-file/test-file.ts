/**
 * A policy test file as it was read: a policy, the facts around it, and calls with what is expected of each. Plain
 * values; running them takes a clock and counters, which this room does not know.
 */

import type { Place } from "../../kernel/failure.ts";
import type { Json, JsonObject } from "../../kernel/json.ts";
import type { ToolFacts } from "../decision.ts";
import type { PolicyDocument } from "../document.ts";

/** The clock of a test file before any `at`. */
export const TEST_CLOCK_START_MS: number = Date.UTC(2000, 0, 1);

export const TEST_OUTCOMES = ["ok", "tool_error", "rpc_error", "not_sent", "unknown"] as const;
export type TestOutcome = (typeof TEST_OUTCOMES)[number];
export const TEST_DECISIONS = ["allow", "deny", "approve"] as const;
export type TestDecision = (typeof TEST_DECISIONS)[number];

export interface TestFile {
  /** Undefined only where there are no cases. */
  readonly policy: TestPolicy | undefined;
  /** Undefined: the tools of the server are not known, and step 6 is not asked. */
  readonly tools: ReadonlyMap<string, ToolFacts> | undefined;
  readonly grant: TestGrant;
  readonly session: string | undefined;
  readonly cases: readonly TestCase[];
  readonly invalid: readonly InvalidCase[];
}

export type TestPolicy =
  /** Relative to the test file; `at` is where it is named. */
  { readonly path: string; readonly at: Place } | { readonly document: PolicyDocument };

/** What a file or a case says of the grant; what it leaves out stays as it was. */
export interface TestGrant {
  readonly label?: string;
  readonly identity?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

export type TestSubject =
  | { readonly kind: "call"; readonly name: string; readonly args: Json }
  | { readonly kind: "read"; readonly uri: string }
  | { readonly kind: "prompt"; readonly name: string };

export interface TestCase {
  readonly name: string;
  /** Unix milliseconds; undefined: the clock stands still. */
  readonly atMs: number | undefined;
  readonly subject: TestSubject;
  readonly outcome: TestOutcome;
  readonly approved: boolean;
  readonly repeat: number;
  readonly grant: TestGrant;
  /** Undefined: the file's. */
  readonly session: string | undefined;
  readonly expect: Expectation;
  readonly at: Place;
}

/** What must be equal; what is left out is free. */
export interface Expectation {
  readonly decision?: TestDecision;
  readonly code?: string;
  readonly rule?: string;
  readonly message?: string;
  readonly cause?: string;
  /** `true`: given, above zero and right. `false`: not given. */
  readonly retryAfterMs?: boolean | WaitRange;
  /** As it was written. */
  readonly written: JsonObject;
}

/** Both ends are part of it. */
export interface WaitRange {
  readonly min: number;
  readonly max: number;
}

/** A document that has to be refused, with an error at each pointer; no pointers: wherever. */
export interface InvalidCase {
  readonly name: string;
  /** A text is the text of the document. */
  readonly document: Json;
  readonly pointers: readonly string[];
  readonly at: Place;
}
