/**
 * What can be looked at: an address, a command, a list of tools in a file, or an entry that can't be asked, with why. The
 * configuration that it is from groups servers that one client holds together.
 */
import type { ToolDefinition } from "../upstream/definition.ts";

/** Where in a file something is named. */
export interface FilePlace {
  readonly file: string;
  readonly line: number | undefined;
}

interface AnyTarget {
  readonly name: string;
  /** As it may be shown. */
  readonly shown: string;
  /** What of it must not be shown. */
  readonly secrets: readonly string[];
  /** Servers of one group are held by one client. */
  readonly group: string;
  readonly at: FilePlace | undefined;
}

export interface UrlTarget extends AnyTarget {
  readonly kind: "url";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `named`: a person wrote the address down for this scan; `listed`: it is from a file. */
  readonly from: "named" | "listed";
  /** Whether something of the environment would leave with the request. */
  readonly sendsVariables: boolean;
}

export interface CommandTarget extends AnyTarget {
  readonly kind: "command";
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  readonly from: "named" | "listed";
}

export interface ListTarget extends AnyTarget {
  readonly kind: "list";
  readonly tools: readonly ToolDefinition[];
}

export interface NoTarget extends AnyTarget {
  readonly kind: "none";
  readonly reason: string;
  readonly isDisabled: boolean;
}

export type Target = UrlTarget | CommandTarget | ListTarget | NoTarget;

/** Whether somebody has to agree before it is asked. */
export function needsYes(target: Target): boolean {
  return (
    (target.kind === "command" && target.from === "listed") || (target.kind === "url" && target.from === "listed" && target.sendsVariables)
  );
}
