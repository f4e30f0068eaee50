/** What is held for a grant: ended with it, whichever way it ends, and not with a token that the issuer has replaced. */
import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Access } from "../../src/gateway/access.ts";
import type { OpenRounds } from "../../src/gateway/exchange.ts";
import { HoldTable } from "../../src/gateway/holds.ts";
import { createRoundSeal } from "../../src/gateway/rounds.ts";
import type { GrantRecord } from "../../src/identity/grant.ts";
import type { FoundGrant } from "../../src/identity/grant-index.ts";
import type { Batch } from "../../src/store/store.ts";
import { createSealer } from "../../src/vault/seal.ts";

const NOW_MS = 1_000_000;
const grant = { id: "g", label: "alice", present: true, servers: new Map([["mail", "open"]]) } as unknown as GrantRecord;

interface Rig {
  readonly holds: HoldTable;
  readonly closed: string[];
  found: FoundGrant;
  stored: GrantRecord | undefined;
  look(nowMs?: number): Promise<void>;
}

/** A stream and a call that waits for its client, both of one bearer. */
function createRig(): Rig {
  const holds = new HoldTable();
  const closed: string[] = [];
  const rig: Rig = {
    holds,
    closed,
    found: { grant },
    stored: grant,
    look: (nowMs = NOW_MS) =>
      holds.closeStale({ findGrant: () => rig.found, readGrant: async () => rig.stored } as unknown as Access, nowMs),
  };
  const hold = { bearer: "b", grantId: "g", server: "mail" };
  holds.add({ ...hold, close: () => void closed.push("stream") });
  holds.add({ ...hold, lasting: { label: "alice", untilMs: NOW_MS + 1_000 }, close: () => void closed.push("call") });
  return rig;
}

describe("what is held for a grant", () => {
  it("stays while the grant does", async () => {
    const rig = createRig();
    await rig.look();
    expect(rig.closed).toEqual([]);
    expect(rig.holds.size).toBe(2);
  });

  it.each<[string, FoundGrant]>([
    ["is revoked", { grant: undefined, reason: "revoked", label: "alice" }],
    ["has expired", { grant: undefined, reason: "expired", label: "alice" }],
    ["has another token", { grant: undefined, reason: "unknown" }],
    ["is another one", { grant: { ...grant, id: "other" } }],
    ["has lost the server", { grant: { ...grant, servers: new Map() } }],
    ["is logged in to with a forged token", { grant: undefined, reason: "forged" }],
  ])("ends where the grant %s, once", async (_name, found) => {
    const rig = createRig();
    rig.found = found;
    await rig.look();
    await rig.look();
    expect(rig.closed).toEqual(["stream", "call"]);
    expect(rig.holds.size).toBe(0);
  });

  it.each(["expired", "unavailable"] as const)("outlives a token alone that is %s, where a client is to come back", async (reason) => {
    const rig = createRig();
    rig.found = { grant: undefined, reason };
    await rig.look();
    expect(rig.closed).toEqual(["stream"]);
    rig.stored = { ...grant, revokedMs: NOW_MS };
    await rig.look();
    expect(rig.closed).toEqual(["stream", "call"]);
  });

  it("is forgotten where its time is over, and nothing ends by that", async () => {
    const rig = createRig();
    await rig.look(NOW_MS + 1_000);
    expect(rig.closed).toEqual([]);
    expect(rig.holds.size).toBe(1);
  });
});

describe("a round", () => {
  it("lets go of what is held for it when its client comes back, and not for anybody else", async () => {
    const seal = createSealer(randomBytes(32), "k", randomBytes);
    const rounds = createRoundSeal(seal, randomBytes);
    const used = new Set<unknown>();
    const batch = {
      run: async (sql: string, [name]: readonly unknown[]) => {
        if (!sql.startsWith("INSERT") || used.has(name)) return 0;
        used.add(name);
        return 1;
      },
    } as unknown as Batch;
    const released: string[] = [];
    const opened = { upstreamState: undefined, reservation: undefined, firstExchange: "x" };
    const requestState = rounds.open("bond", opened, NOW_MS, () => void released.push("first"));
    expect(rounds.read({ requestState, inputResponses: undefined }, "another", NOW_MS)).toBeUndefined();
    const round = rounds.read({ requestState, inputResponses: undefined }, "bond", NOW_MS);
    expect(round).toMatchObject({ firstExchange: "x" });
    expect(released).toEqual([]);
    expect(await rounds.claim(batch, round as OpenRounds, NOW_MS)).toBe(true);
    expect(await rounds.claim(batch, round as OpenRounds, NOW_MS)).toBe(false);
    expect(released).toEqual(["first"]);
  });
});
