/**
 * One child process that speaks MCP on its standard streams, one JSON message a line. It is started without a shell and
 * with next to nothing of our own environment; it is told to stop, then made to, and takes its whole process group along.
 * Ids and outstanding requests are the caller's: `onExit` says when no answer will come any more.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { DEFAULT_LINE_LIMIT_BYTES, type LineItem, LineReader, writeLine } from "../../mcp/stdio.ts";

export const MAX_STDERR_LINE_BYTES: number = 8 * 1024;
/** Bytes that wait for the child to read them; beyond, it takes nothing more. */
export const MAX_STDIN_WAITING_BYTES: number = 16 * 1024 * 1024;
/** After its input ended, until it is asked to stop; after that, until it is made to. */
export const STOP_INPUT_MS = 2_000;
export const STOP_TERM_MS = 3_000;
/** How long the rest of the output is waited for when the process has gone. */
const DRAIN_MS = 500;

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly failure?: string | undefined;
}

export interface StdioBounds {
  readonly stopInputMs: number;
  readonly stopTermMs: number;
  readonly lineBytes: number;
}

/** What a channel tells whoever opened it. */
export interface ChannelPorts {
  /** A message of the server's, or what was dropped in place of one. */
  onLine(item: LineItem): void;
  /** One line of its error output, cut to the bound. */
  onStderr(line: string): void;
  /** Comes once, after the last line. */
  onExit(exit: ChildExit): void;
}

/** Opens a channel for one owner. Never throws. */
export type OpenChannel = (ports: ChannelPorts, owner: string | undefined) => StdioUpstream;

export interface StdioUpstreamOptions extends ChannelPorts {
  readonly command: string;
  readonly args: readonly string[];
  /** The child's whole environment, see `createChildEnvironment`. */
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly bounds?: Partial<StdioBounds> | undefined;
}

export interface StdioUpstream {
  /** Writes one message as one line. `false`: it certainly did not leave. */
  send(message: Buffer): boolean;
  /** Holds the child's output back, and lets it go on. */
  pause(): void;
  resume(): void;
  readonly pid: number | undefined;
  readonly isRunning: boolean;
  /** Ends the input, then SIGTERM, then SIGKILL, each after its bound. Settles when nothing of it is left. */
  stop(): Promise<ChildExit>;
}

/** Never throws: a command that can't be started has an exit at once. */
export function startStdioUpstream(options: StdioUpstreamOptions): StdioUpstream {
  const bounds: StdioBounds = {
    stopInputMs: STOP_INPUT_MS,
    stopTermMs: STOP_TERM_MS,
    lineBytes: DEFAULT_LINE_LIMIT_BYTES,
    ...options.bounds,
  };
  try {
    return new ChildServer(options, bounds);
  } catch (error) {
    // Some faults (an empty command, too many arguments) are thrown, others come as events.
    const exit: ChildExit = { code: null, signal: null, failure: describeStart(error as NodeJS.ErrnoException, options.cwd) };
    queueMicrotask(() => options.onExit(exit));
    return { send: () => false, pause() {}, resume() {}, pid: undefined, isRunning: false, stop: () => Promise.resolve(exit) };
  }
}

class ChildServer implements StdioUpstream {
  readonly #options: StdioUpstreamOptions;
  readonly #bounds: StdioBounds;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #exited = Promise.withResolvers<ChildExit>();
  #exit: ChildExit | undefined;
  #inputOpen = true;
  #stopping = false;
  #drain: NodeJS.Timeout | undefined;

