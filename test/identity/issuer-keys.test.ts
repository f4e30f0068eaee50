/** The keys of an issuer: found by its metadata, shared, fetched no more often than they may be, and kept for a bounded time. */
import { describe, expect, it } from "vitest";
import { discoverKeys, type FetchJson, listMetadataUrls } from "../../src/identity/discover-keys.ts";
import {
  createIssuerKeys,
  type IssuerKeys,
  KEYS_COOLDOWN_MS,
  KEYS_FRESH_MS,
  KEYS_KEPT_MS,
  KeysUnavailable,
  MAX_KEY_WAITS,
} from "../../src/identity/issuer-keys.ts";
import { MAX_ISSUER_KEYS, readKeySet } from "../../src/identity/key-set.ts";
import type { Json } from "../../src/kernel/json.ts";
import { type IssuerKey, makeKey } from "../support/issuer.ts";

const ISSUER = "https://idp.example.com";
const NOW_MS = Date.UTC(2026, 0, 5, 9);

interface Rig {
  keys: IssuerKey[];
  fault: string | undefined;
  hold: Promise<void> | undefined;
  readonly asked: string[];
  readonly said: string[];
  readonly subject: IssuerKeys;
}

function createRig(keys: IssuerKey[]): Rig {
  const said: string[] = [];
  const rig = {
    keys,
    fault: undefined as string | undefined,
    hold: undefined as Promise<void> | undefined,
    asked: [] as string[],
    said,
    subject: undefined as unknown as IssuerKeys,
  };
  const fetchJson: FetchJson = async (url) => {
    rig.asked.push(url);
    await rig.hold;
    if (rig.fault !== undefined) throw new Error(rig.fault);
    return { keys: rig.keys.map(({ jwk }) => jwk) } as unknown as Json;
  };
  rig.subject = createIssuerKeys({ issuer: ISSUER, jwksUri: `${ISSUER}/keys`, fetchJson, say: (words) => void said.push(words) });
  return rig;
}

const headerOf = ({ kid, alg }: IssuerKey) => ({ kid, alg });

describe("keys", () => {
  it("are waited for by no more than the bound, and those that are known by nobody", async () => {
    const [known, unknown] = [await makeKey(), await makeKey()];
    const rig = createRig([known]);
    await rig.subject.find(headerOf(known), NOW_MS);
    const gate = Promise.withResolvers<void>();
    rig.hold = gate.promise;
    const laterMs = NOW_MS + KEYS_COOLDOWN_MS;
    const waiting = Array.from({ length: MAX_KEY_WAITS }, () => rig.subject.find(headerOf(unknown), laterMs).catch(() => "no key"));
    await expect(rig.subject.find(headerOf(unknown), laterMs)).rejects.toThrow(KeysUnavailable);
    expect(await rig.subject.find(headerOf(known), laterMs)).toBeDefined();
    gate.resolve();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["no key"]));
    await expect(rig.subject.find(headerOf(unknown), laterMs)).rejects.not.toThrow(KeysUnavailable);
  });

  it("are fetched once for all who wait", async () => {
    const key = await makeKey();
    const rig = createRig([key]);
    const gate = Promise.withResolvers<void>();
    rig.hold = gate.promise;
    const waiting = Array.from({ length: 100 }, () => rig.subject.find(headerOf(key), NOW_MS));
    gate.resolve();
    expect(new Set(await Promise.all(waiting)).size).toBe(1);
    expect(rig.asked).toEqual([`${ISSUER}/keys`]);
  });

  it("that are not there are asked for at most once in the cool-down", async () => {
    const [known, fresh] = [await makeKey(), await makeKey()];
    const rig = createRig([known]);
    await rig.subject.find(headerOf(known), NOW_MS);
    rig.keys = [fresh, known];
    for (let ms = 0; ms < KEYS_COOLDOWN_MS; ms += 1000) {
      await expect(rig.subject.find(headerOf(fresh), NOW_MS + ms)).rejects.toThrow(/no applicable key/i);
    }
    expect(rig.asked.length).toBe(1);
    const later = NOW_MS + KEYS_COOLDOWN_MS;
    const found = await Promise.all(Array.from({ length: 50 }, () => rig.subject.find(headerOf(fresh), later)));
    expect(found.length).toBe(50);
    await rig.subject.find(headerOf(known), later);
    expect(rig.asked.length).toBe(2);
    expect(rig.subject.epoch).toBe(0);
  });

  it("that were taken away raise the epoch; a new one does not", async () => {
    const [old, next] = [await makeKey(), await makeKey()];
    const rig = createRig([old]);
    await rig.subject.find(headerOf(old), NOW_MS);
    rig.keys = [next, old];
    expect(rig.subject.check(NOW_MS + KEYS_FRESH_MS)).toBe(true);
    await rig.subject.find(headerOf(next), NOW_MS + KEYS_FRESH_MS);
    expect(rig.subject.epoch).toBe(0);
    rig.keys = [next];
    rig.subject.check(NOW_MS + 2 * KEYS_FRESH_MS);
    await expect.poll(() => rig.subject.epoch).toBe(1);
    await expect(rig.subject.find(headerOf(old), NOW_MS + 2 * KEYS_FRESH_MS)).rejects.toThrow(/no applicable key/i);
  });

  it("go on while the issuer is down, for a bounded time, and come back", async () => {
    const key = await makeKey();
    const rig = createRig([key]);
    await rig.subject.find(headerOf(key), NOW_MS);
    rig.fault = "https://idp.example.com can't be reached";
    for (let ms = KEYS_FRESH_MS; ms < KEYS_KEPT_MS; ms += KEYS_FRESH_MS) {
      expect(await rig.subject.find(headerOf(key), NOW_MS + ms)).toBeDefined();
      await Promise.resolve();
    }
    expect(rig.subject.check(NOW_MS + KEYS_KEPT_MS - 1)).toBe(true);
    expect(rig.subject.check(NOW_MS + KEYS_KEPT_MS)).toBe(false);
    await expect(rig.subject.find(headerOf(key), NOW_MS + KEYS_KEPT_MS)).rejects.toThrow(KeysUnavailable);
    expect(rig.said).toEqual([`The issuer's keys can't be fetched: ${rig.fault}.`]);
    rig.fault = undefined;
    const later = NOW_MS + KEYS_KEPT_MS + KEYS_COOLDOWN_MS;
    expect(await rig.subject.find(headerOf(key), later)).toBeDefined();
    expect(rig.said.at(-1)).toBe("The issuer's keys are there again.");
  });

  it("that were never there are no fault of a token, and are not asked for in every call", async () => {
    const key = await makeKey();
    const rig = createRig([key]);
    rig.fault = "down";
    for (let ms = 0; ms < KEYS_COOLDOWN_MS; ms += 500) {
      await expect(rig.subject.find(headerOf(key), NOW_MS + ms)).rejects.toThrow(KeysUnavailable);
    }
    expect(rig.asked.length).toBe(1);
  });
});

