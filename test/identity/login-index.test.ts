/** Tokens of the issuer cost a look into a map, and what is remembered falls with everything that it hangs on. */
import fc from "fast-check";
import { generateKeyPair, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import type { LoginConfig } from "../../src/config/config.ts";
import type { AdminChange } from "../../src/identity/admin-change.ts";
import { restoreGrant, revokeGrant, rotateGrant } from "../../src/identity/change-grants.ts";
import { listGrants, readGrant } from "../../src/identity/grant.ts";
import { createGrantIndex, type FoundGrant } from "../../src/identity/grant-index.ts";
import { createIssuerKeys, KEYS_COOLDOWN_MS, KEYS_FRESH_MS } from "../../src/identity/issuer-keys.ts";
import { syncLoginGrants } from "../../src/identity/login-grants.ts";
import { createLoginIndex, type LoginIndex, MAX_VERIFICATIONS } from "../../src/identity/login-index.ts";
import { labelOf } from "../../src/identity/match-login.ts";
import { LOGIN_LEEWAY_MS, readLogin } from "../../src/identity/read-login.ts";
import { syncGrants } from "../../src/identity/sync-grants.ts";
import { createToken } from "../../src/identity/token.ts";
import type { Json } from "../../src/kernel/json.ts";
import type { Store } from "../../src/store/store.ts";
import { type IssuerKey, makeKey } from "../support/issuer.ts";
import { fileGrant, KEY, NOW_MS, openGrants, randomBytes, unwrap } from "./open-grants.ts";

const ISSUER = "https://idp.example.com";
const BASE = "https://gateway.example.com";
const CONFIG: LoginConfig = {
  issuer: ISSUER,
  audience: undefined,
  scopes: [],
  jwksUri: `${ISSUER}/keys`,
  networkAllow: [],
  identity: "sub",
  emails: "verified",
  tags: {},
  rows: [
    { claims: { role: "chief" }, grant: "alice", servers: [] },
    { claims: { groups: "support" }, grant: undefined, servers: [{ server: "sendit", policy: "standard" }] },
  ],
};

interface Rig {
  readonly store: Store;
  readonly index: LoginIndex;
  readonly changes: AdminChange[];
  keys: IssuerKey[];
  nowMs: number;
  asked: number;
  verified: number;
  hold: Promise<void> | undefined;
  /** After the grant of a person was read, before anybody knows. */
  onRead: (() => Promise<void>) | undefined;
  use(over?: Partial<LoginConfig>): void;
  find(token: string, nowMs?: number): Promise<FoundGrant>;
  sign(claims?: object, key?: IssuerKey): Promise<string>;
}

async function createRig(): Promise<Rig> {
  const real = await openGrants();
  const changes: AdminChange[] = [];
  const store: Store = {
    write: (job) => real.write(job),
    get query() {
      rig.asked++;
      const executeQuery = async (query: { sql: string }) => {
        const rows = await real.query.executeQuery(query as never);
        if (query.sql.includes("access_login")) await rig.onRead?.();
        return rows;
      };
      return { executeQuery } as never;
    },
    readEpoch: () => real.readEpoch(),
    get waiting() {
      return real.waiting;
    },
    close: () => real.close(),
  };
  const index = createLoginIndex({
    grants: createGrantIndex(store, KEY),
    store,
    now: () => rig.nowMs,
    record: (_batch, change) => void changes.push(change),
  });
  const rig: Rig = {
    store: real,
    index,
    changes,
    keys: [await makeKey()],
    nowMs: NOW_MS,
    asked: 0,
    verified: 0,
    hold: undefined,
    onRead: undefined,
    use(over = {}) {
      const fetchJson = async (): Promise<Json> => {
        await rig.hold;
        return { keys: rig.keys.map(({ jwk }) => jwk) } as unknown as Json;
      };
      const keys = createIssuerKeys({ issuer: ISSUER, jwksUri: CONFIG.jwksUri, fetchJson, say: () => undefined });
      const counting = {
        get epoch() {
          return keys.epoch;
        },
        check: (nowMs: number) => keys.check(nowMs),
        find: async (...asked: Parameters<typeof keys.find>) => {
          rig.verified++;
          return await keys.find(...asked);
        },
      };
      index.use({ config: { ...CONFIG, ...over }, base: BASE, keys: counting, nameOf: () => undefined });
    },
    find: async (token, nowMs = rig.nowMs) => {
      await index.refresh();
      return await index.find(token, nowMs);
    },
    sign: async (claims = {}, key = rig.keys[0] as IssuerKey) => {
      const exp = Math.floor(rig.nowMs / 1000) + 3600;
      return await new SignJWT({ iss: ISSUER, sub: "bob", aud: `${BASE}/mcp`, exp, groups: ["support"], ...claims })
        .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "at+jwt" })
        .sign(key.privateKey);
    },
  };
  rig.use();
  return rig;
}

