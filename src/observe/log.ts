/**
 * What the program says of itself while it runs: one line an event, for people in words or for machines as JSON. Lines
 * go to a port, on standard error by default use; a line never breaks into two, whatever stands in it. Never the place
 * for decisions, which belong to the audit log, nor for secrets: callers hand over only what may be shown.
 */

export type LogLevel = "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  /** `event` is a short stable name such as `config.reloaded`; `words` say it to people. */
  info(event: string, words: string, fields?: LogFields): void;
  warn(event: string, words: string, fields?: LogFields): void;
  error(event: string, words: string, fields?: LogFields): void;
}

export interface LogOptions {
  readonly form: "words" | "json";
  /** Takes one line with its line break, e.g. `(line) => process.stderr.write(line)`. */
  readonly write: (line: string) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}

const MAX_LINE_CHARACTERS = 8192;

export function createLog(options: LogOptions): Log {
  const say = (level: LogLevel, event: string, words: string, fields: LogFields = {}): void => {
    const time = new Date(options.now()).toISOString();
    if (options.form === "json") {
      options.write(`${JSON.stringify({ time, level, event, message: shorten(words), ...omitReserved(fields) })}\n`);
      return;
    }
    const details = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => ` ${key}=${value}`)
      .join("");
    const mark = level === "info" ? "" : `${level}: `;
    options.write(`${time} ${mark}${makeOneLine(shorten(words + details))}\n`);
  };
  return {
    info: (event, words, fields) => say("info", event, words, fields),
    warn: (event, words, fields) => say("warn", event, words, fields),
    error: (event, words, fields) => say("error", event, words, fields),
  };
}

const RESERVED: ReadonlySet<string> = new Set(["time", "level", "event", "message"]);

function omitReserved(fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => !RESERVED.has(key)));
}

function shorten(words: string): string {
  return words.length > MAX_LINE_CHARACTERS ? `${words.slice(0, MAX_LINE_CHARACTERS)}…` : words;
}

/** Control and direction characters become visible, so that no text can forge a line or colour a terminal. */
function makeOneLine(words: string): string {
  return words.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
