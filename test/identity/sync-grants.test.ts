/** Grants of a configuration file: the store equals the file, revocation outlasts it, nothing is written twice. */
import { beforeEach, describe, expect, it } from "vitest";
import type { GrantConfig } from "../../src/config/config.ts";
import { addGrant, restoreGrant, revokeGrant, rotateGrant } from "../../src/identity/change-grants.ts";
import { readGrant } from "../../src/identity/grant.ts";
import { createGrantIndex, type FoundGrant } from "../../src/identity/grant-index.ts";
import { syncGrants } from "../../src/identity/sync-grants.ts";
import type { Result } from "../../src/kernel/failure.ts";
import { readGeneration } from "../../src/store/generation.ts";
import type { Batch, Store } from "../../src/store/store.ts";
import { fileGrant, KEY, NOW_MS, openGrants, randomBytes, unwrap } from "./open-grants.ts";

const ONE = "token-number-one-of-the-file";
const TWO = "token-number-two-of-the-file";
const act = { by: "bob@example.com", nowMs: NOW_MS + 5 };

let store: Store;
let find: (token: string) => Promise<FoundGrant>;

beforeEach(async () => {
  store = await openGrants();
  const index = createGrantIndex(store, KEY);
  find = async (token) => {
    await index.refresh();
    return index.find(token, NOW_MS);
  };
});

const sync = (...grants: GrantConfig[]): Promise<Result<{ readonly changes: readonly { readonly action: string }[] }>> =>
  store.write((batch) => syncGrants(batch, grants, { key: KEY, nowMs: NOW_MS }));
const actions = async (...grants: GrantConfig[]): Promise<string[]> => unwrap(await sync(...grants)).changes.map((change) => change.action);
const revoke = (label: string): Promise<unknown> => store.write((batch) => revokeGrant(batch, label, act));

describe("grants of the file", () => {
  it("are added, and a second time nothing happens", async () => {
    expect(await actions(fileGrant("alice", ONE))).toEqual(["grant.added"]);
    const before = await readGeneration(store.query);
    expect(await actions(fileGrant("alice", ONE))).toEqual([]);
    expect(await readGeneration(store.query)).toBe(before);
    expect((await find(ONE)).grant).toMatchObject({ label: "alice", origin: "file", createdBy: "file" });
  });

  it("read what concerns them alone, however many others there are", async () => {
    const OTHERS = 200;
    await store.write(async (batch) => {
      for (let index = 0; index < OTHERS; index++) {
        const { token: _token, ...terms } = fileGrant(`other-${index}`, ONE);
        unwrap(await addGrant(batch, { ...terms, ...act, key: KEY, randomBytes, origin: "cli", canAsk: false }));
      }
    });
    let rows = 0;
    const count = (batch: Batch): Batch =>
      new Proxy(batch, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key, target);
          if (typeof value !== "function") return value;
          if (key !== "all") return value.bind(target) as unknown;
          return async (...words: Parameters<Batch["all"]>) => {
            const found = await target.all(...words);
            rows += found.length;
            return found;
          };
        },
      });
    const synced = await store.write((batch) => syncGrants(count(batch), [fileGrant("alice", ONE)], { key: KEY, nowMs: NOW_MS }));
    expect(unwrap(synced).changes).toHaveLength(1);
    expect(rows).toBeLessThan(10);
    // And is still in the way of whoever has its label.
    expect((await sync(fileGrant("alice", ONE), fileGrant("other-7", TWO))).ok).toBe(false);
  });

  it.each<[string, Partial<GrantConfig>]>([
    ["identity", { identity: "other@example.com" }],
    ["no identity", { identity: undefined }],
    ["owner", { owner: "carol@example.com" }],
    ["tags", { tags: { team: "sales" } }],
    ["end", { expiresMs: NOW_MS + 1000 }],
    ["policy", { servers: [{ server: "sendit", policy: "other" }] }],
    ["no policy", { servers: [{ server: "sendit", policy: undefined }] }],
    ["servers", { servers: [{ server: "files", policy: "standard" }] }],
  ])("change with the file: %s", async (_, over) => {
    await sync(fileGrant("alice", ONE));
    const { id } = (await find(ONE)).grant!;
    expect(await actions(fileGrant("alice", ONE, over))).toEqual(["grant.changed"]);
    const { grant } = await find(ONE);
    const { servers, tags, ...plain } = fileGrant("alice", ONE, over);
    expect(grant).toMatchObject({ id, identity: plain.identity, owner: plain.owner, expiresMs: plain.expiresMs });
    expect({ ...grant?.tags }).toEqual(tags);
    expect([...grant!.servers]).toEqual(servers.map(({ server, policy }) => [server, policy]));
    expect(await actions(fileGrant("alice", ONE, over))).toEqual([]);
  });

  it("are out of force when they leave the file, and the same grant when they return", async () => {
    await sync(fileGrant("alice", ONE), fileGrant("ci", TWO));
    const { id } = (await find(ONE)).grant!;
    expect(await actions(fileGrant("ci", TWO))).toEqual(["grant.removed"]);
    expect((await find(ONE)).grant).toBeUndefined();
    expect((await find(TWO)).grant?.label).toBe("ci");
    expect(await actions(fileGrant("ci", TWO))).toEqual([]);
    expect(await actions(fileGrant("alice", ONE), fileGrant("ci", TWO))).toEqual(["grant.added"]);
    expect((await find(ONE)).grant?.id).toBe(id);
  });

  it("may change their tokens with each other, and hand one on", async () => {
    await sync(fileGrant("alice", ONE), fileGrant("ci", TWO));
    await sync(fileGrant("alice", TWO), fileGrant("ci", ONE));
    expect([(await find(ONE)).grant?.label, (await find(TWO)).grant?.label]).toEqual(["ci", "alice"]);
    unwrap(await sync(fileGrant("new", ONE)));
    expect([(await find(ONE)).grant?.label, (await find(TWO)).grant]).toEqual(["new", undefined]);
  });

  it("take a new token at once", async () => {
    await sync(fileGrant("alice", ONE));
    await find(ONE);
    expect(await actions(fileGrant("alice", TWO))).toEqual(["grant.rotated"]);
    expect((await find(ONE)).reason).toBe("unknown");
    expect((await find(TWO)).grant?.label).toBe("alice");
  });

  it("are only judged in a dry run", async () => {
    await sync(fileGrant("alice", ONE));
    const before = await readGeneration(store.query);
    const dry = await store.write((batch) => syncGrants(batch, [fileGrant("ci", TWO)], { key: KEY, nowMs: NOW_MS, dryRun: true }));
    expect(unwrap(dry).changes.map(({ action, grant }) => `${action} ${grant}`)).toEqual(["grant.removed alice", "grant.added ci"]);
    expect(await readGeneration(store.query)).toBe(before);
    expect((await find(ONE)).grant?.label).toBe("alice");
    expect((await find(TWO)).grant).toBeUndefined();
  });

  it("can't be rotated by hand", async () => {
    await sync(fileGrant("alice", ONE));
    const result = await store.write((batch) => rotateGrant(batch, "alice", { ...act, key: KEY, randomBytes }));
    expect(result).toMatchObject({ ok: false, failures: [{ code: "conflict" }] });
  });
});

