import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DigestKey } from "../../src/audit/digest-key.ts";

const hmac = (key: Uint8Array, text: string): string => createHmac("sha256", key).update(text).digest("hex");

describe("a key of digests", () => {
  it("gives what HMAC-SHA-256 gives, for keys and texts of any length", () => {
    const key = fc.uint8Array({ minLength: 1, maxLength: 100 });
    const text = fc.string({ unit: "binary", maxLength: 200 });
    fc.assert(
      fc.property(key, fc.array(text, { maxLength: 4 }), (bytes, texts) => {
        const digests = new DigestKey(bytes);
        for (const each of texts) expect(digests.digest(each)).toBe(hmac(bytes, each));
      }),
    );
  });

  it("holds at the bound of what is short, whatever a character takes", () => {
    const key = Buffer.alloc(32, 7);
    const digests = new DigestKey(key);
    for (const sign of ["a", "é", "€", "😀"]) {
      for (const length of [0, 1, 1023, 1024, 2047, 2048, 2049, 10_000]) {
        const text = sign.repeat(length);
        expect(digests.digest(text)).toBe(hmac(key, text));
      }
    }
    expect(digests.digest("\ud800 half")).toBe(hmac(key, "\ud800 half"));
  });

  it("keeps nothing of one text for the next", () => {
    const key = Buffer.alloc(64, 9);
    const digests = new DigestKey(key);
    digests.digest("a long text ".repeat(100));
    expect(digests.digest("short")).toBe(hmac(key, "short"));
  });
});
