/**
 * Progress and log messages on their way to the request that is open: for the token that it gave, from the level that it
 * asked for; and those that came while none was open, kept for the next one, the oldest forgotten first.
 */
import type { Json } from "../../kernel/json.ts";
import type { Notification } from "../../mcp/message.ts";
import { isLogLevel, LOG_LEVELS, type LogLevel } from "../../mcp/meta.ts";
import { writeRelayed } from "../../mcp/rewrite.ts";
import { MAX_KEPT_BYTES, MAX_KEPT_MESSAGES } from "./bounds.ts";

/** Undefined: the client gave no token, so it hears of no progress. */
export function printProgress(message: Notification, progressToken: Json | undefined): Buffer | undefined {
  return progressToken === undefined ? undefined : writeRelayed(message, { set: { progressToken } });
}

/** Undefined: the client did not ask for messages, or not for such ones. */
export function printLog(message: Notification, wanted: LogLevel | undefined): Buffer | undefined {
  const level = message.params?.["level"];
  if (wanted === undefined || !isLogLevel(level) || LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(wanted)) return undefined;
  return writeRelayed(message);
}

export class KeptMessages {
  #messages: Notification[] = [];
  #bytes = 0;

  add(message: Notification): void {
    this.#messages.push(message);
    this.#bytes += message.source.text.length;
    while (this.#messages.length > MAX_KEPT_MESSAGES || this.#bytes > MAX_KEPT_BYTES) {
      this.#bytes -= this.#messages.shift()?.source.text.length ?? this.#bytes;
    }
  }

  take(): readonly Notification[] {
    const taken = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    return taken;
  }
}
