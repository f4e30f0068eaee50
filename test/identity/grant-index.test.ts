/** The index answers from memory, tells nothing of strangers, and never outlives a change. */
import { describe, expect, it } from "vitest";
import { createGrantIndex } from "../../src/identity/grant-index.ts";
import { ensureOrganisation, readOrganisation } from "../../src/identity/organisation.ts";
import { syncGrants } from "../../src/identity/sync-grants.ts";
import { createToken, hashToken, prepareTokenKey, readTokenId } from "../../src/identity/token.ts";
import type { Store } from "../../src/store/store.ts";
import { fileGrant, KEY, NOW_MS, openGrants, randomBytes } from "./open-grants.ts";

const TOKEN = "correct-horse-battery";

/** A store that counts the statements it is asked. */
function counting(store: Store): { readonly store: Store; asked(): number } {
  let asked = 0;
  const counted: Store = {
    write: (job) => store.write(job),
    get query() {
      asked++;
      return store.query;
    },
    readEpoch: () => store.readEpoch(),
    get waiting() {
      return store.waiting;
    },
    close: () => store.close(),
  };
  return { store: counted, asked: () => asked };
}

describe("the index of grants", () => {
  it("finds a bearer by an index, however many there are", async () => {
    const real = await openGrants();
    const asked: string[] = [];
    const store: Store = {
      ...counting(real).store,
      readEpoch: () => real.readEpoch(),
      query: { executeQuery: (query: { sql: string }) => (asked.push(query.sql), real.query.executeQuery(query as never)) } as never,
    };
    const index = createGrantIndex(store, KEY);
    await index.refresh();
    await index.find(TOKEN, NOW_MS);
    const sql = asked.find((text) => text.includes("token_hash = ?")) ?? "";
    const plan = await real.write((batch) => batch.all(`EXPLAIN QUERY PLAN ${sql}`, ["x"]));
    const steps = plan.map((step) => String(step["detail"]));
    expect(steps.length).toBeGreaterThan(1);
    expect(steps.filter((step) => !step.startsWith("SEARCH") && !step.includes("ORDER BY"))).toEqual([]);
  });

  it("asks the store once for a bearer, and then answers at once", async () => {
    const real = await openGrants();
    await real.write((batch) => syncGrants(batch, [fileGrant("alice", TOKEN)], { key: KEY, nowMs: NOW_MS }));
    const { store, asked } = counting(real);
    const index = createGrantIndex(store, KEY);
    await index.refresh();
    const before = asked();
    expect((await index.find(TOKEN, NOW_MS)).grant?.label).toBe("alice");
    expect(asked()).toBe(before + 1);
    for (let round = 0; round < 100; round++) {
      expect(typeof index.refresh()).toBe("number");
      expect(index.find(TOKEN, NOW_MS)).toMatchObject({ grant: { label: "alice" } });
    }
    expect(asked()).toBe(before + 1);
  });

  it("asks once for a stranger too, until something changes", async () => {
    const real = await openGrants();
    const { store, asked } = counting(real);
    const index = createGrantIndex(store, KEY);
    await index.refresh();
    expect(await index.find(TOKEN, NOW_MS)).toEqual({ grant: undefined, reason: "unknown" });
    const before = asked();
    expect(index.find(TOKEN, NOW_MS)).toEqual({ grant: undefined, reason: "unknown" });
    expect(asked()).toBe(before);
    await real.write((batch) => syncGrants(batch, [fileGrant("alice", TOKEN)], { key: KEY, nowMs: NOW_MS }));
    await index.refresh();
    expect((await index.find(TOKEN, NOW_MS)).grant?.label).toBe("alice");
  });

  it("asks nothing for what can't be a token", async () => {
    const { store, asked } = counting(await openGrants());
    const index = createGrantIndex(store, KEY);
    for (const bearer of ["", "short", "x".repeat(5000), `${"x".repeat(20)}\ud800`]) {
      expect(index.find(bearer, NOW_MS)).toEqual({ grant: undefined, reason: "unknown" });
    }
    expect(asked()).toBe(0);
  });

  it("tells by its version whether anything changed", async () => {
    const store = await openGrants();
    const index = createGrantIndex(store, KEY);
    const first = await index.refresh();
    expect(await index.refresh()).toBe(first);
    await store.write(async (batch) => void (await batch.run("CREATE TABLE elsewhere (x integer NOT NULL)")));
    expect(await index.refresh()).toBe(first);
    await store.write((batch) => syncGrants(batch, [fileGrant("alice", TOKEN)], { key: KEY, nowMs: NOW_MS }));
    expect(await index.refresh()).not.toBe(first);
  });

  it("does not remember what it read before a change that came while it read", async () => {
    const store = await openGrants();
    const sync = (label: string): Promise<unknown> =>
      store.write((batch) => syncGrants(batch, [fileGrant(label, TOKEN)], { key: KEY, nowMs: NOW_MS }));
    await sync("before");
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let slow = true;
    const held: Store = {
      ...counting(store).store,
      readEpoch: () => store.readEpoch(),
      get query() {
        if (!slow) return store.query;
        slow = false;
        return {
          executeQuery: async (query: never) => {
            const rows = await store.query.executeQuery(query);
            await gate;
            return rows;
          },
        } as never;
      },
    };
    const index = createGrantIndex(held, KEY);
    slow = false;
    await index.refresh();
    slow = true;
    const early = index.find(TOKEN, NOW_MS);
    await sync("after");
    await index.refresh();
    release();
    expect((await early).grant?.label).toBe("before");
    expect((await index.find(TOKEN, NOW_MS)).grant?.label).toBe("after");
  });

  it("asks for the end of a grant at each find", async () => {
    const store = await openGrants();
    const expiring = fileGrant("alice", TOKEN, { expiresMs: NOW_MS + 1000 });
    await store.write((batch) => syncGrants(batch, [expiring], { key: KEY, nowMs: NOW_MS }));
    const index = createGrantIndex(store, KEY);
    await index.refresh();
    expect((await index.find(TOKEN, NOW_MS + 999)).grant?.label).toBe("alice");
    expect(await index.find(TOKEN, NOW_MS + 1000)).toEqual({ grant: undefined, reason: "expired", label: "alice" });
  });

  it("refuses to answer where the store can't be asked", async () => {
    const store = await openGrants();
    const index = createGrantIndex(
      {
        ...counting(store).store,
        readEpoch: () => {
          throw new Error("gone");
        },
      },
      KEY,
    );
    expect(() => index.refresh()).toThrow("gone");
  });

  it("knows no grant by a token that was hashed with another key", async () => {
    const store = await openGrants();
    await store.write((batch) => syncGrants(batch, [fileGrant("alice", TOKEN)], { key: KEY, nowMs: NOW_MS }));
    const index = createGrantIndex(store, new Uint8Array(32).fill(8));
    await index.refresh();
    expect((await index.find(TOKEN, NOW_MS)).reason).toBe("unknown");
  });
});

