import { describe, expect, it } from "vitest";
import { openNote, parseVerifierKey, printVerifierKey, signNote } from "../../src/audit/note.ts";
import { createSigningKey } from "../../src/vault/signing-key.ts";

// The published example of the format's reference implementation (golang.org/x/mod/sumdb/note).
const SEED = Buffer.from("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", "base64").subarray(1);
const PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const NOTE = `${TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;

describe("signed notes", () => {
  const key = createSigningKey(SEED);
  const verifier = parseVerifierKey(PUBLIC);

  it("signs the published example byte for byte", () => {
    expect(printVerifierKey("PeterNeumann", key.publicKey)).toBe(PUBLIC);
    expect(signNote(TEXT, { name: "PeterNeumann", ...key })).toBe(NOTE);
  });

  it("opens it with its key", () => {
    expect(openNote(NOTE, verifier)).toEqual({ text: TEXT, verified: true });
    expect(openNote(NOTE, undefined)).toEqual({ text: TEXT, verified: false });
  });

  it("refuses a changed text, a changed signature and another key", () => {
    expect(openNote(NOTE.replace("answer", "Answer"), verifier)).toBeUndefined();
    expect(openNote(NOTE.replace("ZJku", "ZJkv"), verifier)).toBeUndefined();
    const other = createSigningKey(Buffer.alloc(32, 3));
    expect(openNote(NOTE, parseVerifierKey(printVerifierKey("PeterNeumann", other.publicKey)))).toBeUndefined();
  });

  it("passes over signatures of unknown keys and refuses a bad one of the known key", () => {
    const other = createSigningKey(Buffer.alloc(32, 3));
    const foreign = signNote(TEXT, { name: "other", ...other }).slice(TEXT.length + 1);
    expect(openNote(NOTE + foreign, verifier)?.verified).toBe(true);
    const bad = NOTE.slice(TEXT.length + 1).replace("ZJku", "ZJkv");
    expect(openNote(NOTE + bad, verifier)).toBeUndefined();
  });

  it("refuses what is not a note", () => {
    for (const text of ["", "\n", TEXT, `${TEXT}\n`, NOTE.slice(0, -1), NOTE.replace("—", "-"), `\u0000${NOTE}`, `${NOTE}x`]) {
      expect(openNote(text, undefined)).toBeUndefined();
    }
    expect(openNote(NOTE + NOTE.slice(TEXT.length + 1).repeat(16), verifier)).toBeUndefined();
  });

  it("reads a public key only with its own id", () => {
    expect(parseVerifierKey(` ${PUBLIC}\n`)?.name).toBe("PeterNeumann");
    for (const text of ["", PUBLIC.replace("c74f20a3", "c74f20a4"), PUBLIC.replace("Peter", "peter"), PUBLIC.slice(0, -1), "a+b+c"]) {
      expect(parseVerifierKey(text)).toBeUndefined();
    }
  });
});
