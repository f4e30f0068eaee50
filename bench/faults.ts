/**
 * What a gateway process has in memory while servers misbehave, case by case and way by way: `node bench/faults.ts`.
 * Each way has a process of its own, and so has each of the largest answers, because memory that was given back within a
 * process is not seen from outside. The suite of faults holds the same cases against bounds.
 */
import { CASES, type FaultCase } from "../test/support/faults/cases.ts";
import { type FaultRig, startFaultRig, WAYS, type Way } from "../test/support/faults/rig.ts";

const CALL_TIMEOUT_S = 5;

async function measure(rig: FaultRig, way: Way, one: FaultCase): Promise<string> {
  const { peakMiB, answers, answer } = await rig.run(way, one);
  const isGood = answers === 1 && answer === one.answer && (await rig.recovers(way));
  return `${peakMiB.toFixed(0)} · ${answers}${isGood ? "" : " ✗"}`;
}

async function within<T>(act: (rig: FaultRig) => Promise<T>): Promise<T> {
  const rig = await startFaultRig(CALL_TIMEOUT_S);
  return await act(rig).finally(() => rig.stop());
}

const cells = new Map<FaultCase, string[]>(CASES.map((one) => [one, []]));
for (const way of WAYS) {
  const possible = CASES.filter(({ http }) => !http || way.isHttp);
  await within(async (rig) => {
    for (const one of possible) if (one.isLarge !== true) cells.get(one)?.push(await measure(rig, way, one));
  });
  for (const one of possible) if (one.isLarge === true) cells.get(one)?.push(await within((rig) => measure(rig, way, one)));
  for (const one of CASES) if (!possible.includes(one)) cells.get(one)?.push("");
}
process.stdout.write("In each cell: the peak over the idle process in MiB · the answers to the one request.\n\n");
process.stdout.write(`| a server that | ${WAYS.map(({ name }) => name).join(" | ")} |\n|---|${WAYS.map(() => "--:|").join("")}\n`);
for (const [one, row] of cells) process.stdout.write(`| ${one.name} | ${row.join(" | ")} |\n`);
