/** The stages of the bench leave out what they say and nothing else. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { CALL_BODY, GOOD_ANSWER } from "../../bench/call-body.ts";
import { findPort, post, type System } from "../../bench/launch.ts";
import { benchPolicy } from "../../bench/policies.ts";
import { readMetric, startSallyport, startUpstream } from "../../bench/systems.ts";
import { hasProgram } from "../../tools/programs.ts";

const CALLS = 20;
const missing = hasProgram("taskset") ? "" : " (left out: no taskset)";

interface Counts {
  readonly groups: number;
  readonly entries: number;
}

async function count(system: System): Promise<Counts> {
  return { groups: await readMetric(system, "sallyport_store_groups_total"), entries: await readMetric(system, "sallyport_audit_entries") };
}

/** What so many calls, one after the other, did to the database. */
async function measure(system: System, expected: number): Promise<Counts> {
  const before = await count(system);
  for (let call = 0; call < CALLS; call++) {
    const { text } = await post(system.url, system.headers, CALL_BODY);
    expect(text).toContain(GOOD_ANSWER);
  }
  // The last outcome is on its way when its call has been answered.
  await expect.poll(async () => (await count(system)).entries - before.entries, { timeout: 20_000 }).toBe(expected);
  const after = await count(system);
  return { groups: after.groups - before.groups, entries: after.entries - before.entries };
}

describe("a stage", () => {
  it.skipIf(missing !== "")(
    `decides alone, counts too, or records all${missing}`,
    async () => {
      const folder = mkdtempSync(path.join(tmpdir(), "sallyport-stage-"));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
      const workshop = { folder, upstreamPort: await findPort() };
      const systems: System[] = [await startUpstream(workshop.upstreamPort)];
      onTestFinished(async () => {
        await Promise.all(systems.map((system) => system.stop()));
      });
      const start = async (stage: "policy" | "limits" | "whole"): Promise<System> => {
        const system = await startSallyport(workshop, { name: stage, stage, policy: benchPolicy(1) });
        systems.push(system);
        return system;
      };
      const [policy, limits, whole] = await Promise.all([start("policy"), start("limits"), start("whole")]);
      const decided = await measure(policy, 0);
      expect(decided.groups).toBeLessThan(CALLS);
      const counted = await measure(limits, 0);
      expect(counted.groups).toBeGreaterThanOrEqual(CALLS);
      const recorded = await measure(whole, 2 * CALLS);
      expect(recorded.groups).toBeGreaterThanOrEqual(CALLS);
    },
    180_000,
  );
});
