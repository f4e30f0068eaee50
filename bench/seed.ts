/** Fills data folders before a gateway starts on them: with grants, and with a log of some length. */
import { randomBytes } from "node:crypto";
import { type DataFolder, openDataFolder } from "../src/data-folder.ts";
import { insertGrant } from "../src/identity/write-grant.ts";
import { createId } from "../src/kernel/id.ts";
import { bumpGeneration } from "../src/store/generation.ts";
import type { Batch } from "../src/store/store.ts";

const ROWS_IN_ONE_WRITE = 10_000;

async function fill(dir: string, count: number, act: (batch: Batch, index: number, folder: DataFolder) => Promise<void>): Promise<void> {
  const folder = await openDataFolder({ dir, env: {} });
  try {
    for (let from = 0; from < count; from += ROWS_IN_ONE_WRITE) {
      await folder.store.write(async (batch) => {
        for (let index = from; index < Math.min(count, from + ROWS_IN_ONE_WRITE); index++) await act(batch, index, folder);
        await bumpGeneration(batch);
      });
    }
  } finally {
    await folder.close();
  }
}

/** Grants of nobody: their tokens were never made. */
export async function seedGrants(dir: string, count: number): Promise<void> {
  await fill(dir, count, async (batch, index, folder) => {
    const nowMs = folder.clock.now();
    await insertGrant(batch, {
      id: createId(nowMs),
      label: `seeded-${index}`,
      identity: `agent-${index}`,
      owner: undefined,
      tags: {},
      servers: [{ server: "bench", policy: "bench" }],
      expiresMs: undefined,
      origin: "cli",
      tokenId: "",
      tokenHash: randomBytes(32).toString("hex"),
      nowMs,
      by: "bench",
    });
  });
}

/** Entries as calls leave them: an intent and an outcome by turns, of a thousand grants. */
export async function seedEntries(dir: string, count: number): Promise<void> {
  await fill(dir, count, async (batch, index, folder) => {
    const call = index >> 1;
    const isIntent = index % 2 === 0;
    folder.audit.append(batch, {
      kind: isIntent ? "intent" : "outcome",
      exchange: `seeded-${call}`,
      server: "bench",
      grant: `seeded-${call % 1000}`,
      identity: `agent-${call % 1000}`,
      method: "tools/call",
      tool: "echo",
      decision: "allow",
      policy: "bench",
      requestId: call,
      ...(isIntent ? { argumentKeys: ["text", "note"] } : { outcome: "ok", upstreamStatus: 200, latency: { totalMs: 1 } }),
    });
  });
}