const act = { by: "test", nowMs: NOW_MS };

describe("a token of the issuer", () => {
  it("is verified and looked up once, and then found at once", async () => {
    const rig = await createRig();
    const token = await rig.sign();
    const first = await rig.find(token);
    expect(first.grant).toMatchObject({ label: labelOf(ISSUER, "bob"), identity: "bob", origin: "login" });
    const { asked, verified } = rig;
    for (let round = 0; round < 100; round++) {
      expect(typeof rig.index.refresh()).toBe("number");
      const found = rig.index.find(token, NOW_MS);
      expect(found).not.toBeInstanceOf(Promise);
      expect(found).toMatchObject({ grant: { id: first.grant?.id } });
    }
    expect([rig.asked, rig.verified]).toEqual([asked, verified]);
    expect(verified).toBe(1);
  });

  it("that many bring at the same time is verified once", async () => {
    const rig = await createRig();
    const token = await rig.sign();
    await rig.index.refresh();
    const found = await Promise.all(Array.from({ length: 200 }, () => rig.index.find(token, NOW_MS)));
    expect(new Set(found.map(({ grant }) => grant?.id)).size).toBe(1);
    expect(rig.verified).toBe(1);
    expect((await listGrants(rig.store.query)).length).toBe(1);
    expect(rig.changes.map(({ action, by }) => [action, by])).toEqual([["grant.added", "login"]]);
  });

  it("gives the same person the same grant, and others their own", async () => {
    const rig = await createRig();
    const ids = new Set<string | undefined>();
    for (const exp of [3600, 3601, 3602]) ids.add((await rig.find(await rig.sign({ exp: NOW_MS / 1000 + exp }))).grant?.id);
    expect(ids.size).toBe(1);
    ids.add((await rig.find(await rig.sign({ sub: "carol" }))).grant?.id);
    ids.add((await rig.find(await rig.sign({ sub: "Bob" }))).grant?.id);
    expect(ids.size).toBe(3);
    expect(ids).not.toContain(undefined);
  });

  it("has the terms of its own claims, whatever another token of the same person says", async () => {
    const rig = await createRig();
    rig.use({
      tags: { team: "department" },
      rows: [...CONFIG.rows, { claims: { groups: "ops" }, grant: undefined, servers: [{ server: "files", policy: undefined }] }],
    });
    const [narrow, wide] = [await rig.sign({ department: "care" }), await rig.sign({ groups: ["support", "ops"], department: "ops" })];
    for (let round = 0; round < 2; round++) {
      const [one, two] = [await rig.find(narrow), await rig.find(wide)];
      expect([...(one.grant?.servers ?? [])]).toEqual([["sendit", "standard"]]);
      expect(one.grant?.tags).toEqual({ team: "care" });
      expect([...(two.grant?.servers ?? [])]).toEqual([
        ["sendit", "standard"],
        ["files", undefined],
      ]);
      expect(two.grant?.id).toBe(one.grant?.id);
    }
    expect(rig.changes.map(({ action }) => action)).toEqual(["grant.added", "grant.changed"]);
  });

  it("that is for certain servers gives a grant for no others", async () => {
    const rig = await createRig();
    rig.use({
      rows: [{ claims: { groups: "support" }, grant: undefined, servers: ["a", "b", "c"].map((server) => ({ server, policy: "p" })) }],
    });
    const serversOf = async (aud: unknown) => [...((await rig.find(await rig.sign({ aud }))).grant?.servers.keys() ?? [])];
    expect(await serversOf(`${BASE}/mcp`)).toEqual(["a", "b", "c"]);
    expect(await serversOf(`${BASE}/mcp/b`)).toEqual(["b"]);
    expect(await serversOf([`${BASE}/mcp/c`, `${BASE}/mcp/a`, `${BASE}/mcp/z`])).toEqual(["a", "c"]);
    expect(await serversOf(`${BASE}/mcp/z`)).toEqual([]);
  });

  it("leads to a grant of the file, as that grant is then", async () => {
    const rig = await createRig();
    const token = await rig.sign({ role: "chief" });
    expect(await rig.find(token)).toMatchObject({ reason: "unmapped" });
    const sync = (grants: Parameters<typeof syncGrants>[1]) =>
      rig.store.write((batch) => syncGrants(batch, grants, { key: KEY, nowMs: NOW_MS }));
    await sync([fileGrant("alice", "", { token: undefined })]);
    const found = await rig.find(token);
    expect(found.grant).toMatchObject({ label: "alice", origin: "file", identity: "alice@example.com" });
    await sync([fileGrant("alice", "", { token: undefined, identity: "other@example.com" })]);
    expect((await rig.find(token)).grant).toMatchObject({ id: found.grant?.id, identity: "other@example.com" });
    await rig.store.write((batch) => revokeGrant(batch, "alice", act));
    expect(await rig.find(token)).toMatchObject({ reason: "revoked", label: "alice" });
    await sync([]);
    expect((await rig.find(token)).reason).toBe("revoked");
    await rig.store.write((batch) => restoreGrant(batch, "alice", act));
    expect((await rig.find(token)).reason).toBe("removed");
  });

  it("that lapses ends there, with the leeway, remembered or not", async () => {
    const rig = await createRig();
    const token = await rig.sign({ exp: NOW_MS / 1000 + 10 });
    expect((await rig.find(token)).grant).toBeDefined();
    const endMs = NOW_MS + 10_000 + LOGIN_LEEWAY_MS;
    expect((await rig.find(token, endMs - 1)).grant).toBeDefined();
    expect((await rig.find(token, endMs)).reason).toBe("expired");
    // Whether an answer that is under way may still be seen is asked without the time.
    expect((await rig.find(token, 0)).grant).toBeDefined();
    rig.nowMs = endMs;
    rig.use();
    expect((await rig.find(token)).reason).toBe("expired");
  });
});

