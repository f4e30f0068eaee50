/** Servers and policies of a configuration file: the store equals the file, or nothing was written. */
import { beforeEach, describe, expect, it } from "vitest";
import type { PolicyConfig } from "../../src/config/config.ts";
import type { Result } from "../../src/kernel/failure.ts";
import { hashPolicy } from "../../src/policy/print.ts";
import type { HasClasses } from "../../src/revision/candidate.ts";
import { listPolicies, listRevisions } from "../../src/revision/policy.ts";
import { putPolicy, removePolicy } from "../../src/revision/put-policy.ts";
import { createRevisionIndex } from "../../src/revision/revision-index.ts";
import { listServers, putServer, removeServer, syncServers } from "../../src/revision/server.ts";
import { syncPolicies } from "../../src/revision/sync-policies.ts";
import { readGeneration } from "../../src/store/generation.ts";
import type { Store } from "../../src/store/store.ts";
import { countingPolicy, filePolicy, makeFolder, NOW_MS, openRevisions, policyOf, serverOf, unwrap } from "./open-revisions.ts";

let store: Store;
type Synced = Result<{ readonly changes: readonly { readonly action: string; readonly name: string }[] }>;

beforeEach(async () => {
  store = await openRevisions();
});

const servers = (...names: string[]): Promise<Synced> => store.write((batch) => syncServers(batch, names.map(serverOf), { nowMs: NOW_MS }));
const policies = (list: PolicyConfig[], hasClasses: HasClasses = () => true, dryRun = false): Promise<Synced> =>
  store.write((batch) => syncPolicies(batch, list, { nowMs: NOW_MS, hasClasses, dryRun }));
const told = (synced: Synced): string[] => unwrap(synced).changes.map(({ action, name }) => `${action} ${name}`);
const putByHand = (name: string, document = policyOf()): Promise<Result<unknown>> =>
  store.write((batch) =>
    putPolicy(batch, { name, server: "mine", document, origin: "cli", by: "bob", nowMs: NOW_MS, hasClasses: () => true }),
  );
const addMine = (): Promise<unknown> =>
  store.write((batch) => putServer(batch, { name: "mine", origin: "cli", upstream: "sealed", by: "bob", nowMs: NOW_MS }));

describe("servers of the file", () => {
  it("are added, leave and return as the same ones; nothing is announced where nothing differs", async () => {
    expect(told(await servers("a", "b"))).toEqual(["server.added a", "server.added b"]);
    const before = await readGeneration(store.query);
    expect(told(await servers("a", "b"))).toEqual([]);
    expect(await readGeneration(store.query)).toBe(before);
    const [{ id } = { id: "" }] = await listServers(store.query);
    expect(told(await servers("b"))).toEqual(["server.removed a"]);
    expect((await listServers(store.query)).map((server) => server.name)).toEqual(["b"]);
    expect(told(await servers("a", "b"))).toEqual(["server.added a"]);
    expect((await listServers(store.query))[0]?.id).toBe(id);
  });

  it("leave nothing of their addresses and headers in the store", async () => {
    await store.write((batch) => {
      const server = { ...serverOf("a"), headers: { Authorization: "Bearer canary" }, credentials: ["canary"] };
      return syncServers(batch, [server], { nowMs: NOW_MS });
    });
    const rows = await store.write((batch) => batch.all("SELECT * FROM server"));
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toMatch(/canary|example\.com/);
  });

  it("are only judged in a dry run", async () => {
    const dry = await store.write((batch) => syncServers(batch, [serverOf("a")], { nowMs: NOW_MS, dryRun: true }));
    expect(told(dry)).toEqual(["server.added a"]);
    expect(await listServers(store.query)).toEqual([]);
  });

  it("can't take the place of one made by hand, and are not changed by hand", async () => {
    await addMine();
    expect(await servers("a", "mine")).toMatchObject({ ok: false, failures: [{ code: "conflict", at: { pointer: "/servers/mine" } }] });
    expect((await listServers(store.query)).map((server) => server.name)).toEqual(["mine"]);
    await servers("a");
    const put = await store.write((batch) => putServer(batch, { name: "a", origin: "cli", upstream: "x", by: "bob", nowMs: NOW_MS }));
    expect(put).toMatchObject({ ok: false, failures: [{ code: "conflict" }] });
    expect(await store.write((batch) => removeServer(batch, "a", "bob"))).toMatchObject({ ok: false, failures: [{ code: "conflict" }] });
  });
});