describe("a revoked grant of the file", () => {
  beforeEach(async () => {
    await sync(fileGrant("alice", ONE));
    await revoke("alice");
  });

  it("stays revoked when the file is read again, changed or with a new token, until it is restored", async () => {
    await sync(fileGrant("alice", ONE));
    expect((await find(ONE)).reason).toBe("revoked");
    await sync(fileGrant("alice", TWO, { tags: {} }));
    expect((await find(TWO)).reason).toBe("revoked");
    expect((await find(ONE)).grant).toBeUndefined();
    const { change } = unwrap(await store.write((batch) => restoreGrant(batch, "alice", act)));
    expect(change).toMatchObject({ action: "grant.restored", grant: "alice" });
    expect((await find(TWO)).grant?.label).toBe("alice");
    expect((await find(ONE)).grant).toBeUndefined();
  });

  it("stays revoked when it leaves the file and comes back", async () => {
    await sync();
    await sync(fileGrant("alice", TWO));
    expect((await find(TWO)).reason).toBe("revoked");
  });

  it("keeps its token from coming back under another label", async () => {
    const result = await sync(fileGrant("alice-again", ONE));
    expect(result).toMatchObject({ ok: false, failures: [{ code: "conflict", at: { pointer: "/grants/alice-again/token" } }] });
    expect(JSON.stringify(result)).not.toContain(ONE);
    expect((await find(ONE)).reason).toBe("revoked");
    expect(await readGrant(store.query, "alice-again")).toBeUndefined();
  });

  it("that left the file frees its token when it is restored", async () => {
    await sync();
    await store.write((batch) => restoreGrant(batch, "alice", act));
    expect((await find(ONE)).reason).toBe("removed");
    unwrap(await sync(fileGrant("alice-again", ONE)));
    expect((await find(ONE)).grant?.label).toBe("alice-again");
  });
});

describe("grants made by hand", () => {
  const byHand = (label: string): Parameters<typeof addGrant>[1] => {
    const { token: _, ...terms } = fileGrant(label, ONE);
    return { ...terms, origin: "cli", canAsk: false, key: KEY, randomBytes, ...act };
  };

  it("stand beside those of the file and outlast it", async () => {
    const { token } = unwrap(await store.write((batch) => addGrant(batch, byHand("mine"))));
    await sync(fileGrant("alice", ONE));
    await sync();
    expect((await find(token)).grant?.label).toBe("mine");
  });

  it("can't be taken over by the file, neither their label nor their token; then nothing is written", async () => {
    const { token } = unwrap(await store.write((batch) => addGrant(batch, byHand("mine"))));
    const taken = await sync(fileGrant("other", TWO), fileGrant("mine", ONE));
    expect(taken).toMatchObject({ ok: false, failures: [{ code: "conflict", at: { pointer: "/grants/mine" } }] });
    const doubled = await sync(fileGrant("other", token));
    expect(doubled).toMatchObject({ ok: false, failures: [{ code: "conflict", at: { pointer: "/grants/other/token" } }] });
    expect(JSON.stringify(doubled)).not.toContain(token);
    expect((await find(TWO)).grant).toBeUndefined();
    expect((await find(token)).grant?.label).toBe("mine");
  });
});
