/**
 * A page of Markdown → the steps that it holds, in order. Reads the page's own convention and nothing else:
 *
 *   ```sh                 runs as one script; exit code 0, or `exit=N`. `background` keeps it running till the page's end
 *   ```sh once            not run: what has been done once in this checkout before any test can run (`npm ci`)
 *   ```console            lines after `$ ` run, one after the other; what stands below each is its output
 *   ```text output        the output of the step before; `…` alone on a line stands for any lines, in a line for any text
 *   ```yaml file=NAME     writes NAME; `policy` or `config` says what the text must be good as
 *   <!-- sh … -->         runs and is not shown: what a reader has and a fresh folder has not
 */

export interface Fence {
  readonly lang: string;
  readonly words: ReadonlySet<string>;
  readonly settings: Readonly<Record<string, string>>;
  readonly text: string;
  /** Line of the text's first line, from 1, and the one after its last. */
  readonly line: number;
  readonly endLine: number;
}

export interface Command {
  readonly kind: "run";
  readonly script: string;
  readonly exit: number;
  readonly background: boolean;
  /** Undefined: the page shows no output for it. */
  output: string | undefined;
  /** Where the shown output stands, lines from 1: first, and the one after the last. */
  outputLines: readonly [first: number, end: number] | undefined;
  readonly line: number;
}

export interface WrittenFile {
  readonly kind: "file";
  readonly name: string;
  readonly text: string;
  readonly line: number;
}

export type Step = Command | WrittenFile;

export interface Page {
  readonly steps: readonly Step[];
  readonly fences: readonly Fence[];
}

const OPENING = /^(\s*)(`{3,})([^`]*)$/;

export function readPage(markdown: string): Page {
  const lines = markdown.split("\n");
  const steps: Step[] = [];
  const fences: Fence[] = [];
  for (let index = 0; index < lines.length; index++) {
    const opening = OPENING.exec(lines[index] as string);
    if (opening) {
      const end = findEnd(lines, index, opening[2] as string);
      const fence = readFence(opening[3] as string, lines.slice(index + 1, end), index + 2);
      fences.push(fence);
      addSteps(steps, fence);
      index = end;
    } else if ((lines[index] as string).startsWith("<!-- sh")) {
      const end = lines.indexOf("-->", index);
      if (end < 0) throw new Error(`line ${index + 1}: the comment has no end`);
      steps.push(createCommand(lines.slice(index + 1, end).join("\n"), index + 2, {}));
      index = end;
    }
  }
  return { steps, fences };
}

function findEnd(lines: readonly string[], start: number, marks: string): number {
  const end = lines.findIndex((line, index) => index > start && line.trim() === marks);
  if (end < 0) throw new Error(`line ${start + 1}: the fence has no end`);
  return end;
}

function readFence(info: string, lines: readonly string[], line: number): Fence {
  const [lang = "", ...rest] = info.trim().split(/\s+/);
  const pairs = rest
    .filter((word) => word.includes("="))
    .map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]);
  const settings = Object.fromEntries(pairs) as Record<string, string>;
  return {
    lang,
    words: new Set(rest.filter((word) => !word.includes("="))),
    settings,
    text: lines.join("\n"),
    line,
    endLine: line + lines.length,
  };
}

interface CommandOptions {
  readonly exit?: number;
  readonly background?: boolean;
}

function createCommand(script: string, line: number, { exit = 0, background = false }: CommandOptions): Command {
  return { kind: "run", script, exit, background, output: undefined, outputLines: undefined, line };
}

function addSteps(steps: Step[], fence: Fence): void {
  const { lang, words, settings, text, line } = fence;
  const exit = Number(settings["exit"] ?? 0);
  if (settings["file"] !== undefined) steps.push({ kind: "file", name: settings["file"], text: `${text}\n`, line });
  else if (words.has("output")) {
    const last = steps.findLast((step) => step.kind === "run");
    if (last === undefined) throw new Error(`line ${line}: output of nothing`);
    last.output = text;
    last.outputLines = [line, fence.endLine];
  } else if (lang === "sh" && !words.has("once")) steps.push(createCommand(text, line, { exit, background: words.has("background") }));
  else if (lang === "console") steps.push(...readTranscript(text, line, exit));
}

/** `$ command`, its further lines while each ends with a backslash, then its output up to the next `$ `. */
function readTranscript(text: string, first: number, exit: number): Command[] {
  const lines = text.split("\n");
  const commands: Command[] = [];
  for (let index = 0; index < lines.length; ) {
    if (!(lines[index] as string).startsWith("$ ")) throw new Error(`line ${first + index}: a transcript begins with \`$ \``);
    const start = index;
    const script = [(lines[index++] as string).slice(2)];
    while (script.at(-1)?.endsWith("\\")) script.push(lines[index++] as string);
    const from = index;
    while (index < lines.length && !(lines[index] as string).startsWith("$ ")) index++;
    // Only the last command of a fence may end otherwise than well.
    const command = createCommand(script.join("\n"), first + start, { exit: index === lines.length ? exit : 0 });
    command.output = lines.slice(from, index).join("\n");
    command.outputLines = [first + from, first + index];
    commands.push(command);
  }
  return commands;
}