describe("a key set", () => {
  it("keeps public keys for signatures, and of each what a public key is made of", async () => {
    const key = await makeKey();
    const private_ = { ...key.jwk, kid: "private", d: "AAAA" };
    const set = readKeySet({
      keys: [
        { ...key.jwk, x5u: "https://evil.example", "x5t#S256": "x" },
        private_,
        { kty: "oct", k: "AAAA", kid: "shared" },
        { ...key.jwk, kid: "encrypting", use: "enc" },
        { ...key.jwk, kid: "wrapping", key_ops: ["wrapKey"] },
        { kty: "AKP", alg: "ML-DSA-44", pub: "AAAA" },
        "text",
        null,
        [],
      ],
    } as unknown as Json);
    expect(set.spellings.size).toBe(1);
    expect([...set.spellings][0]).not.toContain("evil");
    for (const kid of ["private", "shared", "encrypting", "wrapping"]) {
      await expect(set.findKey({ alg: "ES256", kid })).rejects.toThrow(/no applicable key/i);
    }
    expect(await set.findKey({ alg: "ES256", kid: key.kid })).toBeDefined();
    await expect(set.findKey({ alg: "HS256", kid: "shared" })).rejects.toThrow();
  });

  it.each<[string, unknown]>([
    ["nothing", null],
    ["a list", []],
    ["no keys", {}],
    ["keys that are no list", { keys: {} }],
    ["too many", { keys: Array.from({ length: MAX_ISSUER_KEYS + 1 }, () => ({})) }],
  ])("is none: %s", (_, document) => {
    expect(() => readKeySet(document as Json)).toThrow();
  });
});

describe("the metadata of an issuer", () => {
  it("is looked for where the specifications say", () => {
    expect(listMetadataUrls("https://idp.example.com")).toEqual([
      "https://idp.example.com/.well-known/oauth-authorization-server",
      "https://idp.example.com/.well-known/openid-configuration",
    ]);
    expect(listMetadataUrls("https://idp.example.com/")).toEqual(listMetadataUrls("https://idp.example.com"));
    expect(listMetadataUrls("https://idp.example.com/realms/one")).toEqual([
      "https://idp.example.com/.well-known/oauth-authorization-server/realms/one",
      "https://idp.example.com/.well-known/openid-configuration/realms/one",
      "https://idp.example.com/realms/one/.well-known/openid-configuration",
    ]);
  });

  const discover = (documents: Readonly<Record<string, unknown>>, issuer = ISSUER): Promise<string> =>
    discoverKeys(
      issuer,
      async (url) => {
        if (!Object.hasOwn(documents, url)) throw new Error("answered 404");
        return documents[url] as Json;
      },
      new AbortController().signal,
    );

  it("names the keys, whichever place has it", async () => {
    for (const url of listMetadataUrls(`${ISSUER}/tenant`)) {
      const metadata = { issuer: `${ISSUER}/tenant`, jwks_uri: "https://keys.example.com/all" };
      expect(await discover({ [url]: metadata }, `${ISSUER}/tenant`)).toBe("https://keys.example.com/all");
    }
  });

  it.each<[string, unknown]>([
    ["of another issuer", { issuer: "https://evil.example", jwks_uri: "https://evil.example/keys" }],
    ["of an issuer spelt otherwise", { issuer: `${ISSUER}/`, jwks_uri: `${ISSUER}/keys` }],
    ["of none", { jwks_uri: `${ISSUER}/keys` }],
    ["without keys", { issuer: ISSUER }],
    ["with keys in plain text", { issuer: ISSUER, jwks_uri: "http://idp.example.com/keys" }],
    ["with keys of a file", { issuer: ISSUER, jwks_uri: "file:///etc/passwd" }],
    ["with a credential", { issuer: ISSUER, jwks_uri: "https://user:password@idp.example.com/keys" }],
    ["that is a text", "metadata"],
  ])("%s names nothing", async (_, metadata) => {
    const documents = Object.fromEntries(listMetadataUrls(ISSUER).map((url) => [url, metadata]));
    await expect(discover(documents)).rejects.toThrow(/^no metadata of the issuer names its keys/);
  });
});
