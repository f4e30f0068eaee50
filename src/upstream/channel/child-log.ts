/**
 * What is said of a child process and by it, for people: its error output, masked and bounded in lines; what it wrote that
 * was no message; how it ended, in words that say what to look at. Never an argument, a variable or a stack.
 */
import type { Log } from "../../observe/log.ts";
import type { ChildExit } from "./child-process.ts";
import { createMask } from "./mask-secrets.ts";

/** Lines of one server in one window; what comes beyond them is counted. */
export const MAX_CHILD_LINES = 200;
export const CHILD_LINES_WINDOW_MS = 10_000;

export interface ChildLogOptions {
  readonly server: string;
  readonly command: string;
  readonly secrets: readonly string[];
  readonly log: Log;
  readonly now: () => number;
}

export interface ChildLog {
  stderr(line: string): void;
  dropped(reason: string): void;
  /** The process ended and nobody had asked it to. */
  ended(exit: ChildExit, waitMs: number | undefined): void;
  failed(words: string, waitMs: number | undefined): void;
  warn(event: string, words: string): void;
}

export function createChildLog(options: ChildLogOptions): ChildLog {
  const { server, log, now } = options;
  const mask = createMask(options.secrets);
  let windowEndsMs = 0;
  let lines = 0;
  let leftOut = 0;

  /** False: this line is one too many. */
  function take(): boolean {
    if (now() >= windowEndsMs) {
      if (leftOut > 0) log.warn("server.noisy", `${leftOut} lines of \`${server}\` were left out.`, { server });
      windowEndsMs = now() + CHILD_LINES_WINDOW_MS;
      lines = 0;
      leftOut = 0;
    }
    if (lines < MAX_CHILD_LINES) {
      lines++;
      return true;
    }
    leftOut++;
    return false;
  }

  const say = (event: string, words: string, waitMs: number | undefined): void => {
    const next = waitMs === undefined ? "" : ` It is started again in ${(waitMs / 1000).toFixed(1)} s.`;
    log.warn(event, `${words}${next}`, { server });
  };

  return {
    stderr(line) {
      if (take()) log.info("server.stderr", mask(line), { server });
    },
    dropped(reason) {
      if (take()) log.warn("server.dropped", `A message of \`${server}\` was dropped: ${reason}.`, { server });
    },
    ended: (exit, waitMs) => say("server.ended", `The process of \`${server}\` ${mask(describeExit(exit, options.command))}`, waitMs),
    failed: (words, waitMs) => say("server.failed", `The process of \`${server}\` ${words}`, waitMs),
    warn: (event, words) => log.warn(event, words, { server }),
  };
}

/** A sentence that goes on after "The process". */
export function describeExit(exit: ChildExit, command: string): string {
  if (exit.failure !== undefined) {
    const where = "`upstream.command` is looked for in PATH and run without a shell: no quotes, variables or `&&`.";
    return `could not be started: ${exit.failure} (\`${command}\`). ${where}`;
  }
  if (exit.signal !== null) return `was ended by ${exit.signal}.`;
  return exit.code === 0 ? "ended by itself with code 0." : `ended by itself with code ${exit.code}; what it said before is above.`;
}
