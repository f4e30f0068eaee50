/** What clients are told of changes in what they see: once, of the right kinds, and only when something is another. */
import { describe, expect, it } from "vitest";
import type { Access } from "../../src/gateway/access.ts";
import { type ChangedKind, ChangeTable, MAX_QUIET_LOOKS } from "../../src/gateway/changes.ts";
import type { Endpoint } from "../../src/gateway/desk.ts";
import { Health } from "../../src/gateway/health.ts";
import type { LastLook } from "../../src/gateway/served-tools.ts";
import type { GrantRecord } from "../../src/identity/grant.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import type { IndexedTool, ToolIndex } from "../../src/upstream/tool-index.ts";

const BEARER = "the-bearer-of-the-grant";

function compile(document: object) {
  const parsed = parsePolicy(JSON.stringify(document), { format: "json" });
  if (!parsed.ok) throw new Error("a bad policy");
  return compilePolicy(parsed.value);
}

function indexOf(tools: Readonly<Record<string, string>>): ToolIndex {
  const indexed = Object.entries(tools).map(([name, definitionHash]): [string, IndexedTool] => [
    name,
    { state: "accepted", definitionHash, facts: { name } as IndexedTool["facts"], classifierVersion: undefined, paramHeaders: [] },
  ]);
  return { tools: new Map(indexed), hasAcceptedList: true } as unknown as ToolIndex;
}

function rig() {
  const said: string[] = [];
  const state = {
    version: 1,
    nowMs: 0,
    grantId: "g" as string | undefined,
    policies: { p: compile({ version: "1", default: "allow", hide: ["hidden"] }) } as Record<string, ReturnType<typeof compile>>,
    revision: "r1",
    index: indexOf({ one: "a", hidden: "x" }),
    looks: 0,
    look: { ok: true } as { ok: boolean },
    lastLook: undefined as LastLook | undefined,
  };
  const health = new Health((words) => void said.push(words));
  const endpoint = {
    id: "e",
    name: "server",
    tools: {
      current: () => state.index,
      sync: () => undefined,
      get lastLook() {
        return state.lastLook;
      },
      async refresh() {
        state.looks++;
        state.lastLook = { ok: state.look.ok, atMs: state.nowMs };
      },
    },
  } as unknown as Endpoint;
  const grant = { id: "g", servers: new Map([["server", "p"]]) } as unknown as GrantRecord;
  const access = {
    look: () => ({ epoch: 1, generation: 1 }),
    get version() {
      return state.version;
    },
    findGrant: () => (state.grantId === undefined ? { grant: undefined, reason: "revoked" } : { grant: { ...grant, id: state.grantId } }),
    findPolicy: (name: string) => ({ revision: state.revision, compiled: state.policies[name] }),
  } as unknown as Access;
  const changes = new ChangeTable({ access, health, now: () => state.nowMs });
  const told: (readonly ChangedKind[])[] = [];
  const watch = (heedsHealth = true): (() => void) =>
    changes.watch({ bearer: BEARER, grantId: "g", endpointsOf: () => [endpoint], heedsHealth, tell: (kinds) => void told.push(kinds) });
  const look = async (times = 1): Promise<void> => {
    for (let count = 0; count < times; count++) {
      state.nowMs += 500;
      await changes.look();
    }
  };
  return { state, changes, health, endpoint, told, watch, look, said };
}

describe("a client that listens", () => {
  it("is told of nothing while nothing changes", async () => {
    const { look, told, watch } = rig();
    watch();
    await look(30);
    expect(told).toEqual([]);
  });

  it("is told of tools when one that it sees is another, and not of one that is hidden from it", async () => {
    const { look, told, watch, state } = rig();
    watch();
    await look();
    Object.assign(state, { index: indexOf({ one: "a", hidden: "y", other: "b" }), version: 2 });
    await look(2);
    expect(told).toEqual([["tools"]]);
    Object.assign(state, { index: indexOf({ one: "a", hidden: "z", other: "b" }), version: 3 });
    await look(3);
    expect(told.length).toBe(1);
  });

  it("is told of every kind when its policy is another revision, of tools only where they differ", async () => {
    const { look, told, watch, state } = rig();
    watch();
    await look();
    Object.assign(state, { revision: "r2", version: 2 });
    await look(2);
    expect(told).toEqual([["prompts", "resources"]]);
    state.policies["p"] = compile({ version: "1", default: "allow", hide: ["one", "hidden"] });
    Object.assign(state, { revision: "r3", version: 3 });
    await look(2);
    expect(told[1]).toEqual(["tools", "prompts", "resources"]);
  });

  it("is told once of changes that follow each other, and not for ever later", async () => {
    const { look, told, watch, state } = rig();
    watch();
    await look();
    for (let count = 0; count < 3; count++) {
      Object.assign(state, { revision: `quick-${count}`, version: state.version + 1 });
      await look();
    }
    expect(told).toEqual([]);
    await look();
    expect(told.length).toBe(1);
    for (let count = 0; count < MAX_QUIET_LOOKS; count++) {
      Object.assign(state, { revision: `long-${count}`, version: state.version + 1 });
      await look();
    }
    expect(told.length).toBe(2);
  });

  it("is told of a death and of a return, where a server can leave its lists", async () => {
    const { look, told, watch, state, health, endpoint, said } = rig();
    watch();
    await look();
    state.look.ok = false;
    health.suspect(endpoint);
    await look(4);
    expect(told).toEqual([["tools", "prompts", "resources"]]);
    expect(said).toEqual(["The server server does not answer; it is left out of lists."]);
    const looks = state.looks;
    await look(40);
    expect(state.looks).toBeGreaterThan(looks);
    expect(state.looks).toBeLessThan(looks + 10);
    expect(told.length).toBe(1);
    state.look.ok = true;
    await look(15);
    expect(told.length).toBe(2);
  });

  it("of one server alone is not told of its health", async () => {
    const { look, told, watch, state, health, endpoint } = rig();
    watch(false);
    await look();
    state.look.ok = false;
    health.note(endpoint, false);
    await look(5);
    expect(told).toEqual([]);
    expect(state.looks).toBe(0);
  });

  it("is forgotten when it leaves, and told nothing once its grant has ended", async () => {
    const { look, told, watch, state, changes } = rig();
    const leave = watch();
    await look();
    Object.assign(state, { grantId: undefined, version: 2, revision: "r2" });
    await look(3);
    expect(told).toEqual([]);
    leave();
    expect(changes.size).toBe(0);
  });
});
