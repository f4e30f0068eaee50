/** What is sealed opens with its key and for its row, and in no other way. */
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createSealer } from "../../../samples/sendit/seal.ts";

const sealer = createSealer(randomBytes(32));

test("any text comes back", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => sealer.unseal(sealer.seal(text, "a/b"), "a/b") === text));
});

test("the same text never looks the same", () => {
  expect(sealer.seal("secret", "a")).not.toBe(sealer.seal("secret", "a"));
});

test("another row, another key and any changed character do not open", () => {
  const sealed = sealer.seal("secret-key-123456", "notion/1/apiKey");
  expect(() => sealer.unseal(sealed, "notion/2/apiKey")).toThrow();
  expect(() => createSealer(randomBytes(32)).unseal(sealed, "notion/1/apiKey")).toThrow();
  for (let at = 0; at < sealed.length; at++) {
    const changed = `${sealed.slice(0, at)}${sealed[at] === "A" ? "B" : "A"}${sealed.slice(at + 1)}`;
    expect(() => sealer.unseal(changed, "notion/1/apiKey"), `changed at ${at}`).toThrow();
  }
});

test("a fingerprint is steady, short, and another under another key", () => {
  const print = sealer.fingerprint("secret-key-123456");
  expect(print).toMatch(/^[0-9a-f]{16}$/);
  expect(sealer.fingerprint("secret-key-123456")).toBe(print);
  expect(sealer.fingerprint("secret-key-123457")).not.toBe(print);
  expect(createSealer(randomBytes(32)).fingerprint("secret-key-123456")).not.toBe(print);
});