describe("a revoked person", () => {
  it("is out from the next look on, with every token, until restored", async () => {
    const rig = await createRig();
    const label = labelOf(ISSUER, "bob");
    const [first, second] = [await rig.sign(), await rig.sign({ jti: "2" })];
    for (const token of [first, second]) expect((await rig.find(token)).grant).toBeDefined();
    unwrap(await rig.store.write((batch) => revokeGrant(batch, label, act)));
    for (const token of [first, second, await rig.sign({ jti: "3", groups: ["support", "more"] })]) {
      expect(await rig.find(token)).toMatchObject({ grant: undefined, reason: "revoked", label });
    }
    rig.use({ tags: { team: "groups" } });
    expect((await rig.find(first)).reason).toBe("revoked");
    unwrap(await rig.store.write((batch) => restoreGrant(batch, label, act)));
    expect((await rig.find(first)).grant).toBeDefined();
    const rotated = await rig.store.write((batch) => rotateGrant(batch, label, { ...act, key: KEY, randomBytes }));
    expect(rotated).toMatchObject({ ok: false, failures: [{ code: "conflict" }] });
  });

  it.each([true, false])("does not come in by a look-up that began before (another comes meanwhile: %o)", async (another) => {
    const rig = await createRig();
    expect((await rig.find(await rig.sign())).grant).toBeDefined();
    const token = await rig.sign({ jti: "2" });
    const gate = Promise.withResolvers<void>();
    const read = Promise.withResolvers<void>();
    rig.onRead = async () => {
      read.resolve();
      await gate.promise;
    };
    await rig.index.refresh();
    const early = rig.index.find(token, NOW_MS);
    await read.promise;
    unwrap(await rig.store.write((batch) => revokeGrant(batch, labelOf(ISSUER, "bob"), act)));
    await rig.index.refresh();
    const late = another ? rig.index.find(token, NOW_MS) : undefined;
    gate.resolve();
    expect((await early).grant).toBeDefined();
    if (late) expect((await late).reason).toBe("revoked");
    expect((await rig.find(token)).reason).toBe("revoked");
  });
});

