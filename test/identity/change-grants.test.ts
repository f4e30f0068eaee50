/** Acts on grants hold from the next find on, in this process and in every other on the same database. */
import { beforeEach, describe, expect, it } from "vitest";
import { type AddGrant, addGrant, restoreGrant, revokeGrant, rotateGrant } from "../../src/identity/change-grants.ts";
import { listGrants, listOwnerlessGrants, readGrant } from "../../src/identity/grant.ts";
import { createGrantIndex, type FoundGrant, type GrantIndex } from "../../src/identity/grant-index.ts";
import { readGeneration } from "../../src/store/generation.ts";
import type { Store } from "../../src/store/store.ts";
import { KEY, makeFolder, NOW_MS, openGrants, randomBytes, unwrap } from "./open-grants.ts";

const act = { by: "bob@example.com", nowMs: NOW_MS + 1000 };
const add = (label: string, over: Partial<AddGrant> = {}): AddGrant => ({
  label,
  servers: [{ server: "sendit", policy: "standard" }],
  identity: "alice@example.com",
  owner: undefined,
  tags: { team: "support" },
  expiresMs: undefined,
  origin: "cli",
  canAsk: false,
  by: "bob@example.com",
  nowMs: NOW_MS,
  key: KEY,
  randomBytes,
  ...over,
});

async function ask(index: GrantIndex, bearer: string, nowMs = NOW_MS): Promise<FoundGrant> {
  await index.refresh();
  return index.find(bearer, nowMs);
}

let folder: string;
let store: Store;
let index: GrantIndex;

beforeEach(async () => {
  folder = makeFolder();
  store = await openGrants(folder);
  index = createGrantIndex(store, KEY);
});

describe("adding a grant", () => {
  it("gives a token once, of the promised form, that finds the grant with all its terms", async () => {
    const issued = unwrap(await store.write((batch) => addGrant(batch, add("alice-laptop", { owner: "carol@example.com" }))));
    expect(issued.token).toMatch(/^spg_[a-z0-9]{26}_[a-z0-9]{52}$/);
    const { grant } = await ask(index, issued.token);
    expect(grant).toMatchObject({ label: "alice-laptop", identity: "alice@example.com", owner: "carol@example.com", origin: "cli" });
    expect(grant?.tags["team"]).toBe("support");
    expect([...(grant?.servers ?? [])]).toEqual([["sendit", "standard"]]);
    expect(issued.change).toMatchObject({ action: "grant.added", grant: "alice-laptop", by: "bob@example.com" });
    expect(JSON.stringify(issued.change)).not.toContain(issued.token);
  });

  it("keeps the token nowhere in the store", async () => {
    const issued = unwrap(await store.write((batch) => addGrant(batch, add("alice-laptop"))));
    const [, , secret] = issued.token.split("_") as [string, string, string];
    const rows = await store.write((batch) => batch.all("SELECT * FROM access_grant"));
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(secret);
  });

  it("refuses a label that is taken, also by a revoked grant, and writes nothing", async () => {
    await store.write((batch) => addGrant(batch, add("alice-laptop")));
    await store.write((batch) => revokeGrant(batch, "alice-laptop", act));
    const before = await readGeneration(store.query);
    const again = await store.write((batch) => addGrant(batch, add("alice-laptop")));
    expect(again).toMatchObject({ ok: false, failures: [{ code: "conflict" }] });
    expect(await readGeneration(store.query)).toBe(before);
  });

  it.each<[string, Partial<AddGrant>]>([
    ["no server", { servers: [] }],
    ["a server twice", { servers: [add("x").servers[0]!, { server: "sendit", policy: "other" }] }],
    ["a bad label", { label: "Alice" }],
    ["a policy that can ask, without an owner", { canAsk: true }],
    ["an owner that is no address", { owner: "carol" }],
    ["an end that has passed", { expiresMs: NOW_MS }],
    ["an identity of blanks", { identity: "  " }],
  ])("refuses %s", async (_, over) => {
    const result = await store.write((batch) => addGrant(batch, add("alice-laptop", over)));
    expect(result).toMatchObject({ ok: false, failures: [{ code: "usage" }] });
    expect(await listGrants(store.query)).toEqual([]);
  });
});

