/**
 * The log of a data folder as a witness for an exported file: whether the file's last entry is one of this log, and how
 * much the log has beyond it. A file that is older than the log is no fault; a log that ends before the file is.
 */
import type { Store } from "../store/store.ts";
import { readLine } from "./chain.ts";
import { readLogHead, readPage } from "./read-log.ts";
import { breakOff, type Verdict, type WholeLog } from "./verdict.ts";

export interface LogWitness {
  compare(file: WholeLog): Promise<Verdict>;
}

export function createLogWitness(store: Store): LogWitness {
  return {
    async compare(file) {
      const { checkpoint } = file;
      const head = await readLogHead(store);
      const refuse = (message: string): Verdict =>
        breakOff(file.entries, { kind: "checkpoint", seq: undefined, line: file.entries + 1, message });
      if (!checkpoint) return file;
      if (!head || head.logId !== checkpoint.logId) return refuse("The file is of another log than the one in the data folder.");
      // The entries of a filtered file are their own proof; the log is larger by nature.
      if (file.filtered) return file;
      const { size } = checkpoint;
      if (head.lastSeq < size) {
        const message = `The log in the data folder was cut off: it ends at entry ${head.lastSeq}, the file at entry ${size}.`;
        return breakOff(file.entries, { kind: "cut", seq: head.lastSeq + 1, lastSeq: size, line: head.lastSeq + 1, message });
      }
      const [entry] = size === 0 ? [] : await readPage(store, size, size, 1);
      if (size > 0 && (!entry || readLine(entry.line)?.hash !== checkpoint.hash)) {
        const message = `Entry ${size} of the log in the data folder is not the one that this file ends with.`;
        return breakOff(file.entries, { kind: "changed", seq: size, line: size, message });
      }
      return { ...file, later: Math.max(head.size, head.signedSize) - size };
    },
  };
}