describe("what is remembered", () => {
  it("falls with another configuration, and with none", async () => {
    const rig = await createRig();
    const token = await rig.sign();
    expect((await rig.find(token)).grant).toBeDefined();
    rig.use({ rows: [] });
    expect((await rig.find(token)).reason).toBe("unmapped");
    rig.use({ scopes: ["mcp:use"] });
    expect((await rig.find(token)).reason).toBe("scope");
    for (const scope of [{ scope: "a mcp:use b" }, { scp: "mcp:use" }, { scp: ["b", "mcp:use"] }]) {
      expect((await rig.find(await rig.sign(scope))).grant, JSON.stringify(scope)).toBeDefined();
    }
    for (const scope of [{ scope: "mcp:user" }, { scope: ["x"] }, { scope: "MCP:USE" }, { scope: "a,mcp:use" }]) {
      expect((await rig.find(await rig.sign(scope))).reason, JSON.stringify(scope)).toBe("scope");
    }
    rig.index.use(undefined);
    expect((await rig.find(token)).reason).toBe("unknown");
  });

  it("falls with a key that the issuer took away", async () => {
    const rig = await createRig();
    const [old, next] = [rig.keys[0] as IssuerKey, await makeKey()];
    const token = await rig.sign({}, old);
    expect((await rig.find(token)).grant).toBeDefined();
    rig.keys = [next];
    rig.nowMs += KEYS_FRESH_MS;
    await expect.poll(async () => (await rig.find(token)).reason).toBe("forged");
    expect((await rig.find(await rig.sign())).grant).toBeDefined();
  });

  it("is a text of the file before it is anything else", async () => {
    const rig = await createRig();
    const token = await rig.sign();
    expect((await rig.find(token)).grant?.origin).toBe("login");
    await rig.store.write((batch) => syncGrants(batch, [fileGrant("exact", token)], { key: KEY, nowMs: NOW_MS }));
    expect((await rig.find(token)).grant?.label).toBe("exact");
    await rig.store.write((batch) => revokeGrant(batch, "exact", act));
    expect(await rig.find(token)).toMatchObject({ reason: "revoked", label: "exact" });
  });

  it("is not waited for by more than the bound", async () => {
    const rig = await createRig();
    const gate = Promise.withResolvers<void>();
    rig.hold = gate.promise;
    rig.use();
    await rig.index.refresh();
    const token = await rig.sign();
    const [header, body] = token.split(".");
    const waiting = Array.from({ length: MAX_VERIFICATIONS }, (_, index) => rig.index.find(`${header}.${body}.${index}`, NOW_MS));
    expect(rig.index.find(token, NOW_MS)).toEqual({ grant: undefined, reason: "unavailable" });
    gate.resolve();
    expect(new Set((await Promise.all(waiting)).map(({ reason }) => reason))).not.toContain(undefined);
    expect((await rig.find(token)).grant).toBeDefined();
  });
});

describe("an issuer that is slow", () => {
  it("keeps nobody out whose key is known, however many tokens name another", async () => {
    const rig = await createRig();
    await rig.find(await rig.sign());
    rig.nowMs += KEYS_COOLDOWN_MS;
    const gate = Promise.withResolvers<void>();
    rig.hold = gate.promise;
    await rig.index.refresh();
    const stranger = await rig.sign({}, await makeKey());
    const [header, body] = stranger.split(".");
    const flood = Array.from({ length: MAX_VERIFICATIONS }, (_, index) => rig.index.find(`${header}.${body}.${index}`, NOW_MS));
    await expect.poll(async () => (await rig.find(await rig.sign({ jti: "late" }))).grant).toBeDefined();
    gate.resolve();
    expect((await Promise.all(flood)).filter(({ grant }) => grant !== undefined)).toEqual([]);
  });
});

describe("keys that rotate while calls come", () => {
  it("let every good token pass, and none of a key that is gone", async () => {
    const rig = await createRig();
    let refused = 0;
    for (let round = 0; round < 5; round++) {
      const old = rig.keys[0] as IssuerKey;
      const next = await makeKey();
      const before = await Promise.all(Array.from({ length: 20 }, (_, n) => rig.sign({ sub: `p${n}`, jti: `${round}-${n}` }, old)));
      await Promise.all(before.map((token) => rig.find(token)));
      // The issuer shows the next key beside the old one first, and then that alone.
      rig.keys = [next, old];
      rig.nowMs += KEYS_COOLDOWN_MS;
      const after = await Promise.all(Array.from({ length: 20 }, (_, n) => rig.sign({ sub: `p${n}`, jti: `${round}+${n}` }, next)));
      const found = await Promise.all([...before, ...after].map((token) => rig.find(token)));
      refused += found.filter(({ grant }) => grant === undefined).length;
      rig.keys = [next];
      rig.nowMs += KEYS_FRESH_MS;
      await expect.poll(async () => (await rig.find(before[0] as string)).reason).toBe("forged");
    }
    expect(refused).toBe(0);
    expect((await listGrants(rig.store.query)).length).toBe(20);
  });
});