describe("tokens", () => {
  it("spell 256 bits, each of them", () => {
    const bytes = new Uint8Array(32);
    const zero = createToken("spg", NOW_MS, () => bytes).token.split("_")[2];
    for (let bit = 0; bit < 256; bit++) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3] = 128 >> (bit & 7);
      expect(createToken("spg", NOW_MS, () => flipped).token.split("_")[2]).not.toBe(zero);
    }
  });

  it("are named by their public part alone", () => {
    const { id, token } = createToken("spa", NOW_MS, randomBytes);
    expect(token.startsWith(`spa_${id}_`)).toBe(true);
    expect(readTokenId(token)).toBe(id);
    expect(readTokenId(TOKEN)).toBe("");
    expect(hashToken(prepareTokenKey(KEY), token)).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe("the organisation", () => {
  it("is made once", async () => {
    const store = await openGrants();
    expect(await readOrganisation(store.query)).toBeUndefined();
    const first = await store.write((batch) => ensureOrganisation(batch, "Example", NOW_MS));
    const second = await store.write((batch) => ensureOrganisation(batch, "Other", NOW_MS + 1));
    expect([first.made, second.made]).toEqual([true, false]);
    expect(second.id).toBe(first.id);
    expect(await readOrganisation(store.query)).toEqual({ id: first.id, name: "Example" });
  });
});
