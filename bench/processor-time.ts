/** What processes spent on a processor, from the kernel's own counts (schedstat, nanoseconds), and what memory they hold. */
import { readdirSync, readFileSync } from "node:fs";

/** The kernel counts the machine's time in hundredths of a second. */
const TICK_MS = 10;
const PAGE_KIB = 4;

function spentNs(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]))
      .reduce((sum, value) => sum + value, 0);
  } catch {
    return 0;
  }
}

export function spentMs(pids: readonly number[]): number {
  return pids.map(spentNs).reduce((sum, value) => sum + value, 0) / 1e6;
}

/** Time that all processors of the machine were busy. */
export function readBusyMs(): number {
  const fields = (readFileSync("/proc/stat", "utf8").split("\n")[0] as string).trim().split(/\s+/).slice(1).map(Number);
  const idle = (fields[3] as number) + (fields[4] as number);
  return (fields.slice(0, 8).reduce((sum, value) => sum + value, 0) - idle) * TICK_MS;
}

/** Memory that is resident, in MiB. */
export function readResidentMiB(pids: readonly number[]): number {
  let pages = 0;
  for (const pid of pids) {
    try {
      pages += Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    } catch {
      // It has ended.
    }
  }
  return (pages * PAGE_KIB) / 1024;
}