  constructor(options: StdioUpstreamOptions, bounds: StdioBounds) {
    this.#options = options;
    this.#bounds = bounds;
    this.#child = spawn(options.command, [...options.args], {
      stdio: ["pipe", "pipe", "pipe"],
      shell: false,
      env: { ...options.environment },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      // Its own process group, so that what it starts can be ended with it.
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    if (this.#child.pid !== undefined) endWithUs(this.#child.pid);
    const output = new LineReader(bounds.lineBytes);
    const tell = (items: readonly LineItem[]): void => {
      for (const item of items) options.onLine(item);
    };
    this.#child.stdout.on("data", (chunk: Buffer) => tell(output.push(chunk))).on("end", () => tell(output.end()));
    const errors = new LineReader(MAX_STDERR_LINE_BYTES);
    const tellErrors = (items: readonly LineItem[]): void => {
      for (const item of items) if (item.kind !== "invalid") options.onStderr(readErrorLine(item));
    };
    this.#child.stderr.on("data", (chunk: Buffer) => tellErrors(errors.push(breakAtReturns(chunk))));
    this.#child.stderr.on("end", () => tellErrors(errors.end()));
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.on("error", () => stream.destroy());
    this.#child.stdin.on("error", () => {
      this.#inputOpen = false;
    });
    this.#child.stdin.on("close", () => {
      this.#inputOpen = false;
    });
    this.#child.on("error", (error: NodeJS.ErrnoException) => {
      if (this.#child.pid === undefined) this.#finish({ code: null, signal: null, failure: describeStart(error, options.cwd) });
    });
    this.#child.on("exit", () => {
      this.#inputOpen = false;
      // What it started may hold its output open; after a moment that goes too.
      this.#child.stdout.resume();
      this.#drain = setTimeout(() => {
        this.#signalGroup("SIGKILL");
        this.#child.stdout.destroy();
        this.#child.stderr.destroy();
      }, DRAIN_MS);
    });
    this.#child.on("close", (code, signal) => this.#finish({ code, signal }));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#exit === undefined;
  }

  send(message: Buffer): boolean {
    const { stdin } = this.#child;
    if (!this.#inputOpen || this.#stopping || this.#exit !== undefined || !stdin.writable) return false;
    if (stdin.writableLength > 0 && stdin.writableLength + message.length > MAX_STDIN_WAITING_BYTES) return false;
    stdin.write(writeLine(message));
    return true;
  }

  pause(): void {
    this.#child.stdout.pause();
  }

  resume(): void {
    this.#child.stdout.resume();
  }

  async stop(): Promise<ChildExit> {
    if (!this.#stopping && this.#exit === undefined) {
      this.#stopping = true;
      this.#child.stdin.end();
      this.#child.stdout.resume();
      const term = setTimeout(() => this.#signalGroup("SIGTERM"), this.#bounds.stopInputMs);
      const kill = setTimeout(() => this.#signalGroup("SIGKILL"), this.#bounds.stopInputMs + this.#bounds.stopTermMs);
      await this.#exited.promise;
      clearTimeout(term);
      clearTimeout(kill);
    }
    return this.#exited.promise;
  }

  #finish(exit: ChildExit): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    this.#inputOpen = false;
    clearTimeout(this.#drain);
    this.#signalGroup("SIGKILL");
    if (this.#child.pid !== undefined) groups.delete(this.#child.pid);
    this.#options.onExit(exit);
    this.#exited.resolve(exit);
  }

  /** To the child and all that it started. */
  #signalGroup(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      if (process.platform === "win32") this.#child.kill(signal);
      else process.kill(-pid, signal);
    } catch {
      // Nothing is left of it.
    }
  }
}

/** Groups of the children that run. */
const groups = new Set<number>();
let isWatchingExit = false;

/** Where this process ends without having stopped its children, they end with it. */
function endWithUs(pid: number): void {
  groups.add(pid);
  if (isWatchingExit) return;
  isWatchingExit = true;
  process.once("exit", () => {
    for (const group of groups) {
      try {
        process.kill(process.platform === "win32" ? group : -group, "SIGKILL");
      } catch {
        // Nothing is left of it.
      }
    }
  });
}

/** Progress bars end their lines with a carriage return. */
function breakAtReturns(chunk: Buffer): Buffer {
  for (let at = chunk.indexOf(0x0d); at !== -1; at = chunk.indexOf(0x0d, at + 1)) chunk[at] = 0x0a;
  return chunk;
}

function readErrorLine(item: Exclude<LineItem, { kind: "invalid" }>): string {
  return item.kind === "line" ? Buffer.from(item.bytes).toString("utf8") : `${Buffer.from(item.head).toString("utf8")} …`;
}

function describeStart(error: NodeJS.ErrnoException, cwd: string | undefined): string {
  if (error.code === "ENOENT" && cwd !== undefined && !existsSync(cwd)) return "the folder it starts in is not there";
  if (error.code === "ENOENT") return "the command was not found";
  if (error.code === "EACCES") return "the command may not be run";
  return `the command could not be started (${error.code ?? "unknown"})`;
}

/** What a child gets of our own environment: enough to find programs, its home and its language, and no secret. */
const INHERITED: ReadonlySet<string> = new Set([
  "HOME",
  "LANG",
  "LANGUAGE",
  "LOGNAME",
  "PATH",
  "SHELL",
  "TERM",
  "TMPDIR",
  "TZ",
  "USER",
  // Windows finds nothing without these.
  "APPDATA",
  "COMSPEC",
  "HOMEDRIVE",
  "HOMEPATH",
  "LOCALAPPDATA",
  "PATHEXT",
  "PROGRAMFILES",
  "SYSTEMDRIVE",
  "SYSTEMROOT",
  "TEMP",
  "TMP",
  "USERNAME",
  "USERPROFILE",
]);

/** The configured variables, and of `own` only those that every program needs. */
export function createChildEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  configured: Readonly<Record<string, string>>,
): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) {
    const upper = name.toUpperCase();
    // A value that begins so is an exported shell function.
    if (value === undefined || value.startsWith("()")) continue;
    if (INHERITED.has(upper) || upper.startsWith("LC_")) environment[name] = value;
  }
  return { ...environment, ...configured };
}
