/**
 * Expected failures: bad documents, bad configuration, things that are not there. They are values, told to people in
 * plain words with a position. Codes come from one table, from which the reference of errors is written.
 */

export const FAILURE_CODES = {
  invalid_json: "The text is not strict JSON.",
  invalid_yaml: "The text is not YAML of the safe kind that is read here.",
  invalid_document: "A policy, configuration or test file says something that the language does not know.",
  invalid_selector: "A selector is empty, names an unknown class or holds a stray backslash.",
  invalid_config: "The configuration can't be used.",
  missing_variable: "The configuration names an environment variable that is not set.",
  not_found: "The named object is not there.",
  conflict: "Another object has that name, or the object changed meanwhile.",
  not_importable: "The older document says something that this language has no words for.",
  storage_unavailable: "The database can't be opened, read or written.",
  limits_unavailable: "The counters of limits can't be asked.",
  folder_in_use: "Another gateway runs on this data folder.",
  key_unusable: "The master key is missing, malformed or not the one the data was sealed with.",
  address_refused: "The address is private or special and the server's entry does not allow it.",
  upstream_unavailable: "The server can't be reached or does not speak the protocol.",
  upstream_unsupported: "The server or client speaks a protocol revision that can't be joined here.",
  login_failed: "The gateway could not sign in to the server.",
  usage: "The command was called in a way it does not understand.",
} as const;

export type FailureCode = keyof typeof FAILURE_CODES;

/** Where a failure is: a file, a place in its text (both from 1), a JSON Pointer (RFC 6901) into the document. */
export interface Place {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly pointer?: string;
}

export interface Failure {
  readonly code: FailureCode;
  /** One plain sentence; the user's own words stand in backticks. Never a secret. */
  readonly message: string;
  readonly at?: Place;
  /** What to do next. */
  readonly hint?: string;
}

/** Carries failures through code that can only throw. Caught at the edge (command line, start-up, API). */
export class FailureError extends Error {
  override readonly name = "FailureError";
  readonly failures: readonly Failure[];
  constructor(failures: Failure | readonly Failure[]) {
    const list = Array.isArray(failures) ? (failures as readonly Failure[]) : [failures as Failure];
    super(list.map((failure) => failure.message).join("\n"));
    this.failures = list;
  }
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly failures: readonly Failure[] };

export function succeed<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function fail<T = never>(...failures: readonly Failure[]): Result<T> {
  return { ok: false, failures };
}

/** `file:line:column: message (pointer)`, one line, for people. */
export function formatFailure(failure: Failure): string {
  const at = failure.at;
  const place = [at?.file, at?.line, at?.column].filter((part) => part !== undefined).join(":");
  const pointer = at?.pointer === undefined ? "" : ` (at ${at.pointer === "" ? "the top" : at.pointer})`;
  const hint = failure.hint === undefined ? "" : `\n  ${failure.hint}`;
  return `${place === "" ? "" : `${place}: `}${failure.message}${pointer}${hint}`;
}
