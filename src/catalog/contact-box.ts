/**
 * Messages of people who filled in the form: one line of JSON each, in a file for its owner alone. So many from one address
 * in an hour, so many from all, and the file grows to a bound; what does not fit is refused in words.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { BoundedMap } from "../kernel/bounded-map.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";

export const CONTACT_FILE = "contact.jsonl";
export const MESSAGES_AN_HOUR = 5;
export const ALL_MESSAGES_AN_HOUR = 200;
export const MAX_MESSAGE_CHARACTERS = 4_000;
export const MAX_FIELD_CHARACTERS = 200;
const MAX_BOX_BYTES: number = 32 * 1024 * 1024;
const MAX_SOURCES = 10_000;
const HOUR_MS = 3_600_000;

export interface ContactMessage {
  readonly name: string;
  readonly email: string;
  readonly message: string;
}

export type Posted = "stored" | "too many" | "full";

export class ContactBox {
  readonly #file: string;
  readonly #sources = new BoundedMap<string, number[]>(MAX_SOURCES);
  #all: number[] = [];

  constructor(folder: string) {
    this.#file = path.join(folder, CONTACT_FILE);
  }

  post(message: ContactMessage, source: string, nowMs: number): Posted {
    const recent = (times: readonly number[]): number[] => times.filter((time) => time > nowMs - HOUR_MS);
    const own = recent(this.#sources.get(source) ?? []);
    this.#all = recent(this.#all);
    if (own.length >= MESSAGES_AN_HOUR || this.#all.length >= ALL_MESSAGES_AN_HOUR) return "too many";
    const line = `${JSON.stringify({ time: new Date(nowMs).toISOString(), ...message })}\n`;
    mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o700 });
    const size = statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
    if (size + line.length * 3 > MAX_BOX_BYTES) return "full";
    appendFileSync(this.#file, line, { mode: 0o600 });
    this.#sources.set(source, [...own, nowMs]);
    this.#all.push(nowMs);
    return "stored";
  }
}

/** Every message of a folder, oldest first; a line that was cut off by a crash is passed over. */
export function readMessages(folder: string): readonly unknown[] {
  const file = path.join(folder, CONTACT_FILE);
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      const parsed = line === "" ? undefined : parseStrictJson(line);
      return parsed === undefined || isJsonFault(parsed) ? [] : [parsed.value];
    });
}