describe("servers made by hand", () => {
  it("are added, changed and removed", async () => {
    await addMine();
    const again = await store.write((batch) =>
      putServer(batch, { name: "mine", origin: "cli", upstream: "sealed", by: "b", nowMs: NOW_MS }),
    );
    expect(unwrap(again).change).toBeUndefined();
    const changed = await store.write((batch) =>
      putServer(batch, { name: "mine", origin: "cli", upstream: "new", by: "b", nowMs: NOW_MS }),
    );
    expect(unwrap(changed).change?.action).toBe("server.changed");
    expect((await listServers(store.query))[0]?.upstream).toBe("new");
    expect(unwrap(await store.write((batch) => removeServer(batch, "mine", "b"))).change?.action).toBe("server.removed");
    expect(await listServers(store.query)).toEqual([]);
    expect(await store.write((batch) => removeServer(batch, "mine", "b"))).toMatchObject({ failures: [{ code: "not_found" }] });
    expect(JSON.stringify(await store.write((batch) => batch.all("SELECT upstream FROM server")))).not.toContain("new");
  });

  it("need a name that can be one", async () => {
    const put = await store.write((batch) => putServer(batch, { name: "a b", origin: "cli", upstream: "", by: "b", nowMs: NOW_MS }));
    expect(put).toMatchObject({ ok: false, failures: [{ code: "usage" }] });
  });
});

describe("policies of the file", () => {
  it("are added, changed, leave and return; nothing is announced where nothing differs", async () => {
    const one = filePolicy("one", "a", policyOf());
    const two = filePolicy("two", "a", policyOf());
    expect(told(await policies([one, two]))).toEqual(["policy.added one", "policy.added two"]);
    const before = await readGeneration(store.query);
    expect(told(await policies([two, one]))).toEqual([]);
    expect(await readGeneration(store.query)).toBe(before);
    const other = policyOf({ description: "other" });
    expect(told(await policies([filePolicy("one", "a", other)]))).toEqual(["policy.removed two", "policy.changed one"]);
    expect(told(await policies([filePolicy("one", "b", other), two]))).toEqual(["policy.changed one", "policy.added two"]);
    const listed = await listPolicies(store.query);
    expect(listed.map(({ name, server, revision, present }) => [name, server, revision, present])).toEqual([
      ["one", "b", hashPolicy(other), true],
      ["two", "a", hashPolicy(policyOf()), true],
    ]);
    expect(await listRevisions(store.query, listed[0]?.id ?? "")).toHaveLength(2);
  });

  it("are only judged in a dry run", async () => {
    const before = await readGeneration(store.query);
    expect(told(await policies([filePolicy("one", "a", policyOf())], () => true, true))).toEqual(["policy.added one"]);
    expect(await listPolicies(store.query)).toEqual([]);
    expect(await readGeneration(store.query)).toBe(before);
  });

  it("can't take the place of one made by hand, and are not changed by hand", async () => {
    await addMine();
    unwrap(await putByHand("mine"));
    const taken = await policies([filePolicy("one", "a", policyOf()), filePolicy("mine", "a", policyOf())]);
    expect(taken).toMatchObject({ ok: false, failures: [{ code: "conflict", at: { pointer: "/policies/mine" } }] });
    expect((await listPolicies(store.query)).map(({ name }) => name)).toEqual(["mine"]);
    await policies([filePolicy("one", "a", policyOf())]);
    expect(await putByHand("one")).toMatchObject({ ok: false, failures: [{ code: "conflict" }] });
    expect(await store.write((batch) => removePolicy(batch, "one", "bob"))).toMatchObject({ failures: [{ code: "conflict" }] });
  });

  it("agree in their shared counters with each other and with those made by hand, changed or not", async () => {
    const count = (per?: string): ReturnType<typeof policyOf> => countingPolicy("organisation", per === undefined ? {} : { per });
    const clash = await policies([filePolicy("one", "a", count()), filePolicy("two", "b", count("args.x"), "/etc/two.json")]);
    const pointers = clash.ok ? [] : clash.failures.map(({ at }) => [at?.file, at?.pointer]);
    expect(pointers).toEqual([
      ["/etc/two.json", "/all_tools/limits/0/counter"],
      ["/etc/two.json", "/all_tools/limits/0/per"],
    ]);
    unwrap(await policies([filePolicy("one", "a", count())]));
    const late = await policies([filePolicy("one", "a", count()), filePolicy("two", "b", count("args.x"))]);
    expect(late.ok ? "" : late.failures[0]?.at?.pointer).toBe("/policies/two/document/all_tools/limits/0/counter");
    await addMine();
    expect((await putByHand("hand", count("args.x"))).ok).toBe(false);
    unwrap(await policies([]));
    unwrap(await putByHand("hand", count("args.x")));
    expect((await policies([filePolicy("one", "a", count())])).ok).toBe(false);
  });

  it("that select by class need classes when they change, and go on where they were", async () => {
    const byClass = policyOf({ tools: { "@read": {} } });
    const refused = await policies([filePolicy("one", "a", byClass)], () => false);
    expect(refused).toMatchObject({ failures: [{ at: { pointer: "/policies/one/document/tools/@read" } }] });
    unwrap(await policies([filePolicy("one", "a", byClass)], () => undefined));
    expect(told(await policies([filePolicy("one", "a", byClass)], () => false))).toEqual([]);
  });
});

