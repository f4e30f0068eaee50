/**
 * A JSON Web Key Set, read with suspicion: public keys for signatures alone, and of each only what a public key is made
 * of. Tells two sets apart by what was taken away.
 */
import { createLocalJWKSet, type JWK } from "jose";
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";

export const MAX_ISSUER_KEYS = 64;

/** What only the holder of a key, or both who share one, may know. */
const SECRET_MEMBERS = ["d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv"];
const PUBLIC_MEMBERS = ["kty", "kid", "alg", "use", "crv", "n", "e", "x", "y"];
const KEY_TYPES: ReadonlySet<Json | undefined> = new Set(["RSA", "EC", "OKP"]);

export interface KeySet {
  /** Each key in one spelling. */
  readonly spellings: ReadonlySet<string>;
  readonly findKey: ReturnType<typeof createLocalJWKSet>;
}

/** Throws where it is no key set. A key that can't be used for this is left out. */
export function readKeySet(document: Json): KeySet {
  const listed = isJsonObject(document) ? readMember(document, "keys") : undefined;
  if (!isJsonList(listed)) throw new Error("the issuer's keys are no key set");
  if (listed.length > MAX_ISSUER_KEYS) throw new Error(`the issuer has more than ${MAX_ISSUER_KEYS} keys`);
  const keys = listed.filter(isJsonObject).filter(isUsable).map(pickPublic);
  return { spellings: new Set(keys.map((key) => JSON.stringify(key))), findKey: createLocalJWKSet({ keys }) };
}

function isUsable(key: JsonObject): boolean {
  const use = readMember(key, "use");
  const operations = readMember(key, "key_ops");
  if (!KEY_TYPES.has(readMember(key, "kty")) || (use !== undefined && use !== "sig")) return false;
  if (operations !== undefined && !(isJsonList(operations) && operations.includes("verify"))) return false;
  return !SECRET_MEMBERS.some((name) => Object.hasOwn(key, name));
}

function pickPublic(key: JsonObject): JWK {
  const picked = PUBLIC_MEMBERS.map((name) => [name, readMember(key, name)] as const).filter(([, value]) => typeof value === "string");
  return Object.fromEntries(picked) as JWK;
}

/** Whether a key of `before` is not in `after`: what it signed counts no more. */
export function hasLostKey(before: KeySet, after: KeySet): boolean {
  return [...before.spellings].some((spelling) => !after.spellings.has(spelling));
}
