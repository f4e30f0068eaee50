/**
 * Signed notes (C2SP signed-note, Ed25519): a text, an empty line, and signature lines that name their key. Promises
 * that a note opens only with a good signature of a key that was asked for; signatures of unknown keys are passed over,
 * a bad one of a known key refuses the note.
 */
import { createPublicKey, hash, type KeyObject, verify } from "node:crypto";

const ED25519 = 1;
const KEY_ID_BYTES = 4;
const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const MAX_SIGNATURES = 16;
const MAX_NOTE_CHARACTERS = 64 * 1024;
/** DER of an Ed25519 public key up to its 32 bytes (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const SIGNATURE_LINE = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u;
const VERIFIER = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u;

export interface NoteSigner {
  /** Names the signer in its notes; no space, no plus. */
  readonly name: string;
  readonly publicKey: Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
}

export interface NoteVerifier {
  readonly name: string;
  readonly keyId: Buffer;
  readonly key: KeyObject;
}

function computeKeyId(name: string, publicKey: Uint8Array): Buffer {
  const bytes = Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([ED25519]), publicKey]);
  return hash("sha256", bytes, "buffer").subarray(0, KEY_ID_BYTES);
}

/** Base64 in its one spelling; undefined for any other. */
function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

/** The public key as it is given to those who verify: `name+key id+base64`. */
export function printVerifierKey(name: string, publicKey: Uint8Array): string {
  const key = Buffer.concat([Buffer.from([ED25519]), publicKey]).toString("base64");
  return `${name}+${computeKeyId(name, publicKey).toString("hex")}+${key}`;
}

/** Reads `name+key id+base64`; undefined where it is not such a key or its id is not its own. */
export function parseVerifierKey(text: string): NoteVerifier | undefined {
  const match = VERIFIER.exec(text.trim());
  const bytes = match && decodeBase64(match[3] as string);
  if (!match || !bytes || bytes.length !== 1 + PUBLIC_KEY_BYTES || bytes[0] !== ED25519) return undefined;
  const name = match[1] as string;
  const publicKey = bytes.subarray(1);
  const keyId = computeKeyId(name, publicKey);
  if (keyId.toString("hex") !== match[2]) return undefined;
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: "der", type: "spki" });
  return { name, keyId, key };
}

/** Signs a text, which ends with a line break. */
export function signNote(text: string, signer: NoteSigner): string {
  const signature = Buffer.concat([computeKeyId(signer.name, signer.publicKey), signer.sign(Buffer.from(text))]);
  return `${text}\n\u2014 ${signer.name} ${signature.toString("base64")}\n`;
}

export interface OpenedNote {
  readonly text: string;
  /** Whether the asked-for key has signed it. Without a key nothing is checked and this is false. */
  readonly verified: boolean;
}

/** Splits a note and checks its signature; undefined where it is not a note, or not one of the given key's. */
export function openNote(note: string, verifier: NoteVerifier | undefined): OpenedNote | undefined {
  // oxlint-disable-next-line no-control-regex
  if (note.length > MAX_NOTE_CHARACTERS || !note.isWellFormed() || /[\u0000-\u0009\u000b-\u001f\u007f]/.test(note)) return undefined;
  const split = note.lastIndexOf("\n\n");
  if (split < 0 || !note.endsWith("\n")) return undefined;
  const text = note.slice(0, split + 1);
  const lines = note.slice(split + 2, -1).split("\n");
  if (text === "\n" || lines.length > MAX_SIGNATURES) return undefined;
  let verified = false;
  for (const line of lines) {
    const match = SIGNATURE_LINE.exec(line);
    const bytes = match && decodeBase64(match[2] as string);
    if (!match || !bytes || bytes.length <= KEY_ID_BYTES) return undefined;
    if (!verifier || match[1] !== verifier.name || !bytes.subarray(0, KEY_ID_BYTES).equals(verifier.keyId)) continue;
    const signature = bytes.subarray(KEY_ID_BYTES);
    if (signature.length !== SIGNATURE_BYTES || !verify(null, Buffer.from(text), verifier.key, signature)) return undefined;
    verified = true;
  }
  return verifier && !verified ? undefined : { text, verified };
}
