/**
 * Faults over every way to a server: whatever the server does, each request has exactly one answer, the next good call is
 * answered too, and the memory of the gateway's process stays within bounds. `node bench/faults.ts` prints the numbers.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CASES, type FaultCase } from "../support/faults/cases.ts";
import { type FaultRig, startFaultRig, WAYS, type Way } from "../support/faults/rig.ts";

/** Over the idle process, in MiB, and generous: an answer is read whole, and what is freed is not given back at once. */
const SMALL_PEAK_MIB = 256;
const LARGE_PEAK_MIB = 768;
/** Of every way at once. */
const SILENT_PEAK_MIB = 1536;
const CALL_TIMEOUT_S = 10;
const PATIENCE = { timeout: 180_000 };

let rig: FaultRig;
beforeAll(async () => {
  rig = await startFaultRig(CALL_TIMEOUT_S);
}, PATIENCE.timeout);
afterAll(async () => {
  await rig?.stop();
});

const happensOn = (way: Way, one: FaultCase): boolean => one.http === undefined || way.isHttp;
const silent = CASES.filter(({ isSilent }) => isSilent === true);
const small = CASES.filter((one) => !silent.includes(one) && one.isLarge !== true);
const large = CASES.filter((one) => !silent.includes(one) && one.isLarge === true);

async function holds(way: Way, one: FaultCase, peakMiB: number): Promise<void> {
  const outcome = await rig.run(way, one);
  expect(outcome).toMatchObject({ name: one.name, answers: 1, answer: one.answer });
  expect(outcome.peakMiB, one.name).toBeLessThan(peakMiB);
  expect([one.name, await rig.recovers(way)]).toEqual([one.name, true]);
}

// The largest come last: what they leave behind would hide what the others take.
describe.each([
  ["small answers and cuts", small, SMALL_PEAK_MIB],
  ["the largest answers", large, LARGE_PEAK_MIB],
] as const)("%s", (_what, cases, peakMiB) => {
  it.each(WAYS.map((way) => [way.name, way] as const))("over %s have one answer each", PATIENCE, async (_name, way) => {
    for (const one of cases) if (happensOn(way, one)) await holds(way, one, peakMiB);
  });
});

it("servers that never answer are not waited for, over every way at once", PATIENCE, async () => {
  const pairs = WAYS.flatMap((way) => silent.filter((one) => happensOn(way, one)).map((one) => [way, one] as const));
  const outcomes = await Promise.all(pairs.map(([way, one]) => rig.run(way, one)));
  expect(outcomes.length).toBeGreaterThan(WAYS.length * 3);
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({ answers: 1, answer: "fault" });
    expect(outcome.peakMiB).toBeLessThan(SILENT_PEAK_MIB);
  }
  for (const way of WAYS) expect([way.name, await rig.recovers(way)]).toEqual([way.name, true]);
});
