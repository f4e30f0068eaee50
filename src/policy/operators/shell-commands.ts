/**
 * `shell_commands_in`: whether the simple commands of one line of shell begin with a listed entry, one part for each.
 * Words are compared after quotes are taken off. A listed command that runs what it is told (`env`, `xargs`) is the
 * author's choice; `listWrappers` names those for the lint.
 */

import { isJsonList, type Json } from "../../kernel/json.ts";
import { parseShellLine, type ShellOpenings, type SimpleCommand } from "./shell-line.ts";
import { isPlainText, type TextOperator } from "./text-operator.ts";

const MAX_LINE_BYTES = 65_536;
export const SHELL_OPENINGS: ReadonlySet<string> = new Set(["substitution", "redirection", "assignment"]);
const NOTHING_OPEN: ShellOpenings = { substitution: false, redirection: false, assignment: false };

export function compileShellCommandsIn(
  entries: readonly string[],
  opened: readonly string[],
): { operator: TextOperator } | { wrong: Map<number, string> } {
  const wrong = new Map<number, string>();
  const byName = new Map<string, (readonly string[])[]>();
  for (const [index, entry] of entries.entries()) {
    const words = parseEntry(entry);
    if (words === undefined) {
      wrong.set(
        index,
        `\`${entry}\` is not a command with its first words, such as \`git status\`; quotes, globs and operators have no place.`,
      );
      continue;
    }
    const name = words[0] as string;
    byName.set(name, [...(byName.get(name) ?? []), words]);
  }
  if (wrong.size > 0) return { wrong };
  const openings: ShellOpenings = {
    substitution: opened.includes("substitution"),
    redirection: opened.includes("redirection"),
    assignment: opened.includes("assignment"),
  };
  return {
    operator: {
      judge(text) {
        const commands = isPlainText(text, MAX_LINE_BYTES, "tabs") ? parseShellLine(text, openings) : undefined;
        if (commands === undefined) return undefined;
        const parts: boolean[] = [];
        for (const command of commands) {
          const part = beginsWithListed(command, byName.get(command[0] as string) ?? []);
          if (part === undefined) return undefined;
          parts.push(part);
        }
        return parts;
      },
    },
  };
}

/** Undefined where it depends on a word that is only known when it runs. */
function beginsWithListed(command: SimpleCommand, entries: readonly (readonly string[])[]): boolean | undefined {
  let answer: boolean | undefined = false;
  for (const entry of entries) {
    const differs = entry.findIndex((word, index) => command[index] !== word);
    if (differs === -1) return true;
    if (differs < command.length && command[differs] === undefined) answer = undefined;
  }
  return answer;
}

/** An entry is plain words: it reads the same with and without a shell. */
function parseEntry(entry: string): readonly string[] | undefined {
  if (!isPlainText(entry, MAX_LINE_BYTES, "tabs") || /["'\\#!]/.test(entry)) return undefined;
  const commands = parseShellLine(entry, NOTHING_OPEN);
  const words = entry.split(/[ \t]+/).filter((word) => word !== "");
  const isPlain =
    commands?.length === 1 && commands[0]?.length === words.length && commands[0].every((word, index) => word === words[index]);
  return isPlain && !entry.includes(";") ? words : undefined;
}

/** Commands that run what their words or their input tell them to. */
const WRAPPERS: ReadonlySet<string> = new Set(
  `. alias ash awk bash builtin bun bunx busybox chroot command csh dash deno doas enable env eval exec expect fd find fish flock gawk
  gdb hash ionice ksh lua make mawk mksh nawk nice node nohup npx nsenter osascript parallel perl php pkexec pnpx powershell pwsh python
  rsync ruby runuser screen script sed setarch setpriv setsid sh socat source ssh stdbuf strace su sudo systemd-run tar taskset tclsh tcsh
  time timeout tmux trap unshare uvx vi vim watch xargs zip zsh`.split(/\s+/),
);

/** Commands that do so after some of their first words only; an entry without a second word admits these too. */
const WRAPPERS_BY_WORD: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["git", new Set(["-c", "--config-env", "--exec-path", "bisect", "difftool", "filter-branch", "mergetool", "rebase", "submodule"])],
  ["docker", new Set(["exec", "run", "compose"])],
  ["podman", new Set(["exec", "run"])],
  ["kubectl", new Set(["exec", "run"])],
  ["npm", new Set(["exec", "run", "run-script", "start", "test", "x"])],
  ["pnpm", new Set(["dlx", "exec", "run"])],
  ["yarn", new Set(["dlx", "exec", "run"])],
  ["go", new Set(["generate", "run"])],
  ["cargo", new Set(["run"])],
  ["uv", new Set(["run", "tool"])],
]);

/** The entries of a list that let any command run, in the list's order. */
export function listWrappers(value: Json): string[] {
  if (!isJsonList(value)) return [];
  return value.filter((entry): entry is string => typeof entry === "string" && isWrapper(entry.trim().split(/[ \t]+/)));
}

function isWrapper([path = "", second]: readonly string[]): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const words = WRAPPERS_BY_WORD.get(name);
  if (words !== undefined) return second === undefined || words.has(second);
  return WRAPPERS.has(name.replace(/[0-9.]+$/, "")) || WRAPPERS.has(name);
}