describe("a configuration without the issuer", () => {
  it("puts the grants of its people out of force, and a later login back", async () => {
    const rig = await createRig();
    const token = await rig.sign();
    await rig.find(token);
    const label = labelOf(ISSUER, "bob");
    expect(await rig.store.write((batch) => syncLoginGrants(batch, ISSUER, { dryRun: false }))).toEqual([]);
    expect((await rig.store.write((batch) => syncLoginGrants(batch, undefined, { dryRun: true }))).length).toBe(1);
    expect((await readGrant(rig.store.query, label))?.present).toBe(true);
    const gone = await rig.store.write((batch) => syncLoginGrants(batch, "https://other.example.com", { dryRun: false }));
    expect(gone).toEqual([{ action: "grant.removed", grant: label, by: "file", details: {} }]);
    expect((await readGrant(rig.store.query, label))?.present).toBe(false);
    rig.use();
    expect((await rig.find(token)).grant?.present).toBe(true);
    expect((await readGrant(rig.store.query, label))?.present).toBe(true);
    expect(rig.changes.map(({ action }) => action)).toEqual(["grant.added", "grant.added"]);
  });
});

describe("a bearer of another form", () => {
  it("goes to the grants' own tokens as it is, and what they say is the answer", () => {
    const asked: unknown[] = [];
    const answer: FoundGrant = { grant: undefined, reason: "unknown" };
    const grants = { refresh: () => 1, find: (...said: unknown[]) => (asked.push(said), answer) };
    const index = createLoginIndex({ grants, store: undefined as never, now: () => NOW_MS, record: () => undefined });
    const made = fc.integer({ min: 0 }).map((nowMs) => createToken("spg", nowMs, randomBytes).token);
    const chosen = fc.string({ minLength: 1, maxLength: 80 }).filter((text) => !/^[\w-]+\.[\w-]+\.[\w-]*$/.test(text));
    for (const settings of [undefined, { config: CONFIG, base: BASE, keys: undefined as never, nameOf: () => undefined }]) {
      index.use(settings);
      fc.assert(
        fc.property(fc.oneof(made, chosen), fc.nat(), (bearer, nowMs) => {
          expect(index.find(bearer, nowMs)).toBe(answer);
          expect(asked.splice(0)).toEqual([[bearer, nowMs]]);
        }),
      );
    }
  });
});

describe("algorithms", () => {
  it.each(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"])("%s counts", async (alg) => {
    const rig = await createRig();
    rig.keys = [await makeKey(alg)];
    rig.use();
    expect((await rig.find(await rig.sign())).grant).toBeDefined();
  });

  it("that share a secret never do, not even with a key for them", async () => {
    const rig = await createRig();
    const secret = new Uint8Array(32).fill(1);
    const token = await new SignJWT({ iss: ISSUER, sub: "bob", aud: `${BASE}/mcp`, exp: NOW_MS / 1000 + 60 })
      .setProtectedHeader({ alg: "HS256", kid: "shared", typ: "at+jwt" })
      .sign(secret);
    const keys = { epoch: 0, check: () => true, find: async () => secret as never };
    expect(await readLogin(token, { issuer: ISSUER, keys }, NOW_MS)).toBe("forged");
    expect((await rig.find(token)).reason).toBe("forged");
  });

  it("are the key's own: one for RSA is no use for an elliptic one's name", async () => {
    const rig = await createRig();
    const { privateKey } = await generateKeyPair("RS256");
    const token = await new SignJWT({ iss: ISSUER, sub: "bob", aud: `${BASE}/mcp`, exp: NOW_MS / 1000 + 60 })
      .setProtectedHeader({ alg: "RS256", kid: rig.keys[0]?.kid ?? "", typ: "at+jwt" })
      .sign(privateKey);
    expect((await rig.find(token)).reason).toBe("forged");
  });
});
