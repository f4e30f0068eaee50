/** A warning of `policy check`: what it is about, where, and in words. It never changes a decision. */

export type WarningCode =
  | "open_when_missing"
  | "unanchored_regex"
  | "session_only_limit"
  | "per_only_limit"
  | "claimed_by_other_side"
  | "wrapper_command"
  | "public_mail_domain"
  | "glob_over_class"
  | "unknown_tool"
  | "unreachable"
  | "no_effect";

export interface Warning {
  readonly code: WarningCode;
  readonly pointer: string;
  readonly message: string;
  /** The tool that the warning is about, where it is about one. */
  readonly tool?: string;
}

export type Warn = (code: WarningCode, pointer: string, message: string, tool?: string) => void;
