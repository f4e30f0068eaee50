/**
 * What is said of a class and a risk, once: every page takes its words from here, and its numbers from the policy that it
 * shows. So no two pages can say different things.
 */
import { describeSignal, type Signal } from "../../catalog/signals.ts";
import type { SuggestedEntry } from "../../catalog/suggest-policy.ts";
import { revealText } from "../../kernel/reveal-text.ts";
import type { ToolClass } from "../../policy/decision.ts";

interface ClassWords {
  readonly name: string;
  /** After "it": what the tool can do. */
  readonly can: string;
  readonly unchecked: string;
  readonly policy: string;
  readonly summary: string;
}

export const CLASS_WORDS: Readonly<Record<ToolClass, ClassWords>> = {
  read: {
    name: "Read",
    can: "reads data and changes none",
    unchecked:
      "Without a policy an agent can call it in a loop: that costs money and quota, and pulls more into the conversation than the task needs, which any other tool may then carry out.",
    policy: "A limit keeps one agent from reading in bulk, and rules on arguments keep it to the places it is meant for.",
    summary: "Read tools change nothing. Allow them, counted.",
  },
  write: {
    name: "Write",
    can: "creates or changes data",
    unchecked:
      "Without a policy an agent can call it again and again and change things faster than a person can review them, or change the wrong thing because something it read told it to.",
    policy: "A limit holds the pace to one that people can follow, and rules on arguments refuse values that nobody meant.",
    summary: "Write tools change data. Limit them, and say which values are fine.",
  },
  execute: {
    name: "Execute",
    can: "runs commands, code or actions",
    unchecked:
      "Without a policy an agent decides by itself what runs. What it runs can do whatever the account behind the server can do, and text that it read somewhere may have chosen the command.",
    policy: "Rules say what may run, a low limit stops a loop early, and where the text itself is code a person is asked.",
    summary: "Execute tools run things. Say what may run, and keep the pace low.",
  },
  financial: {
    name: "Financial",
    can: "moves money or something worth money",
    unchecked:
      "Without a policy an agent can pay, transfer or refund on its own: twice because an answer was late, too much because a number was misread, or to somebody who asked for it in a message.",
    policy: "Each call waits until a person has agreed to exactly these arguments, and amounts and payees that nobody listed are refused.",
    summary: "Financial tools move money. Let a person agree to each call.",
  },
  destructive: {
    name: "Destructive",
    can: "deletes things or ends them for good",
    unchecked: "Without a policy one wrong call is enough: what is deleted may not come back, and an agent that tidies up does not ask.",
    policy: "Agents don't see the tool and can't call it. Who needs it opens it for one grant, with a person's agreement to each call.",
    summary: "Destructive tools remove things. Hide them until somebody needs them.",
  },
};

export const RISK_NAMES = { low: "Low", medium: "Medium", high: "High", critical: "Critical" } as const;

export function tellSignals(signals: readonly Signal[]): string {
  return signals.map((signal) => revealText(describeSignal(signal))).join(" · ");
}

/** What the suggested entry does, in words that are read off it. */
export function tellEntry(entry: SuggestedEntry, isHidden: boolean): string {
  if (isHidden) return "It is hidden: agents neither see it nor can call it.";
  const [limit] = entry.limits ?? [];
  const limited = limit ? ` up to ${limit.max} times a ${limit.window} for each ${limit.scope}` : "";
  const asked = entry.action === "require_approval" ? "It is called only after a person agreed to that very call," : "It may be called";
  const rules = entry.require?.length ?? 0;
  const held = rules === 0 ? "" : ` Its arguments have to meet ${rules === 1 ? "one rule" : `${rules} rules`}.`;
  return `${asked}${limited}.${held}`;
}

/** A stranger's text: lines stay lines, what can't be seen is written out. */
export function revealLines(text: string): string {
  return text.split(/\r?\n/).map(revealText).join("\n");
}

export function countOf(count: number, one: string, many: string = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}

const MAX_NAME_CHARACTERS = 120;

/** A stranger's name as it stands in a line. */
export function showName(text: string): string {
  return cutText(revealText(text), MAX_NAME_CHARACTERS);
}

export function cutText(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1).toWellFormed()}…`;
}
