/**
 * What the log says of a call's arguments without their values: the names of the top-level keys, few and short, and a
 * digest under a key that only the gateway has, so that a small value can't be guessed from it.
 */
import { compareCodePoints } from "../kernel/canonical-json.ts";
import { isJsonObject, type Json } from "../kernel/json.ts";
import { DigestKey } from "./digest-key.ts";

export const MAX_ARGUMENT_KEYS = 64;
export const MAX_ARGUMENT_KEY_BYTES = 64;
/** Of an object with more keys, the first so many are looked at; all are counted. */
const MAX_SORTED_KEYS = 4096;

export interface ArgumentKeys {
  readonly argumentKeys: readonly string[];
  /** Set where there are more keys than told. */
  readonly argumentCount?: number;
}

/** The longest beginning of a text that fits into so many bytes of UTF-8. */
function cutToBytes(text: string, bytes: number): string {
  if (text.length * 3 <= bytes) return text;
  const { read } = new TextEncoder().encodeInto(text.length > bytes ? text.slice(0, bytes) : text, new Uint8Array(bytes));
  return text.slice(0, read).toWellFormed();
}

/** The sorted keys of the arguments; none where the arguments are not an object. */
export function describeArguments(args: Json | undefined): ArgumentKeys {
  if (!isJsonObject(args)) return { argumentKeys: [] };
  const all = Object.keys(args);
  const sorted = (all.length > MAX_SORTED_KEYS ? all.slice(0, MAX_SORTED_KEYS) : all).sort(compareCodePoints);
  const argumentKeys = sorted.slice(0, MAX_ARGUMENT_KEYS).map((key) => cutToBytes(key, MAX_ARGUMENT_KEY_BYTES));
  return all.length > argumentKeys.length ? { argumentKeys, argumentCount: all.length } : { argumentKeys };
}

/** HMAC-SHA-256 over the canonical text of the arguments (or of a limit's `per` value), in hex. */
export function digestArguments(key: Uint8Array | DigestKey, text: string): string {
  return (key instanceof DigestKey ? key : new DigestKey(key)).digest(text);
}