describe("the index of revisions", () => {
  it("compiles a revision once and answers at once until something changes", async () => {
    await policies([filePolicy("one", "a", policyOf()), filePolicy("two", "a", policyOf())]);
    const index = createRevisionIndex(store);
    index.refresh(1);
    const first = await index.activePolicy("one");
    expect(first).toMatchObject({ name: "one", server: "a", revision: hashPolicy(policyOf()) });
    expect(index.activePolicy("one")).toBe(first);
    expect((await index.activePolicy("two"))?.compiled).toBe(first?.compiled);
    index.refresh(1);
    expect(index.activePolicy("one")).toBe(first);
    index.refresh(2);
    const again = await index.activePolicy("one");
    expect(again).not.toBe(first);
    expect(again?.compiled).toBe(first?.compiled);
    expect(await index.activePolicy("three")).toBeUndefined();
  });

  it("sees a change that another process made", async () => {
    const folder = makeFolder();
    const [mine, other] = [await openRevisions(folder), await openRevisions(folder)];
    const index = createRevisionIndex(mine);
    const put = (description: string): Promise<unknown> =>
      other.write((batch) =>
        syncPolicies(batch, [filePolicy("one", "a", policyOf({ description }))], { nowMs: NOW_MS, hasClasses: () => true }),
      );
    for (const description of ["first", "second", "third"]) {
      await put(description);
      index.refresh(await readGeneration(mine.query));
      expect((await index.activePolicy("one"))?.revision).toBe(hashPolicy(policyOf({ description })));
    }
  });

  it("decides by the compiled document", async () => {
    await policies([filePolicy("one", "a", policyOf({ tools: { send: {} } }))]);
    const index = createRevisionIndex(store);
    const { compiled } = (await index.activePolicy("one"))!;
    const context = { grant: { label: "g", tags: {} }, server: { name: "a" }, nowMs: NOW_MS };
    expect(compiled.decideCall({ name: "send", args: {}, tool: undefined }, context).decision).toBe("permit");
    expect(compiled.decideCall({ name: "other", args: {}, tool: undefined }, context)).toMatchObject({ rule: "(default deny)" });
  });

  it("finds servers by name and id, of now", async () => {
    await servers("a", "b");
    const index = createRevisionIndex(store);
    index.refresh(1);
    const found = await index.findServer("a");
    expect(found?.name).toBe("a");
    expect(index.findServer(found?.id ?? "")).toBe(found);
    expect(index.findServer("nowhere")).toBeUndefined();
    await servers("b");
    index.refresh(2);
    expect(await index.findServer("a")).toBeUndefined();
    expect(await index.findServer(found?.id ?? "")).toBeUndefined();
  });

  it("rejects where a stored revision can't be read", async () => {
    await policies([filePolicy("one", "a", policyOf())]);
    await store.write((batch) => batch.run("UPDATE policy_revision SET document = ?", ['{"version":"2"}']));
    const index = createRevisionIndex(store);
    await expect(index.activePolicy("one")).rejects.toMatchObject({ failures: [{ code: "invalid_document" }] });
  });
});
