/**
 * The log of a data folder as a witness for an exported file: whether the last entry of each of its chains is one of this
 * log, and how much the log has beyond it. A file that is older than the log is no fault; a log that ends before the file is.
 */
import type { Store } from "../store/store.ts";
import { readLine } from "./chain.ts";
import { capital, nameEntry } from "./chain-walk.ts";
import { type ChainEnd, listEnds } from "./checkpoint.ts";
import { type ChainHead, readLogHead, readPage } from "./read-log.ts";
import { readRetired } from "./retired.ts";
import { breakOff, type Fault, type Verdict, type WholeLog } from "./verdict.ts";

export interface LogWitness {
  compare(file: WholeLog): Promise<Verdict>;
}

export function createLogWitness(store: Store): LogWitness {
  async function judgeEnd({ chain, size, hash }: ChainEnd, head: ChainHead | undefined): Promise<Fault | undefined> {
    if (size === 0) return undefined;
    const line = size;
    if (!head) {
      const message = `Chain ${chain} was removed from the log in the data folder: the file has its entries up to ${size}.`;
      return { kind: "chain_removed", chain, seq: 1, lastSeq: size, line, message };
    }
    if (head.lastSeq < size && head.retired < size) {
      const seq = Math.max(head.lastSeq, head.retired) + 1;
      const message = `The log in the data folder was cut off: it ends before ${nameEntry(chain, seq)}, the file at entry ${size}.`;
      return { kind: "cut", chain, seq, lastSeq: size, line: seq, message };
    }
    // What was retired is no longer there to be compared, but for its last entry.
    if (size < head.retired) return undefined;
    const statement = size === head.retired ? (await readRetired(store.query)).find((one) => one.chain === chain) : undefined;
    const [entry] = statement ? [] : await readPage(store, chain, size, size, 1);
    const own = statement?.hash ?? (entry && readLine(entry.line)?.hash);
    if (own === hash) return undefined;
    const message = `${capital(nameEntry(chain, size))} of the log in the data folder is not the one that this file ends with.`;
    return { kind: "changed", chain, seq: size, line, message };
  }

  return {
    async compare(file) {
      const { checkpoint } = file;
      if (!checkpoint) return file;
      const head = await readLogHead(store.query);
      if (!head || head.logId !== checkpoint.logId) {
        const message = "The file is of another log than the one in the data folder.";
        return breakOff(file.entries, { kind: "checkpoint", seq: undefined, line: file.entries + 1, message });
      }
      // The entries of a filtered file are their own proof; the log is larger by nature.
      if (file.filtered) return file;
      const ends = listEnds(checkpoint);
      for (const end of ends) {
        const fault = await judgeEnd(
          end,
          head.chains.find(({ chain }) => chain === end.chain),
        );
        if (fault) return breakOff(file.entries, fault);
      }
      const had = ends.reduce((sum, { size }) => sum + size, 0);
      return { ...file, later: head.chains.reduce((sum, { size, signedSize }) => sum + Math.max(size, signedSize), 0) - had };
    },
  };
}
