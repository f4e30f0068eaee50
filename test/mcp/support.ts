/** Shared by the tests of the wire: messages as bytes, and JSON values of every kind for property tests. */
import * as fc from "fast-check";
import { type Message, type MessageLimits, type Notification, type Request, readMessage } from "../../src/mcp/message.ts";
import { isRefusal, type Refusal } from "../../src/mcp/refusal.ts";

export const LIMITS: MessageLimits = { bodyLimitBytes: 1_000_000 };

export function bytesOf(value: unknown): Buffer {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value), "utf8");
}

export function read(value: unknown): Message | Refusal {
  return readMessage(bytesOf(value), LIMITS);
}

export function readRequest(value: unknown): Request {
  const message = read(value);
  if (isRefusal(message) || message.kind !== "request") throw new Error(`not a request: ${JSON.stringify(message)}`);
  return message;
}

export function readNotification(value: unknown): Notification {
  const message = read(value);
  if (isRefusal(message) || message.kind !== "notification") throw new Error(`not a notification: ${JSON.stringify(message)}`);
  return message;
}

export function call(name: string, args: unknown, more: object = {}): object {
  return { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args, ...more } };
}

/** Texts with quotes, escapes and letters beyond the basic plane, none of them broken. */
export const text: fc.Arbitrary<string> = fc.string({ unit: "grapheme", maxLength: 12 });

export const json: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), text),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(text, tie("value"), { maxKeys: 4 }),
  ),
})).value;

export const object: fc.Arbitrary<Record<string, unknown>> = fc.dictionary(text, json, { maxKeys: 5 });

/** Cuts bytes into pieces at the given places. */
export function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const place of [...places, bytes.length]) {
    pieces.push(bytes.slice(from, place));
    from = place;
  }
  return pieces;
}
