/** A revision becomes active when it was judged good, and then at once; else nothing has changed. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Result } from "../../src/kernel/failure.ts";
import type { PolicyDocument } from "../../src/policy/document.ts";
import { hashPolicy } from "../../src/policy/print.ts";
import { listPolicies, listRevisions } from "../../src/revision/policy.ts";
import { type ChangedPolicy, type PutPolicy, putPolicy, removePolicy } from "../../src/revision/put-policy.ts";
import { createRevisionIndex, type RevisionIndex } from "../../src/revision/revision-index.ts";
import { putServer } from "../../src/revision/server.ts";
import { readGeneration } from "../../src/store/generation.ts";
import type { Store } from "../../src/store/store.ts";
import { countingPolicy, NOW_MS, openRevisions, policyOf, unwrap } from "./open-revisions.ts";

let store: Store;
let index: RevisionIndex;

beforeEach(async () => {
  store = await openRevisions();
  index = createRevisionIndex(store);
  for (const name of ["sendit", "files"]) {
    await store.write((batch) => putServer(batch, { name, origin: "cli", upstream: "sealed", by: "bob", nowMs: NOW_MS }));
  }
});

function put(name: string, document: PolicyDocument, over: Partial<PutPolicy> = {}): Promise<Result<ChangedPolicy>> {
  const defaults = { server: "sendit", origin: "cli" as const, by: "bob@example.com", nowMs: NOW_MS, hasClasses: () => true };
  return store.write((batch) => putPolicy(batch, { name, document, ...defaults, ...over }));
}

async function activeHash(name: string): Promise<string | undefined> {
  index.refresh(await readGeneration(store.query));
  return (await index.activePolicy(name))?.revision;
}

describe("putting a policy", () => {
  it("makes it active at once, by its hash, and keeps every revision", async () => {
    const [first, second] = [policyOf({ description: "one" }), policyOf({ description: "two" })];
    expect(await activeHash("standard")).toBeUndefined();
    const added = unwrap(await put("standard", first));
    expect(added).toMatchObject({ revision: hashPolicy(first), canAsk: false, change: { action: "policy.added", name: "standard" } });
    expect(await activeHash("standard")).toBe(hashPolicy(first));
    const changed = unwrap(await put("standard", second, { nowMs: NOW_MS + 1, by: "carol@example.com" }));
    expect(changed).toMatchObject({ id: added.id, change: { action: "policy.changed", by: "carol@example.com" } });
    expect(await activeHash("standard")).toBe(hashPolicy(second));
    const revisions = await listRevisions(store.query, added.id);
    expect(revisions.map(({ hash, createdBy }) => [hash, createdBy])).toEqual([
      [hashPolicy(second), "carol@example.com"],
      [hashPolicy(first), "bob@example.com"],
    ]);
  });

  it("goes back to an earlier revision without storing it twice", async () => {
    const [first, second] = [policyOf({ description: "one" }), policyOf({ description: "two" })];
    const { id } = unwrap(await put("standard", first));
    await put("standard", second);
    await put("standard", first);
    expect(await activeHash("standard")).toBe(hashPolicy(first));
    expect(await listRevisions(store.query, id)).toHaveLength(2);
  });

  it("does nothing where that revision is active already", async () => {
    await put("standard", policyOf());
    const before = await readGeneration(store.query);
    expect(unwrap(await put("standard", policyOf())).change).toBeUndefined();
    expect(await readGeneration(store.query)).toBe(before);
  });

  it("says whether a person may be asked under it", async () => {
    const asking = policyOf({ tools: { send: { action: "require_approval" } } });
    expect(unwrap(await put("standard", asking)).canAsk).toBe(true);
    expect(unwrap(await put("standard", asking)).canAsk).toBe(true);
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ["a bad name", () => put("Standard", policyOf()), "usage"],
    ["a server that is not there", () => put("standard", policyOf(), { server: "nowhere" }), "not_found"],
    ["a policy that is not there", () => store.write((batch) => removePolicy(batch, "standard", "bob")), "not_found"],
  ])("is refused for %s", async (_, act, code) => {
    expect(await act()).toMatchObject({ ok: false, failures: [{ code }] });
    expect(await listPolicies(store.query)).toEqual([]);
  });

  it("is refused for a policy of another server", async () => {
    await put("standard", policyOf());
    expect(await put("standard", policyOf(), { server: "files" })).toMatchObject({ ok: false, failures: [{ code: "conflict" }] });
  });

  it("is out of force once removed, and may come back for another server", async () => {
    const { id } = unwrap(await put("standard", policyOf()));
    unwrap(await store.write((batch) => removePolicy(batch, "standard", "bob")));
    expect(await activeHash("standard")).toBeUndefined();
    expect(unwrap(await put("standard", policyOf(), { server: "files" }))).toMatchObject({ id, change: { action: "policy.added" } });
    expect(await activeHash("standard")).toBe(hashPolicy(policyOf()));
  });
});

describe("a policy that selects by class", () => {
  const byTool = policyOf({ tools: { "a/b": {}, "@write": {} } });
  const byHide = policyOf({ hide: ["x", "@financial"] });

  it("does not become active where the server's tools have no classes", async () => {
    const result = await put("standard", byTool, { hasClasses: () => false });
    expect(result).toMatchObject({ ok: false, failures: [{ code: "invalid_document", at: { pointer: "/tools/@write" } }] });
    expect(await put("standard", byHide, { hasClasses: () => false })).toMatchObject({ failures: [{ at: { pointer: "/hide/1" } }] });
    expect(await activeHash("standard")).toBeUndefined();
  });

  it("does where they have some, and before any tool was accepted", async () => {
    expect((await put("standard", byTool)).ok).toBe(true);
    expect((await put("early", byTool, { hasClasses: () => undefined })).ok).toBe(true);
    expect((await put("plain", policyOf({ tools: { "a/@b": {} } }), { hasClasses: () => false })).ok).toBe(true);
  });
});

describe("policies that share a counter", () => {
  it.each(["organisation", "identity", "server"])("of scope %s have to agree on one server", async (scope) => {
    unwrap(await put("first", countingPolicy(scope)));
    const second = await put("second", countingPolicy(scope, { add: "args.amount", count: "successes" }));
    expect(second.ok).toBe(false);
    expect(second.ok ? [] : second.failures.map(({ at }) => at?.pointer)).toEqual([
      "/all_tools/limits/0/counter",
      "/all_tools/limits/0/add",
      "/all_tools/limits/0/count",
    ]);
    expect(await activeHash("second")).toBeUndefined();
    expect((await put("second", countingPolicy(scope, { max: 99 }))).ok).toBe(true);
  });

  it("have to agree across servers, but for those of scope server", async () => {
    unwrap(await put("first", countingPolicy("server")));
    expect((await put("second", countingPolicy("server", { count: "successes" }), { server: "files" })).ok).toBe(true);
    unwrap(await put("third", countingPolicy("organisation")));
    expect((await put("fourth", countingPolicy("organisation", { count: "successes" }), { server: "files" })).ok).toBe(false);
  });

  it("may change alone, and need not agree with what is gone", async () => {
    unwrap(await put("first", countingPolicy("organisation")));
    unwrap(await put("first", countingPolicy("organisation", { count: "successes" })));
    await store.write((batch) => removePolicy(batch, "first", "bob"));
    expect((await put("second", countingPolicy("organisation"))).ok).toBe(true);
  });
});