describe("revoking", () => {
  it("holds at the next find, without anything being opened anew", async () => {
    const { token } = unwrap(await store.write((batch) => addGrant(batch, add("alice-laptop"))));
    expect((await ask(index, token)).grant?.label).toBe("alice-laptop");
    await store.write((batch) => revokeGrant(batch, "alice-laptop", act));
    expect(await ask(index, token)).toEqual({ grant: undefined, reason: "revoked", label: "alice-laptop" });
  });

  it("holds at the next find when another process did it", async () => {
    const other = await openGrants(folder);
    const { token } = unwrap(await store.write((batch) => addGrant(batch, add("alice-laptop"))));
    expect((await ask(index, token)).grant?.label).toBe("alice-laptop");
    await other.write((batch) => revokeGrant(batch, "alice-laptop", act));
    expect((await ask(index, token)).reason).toBe("revoked");
    await other.write((batch) => restoreGrant(batch, "alice-laptop", act));
    expect((await ask(index, token)).grant?.label).toBe("alice-laptop");
  });

  it("says who and when, once, and does nothing the second time", async () => {
    await store.write((batch) => addGrant(batch, add("alice-laptop")));
    const first = unwrap(await store.write((batch) => revokeGrant(batch, "alice-laptop", act)));
    expect(first.change).toEqual({ action: "grant.revoked", grant: "alice-laptop", by: "bob@example.com", details: {} });
    const second = unwrap(await store.write((batch) => revokeGrant(batch, "alice-laptop", { by: "eve", nowMs: NOW_MS + 2000 })));
    expect(second.change).toBeUndefined();
    expect(await readGrant(store.query, "alice-laptop")).toMatchObject({ revokedMs: act.nowMs, revokedBy: "bob@example.com" });
  });

  it("says that a grant is not there", async () => {
    expect(await store.write((batch) => revokeGrant(batch, "nobody", act))).toMatchObject({ ok: false, failures: [{ code: "not_found" }] });
    expect(await store.write((batch) => restoreGrant(batch, "nobody", act))).toMatchObject({
      ok: false,
      failures: [{ code: "not_found" }],
    });
    const odd = await store.write((batch) => rotateGrant(batch, "spg_SECRET", { ...act, key: KEY, randomBytes }));
    expect(odd.ok).toBe(false);
    expect(JSON.stringify(odd)).not.toContain("SECRET");
  });
});

describe("rotating", () => {
  it("ends the old token and begins the new one at the next find, and names who did it", async () => {
    const { token: old } = unwrap(await store.write((batch) => addGrant(batch, add("alice-laptop"))));
    await ask(index, old);
    const { token, change } = unwrap(await store.write((batch) => rotateGrant(batch, "alice-laptop", { ...act, key: KEY, randomBytes })));
    expect((await ask(index, old)).reason).toBe("unknown");
    const { grant } = await ask(index, token);
    expect(grant).toMatchObject({ label: "alice-laptop", rotatedMs: act.nowMs, rotatedBy: "bob@example.com" });
    expect(change.details["tokenId"]).toBe(grant?.tokenId);
    expect(token).toContain(`spg_${grant?.tokenId}_`);
  });

  it("is refused for a revoked grant", async () => {
    await store.write((batch) => addGrant(batch, add("alice-laptop")));
    await store.write((batch) => revokeGrant(batch, "alice-laptop", act));
    const result = await store.write((batch) => rotateGrant(batch, "alice-laptop", { ...act, key: KEY, randomBytes }));
    expect(result).toMatchObject({ ok: false, failures: [{ code: "conflict" }] });
  });
});

describe("lists", () => {
  it("go by label, in pages, with every server of each", async () => {
    for (const label of ["c", "a", "b"]) {
      const servers = [
        { server: "one", policy: "p" },
        { server: "two", policy: undefined },
      ];
      await store.write((batch) => addGrant(batch, add(label, { servers })));
    }
    const first = await listGrants(store.query, { limit: 2 });
    expect(first.map((grant) => grant.label)).toEqual(["a", "b"]);
    expect(first.map((grant) => [...grant.servers])).toEqual([
      [
        ["one", "p"],
        ["two", undefined],
      ],
      [
        ["one", "p"],
        ["two", undefined],
      ],
    ]);
    expect((await listGrants(store.query, { after: "b", limit: 2 })).map((grant) => grant.label)).toEqual(["c"]);
  });

  it("name the grants of a policy that nobody answers for", async () => {
    await store.write((batch) => addGrant(batch, add("owned", { owner: "carol@example.com" })));
    await store.write((batch) => addGrant(batch, add("ownerless")));
    await store.write((batch) => addGrant(batch, add("elsewhere", { servers: [{ server: "sendit", policy: "other" }] })));
    await store.write((batch) => addGrant(batch, add("gone")));
    await store.write((batch) => revokeGrant(batch, "gone", act));
    expect(await listOwnerlessGrants(store.query, "standard")).toEqual(["ownerless"]);
  });
});
