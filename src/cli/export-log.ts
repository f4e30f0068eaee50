/** `sallyport audit export`: to standard output, into a new file, or going on with one that was broken off. */

import { once } from "node:events";
import { createWriteStream, existsSync } from "node:fs";
import { truncate } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { exportLog } from "../audit/export.ts";
import type { AuditFilter } from "../audit/filter.ts";
import type { Cursor } from "../audit/place.ts";
import { findResumePoint, type ResumePoint } from "../audit/resume.ts";
import { FailureError } from "../kernel/failure.ts";
import { type FolderFlags, withFolder } from "./folder-flags.ts";
import type { OpenFolder, Ports, Terminal } from "./ports.ts";

export interface ExportFlags extends FolderFlags {
  readonly out?: string;
  readonly resume?: string;
  readonly after?: Cursor;
}

/** Entries between two words on how far it is. */
const PROGRESS_ENTRIES = 50_000;
const ANEW: ResumePoint = { bytes: 0, after: undefined, soFar: undefined };

function createProgress(terminal: Terminal): { tell(done: number, all: number): void; end(): void } {
  let told = 0;
  return {
    tell(done, all) {
      if (!terminal.isTerminal || done - told < PROGRESS_ENTRIES) return;
      told = done;
      terminal.err(`\r${done} of ${all} entries (${Math.floor((done / all) * 100)} %)`);
    },
    end() {
      if (told > 0) terminal.err("\n");
    },
  };
}

export async function exportTo(ports: Ports, flags: ExportFlags, filter: AuditFilter): Promise<void> {
  const { out, resume, after } = flags;
  if (resume !== undefined && (out !== undefined || after !== undefined)) {
    throw new FailureError({
      code: "usage",
      message: "`--resume` names the file and finds out where to go on: it stands without `--out` and `--after`.",
    });
  }
  await withFolder(ports, flags, async (folder) => {
    const file = resume ?? out;
    if (file === undefined) {
      const { store, audit, clock } = folder;
      for await (const piece of exportLog({ store, audit, clock, filter, ...(after ? { after } : {}) })) {
        ports.terminal.out(piece);
        await ports.terminal.drained?.();
      }
      return;
    }
    const start = resume !== undefined && existsSync(resume) ? await findResumePoint(folder.store, resume, filter) : ANEW;
    if (resume !== undefined && existsSync(resume)) await truncate(resume, start.bytes);
    await write(folder, ports.terminal, { file, append: start.bytes > 0, filter, start: after ? { ...start, after } : start });
    ports.terminal.err(`Written to ${file}. Its public key: sallyport audit key\n`);
  });
}

interface WriteOptions {
  readonly file: string;
  readonly append: boolean;
  readonly filter: AuditFilter;
  readonly start: ResumePoint;
}

async function write(folder: OpenFolder, terminal: Terminal, { file, append, filter, start }: WriteOptions): Promise<void> {
  const { store, audit, clock } = folder;
  const { after, soFar } = start;
  const progress = createProgress(terminal);
  const stream = createWriteStream(file, { mode: 0o600, flags: append ? "a" : "w" });
  const failed = once(stream, "error").then(([error]) => Promise.reject(error as Error));
  const ended = finished(stream);
  ended.catch(() => undefined);
  failed.catch(() => undefined);
  const pieces = exportLog({
    store,
    audit,
    clock,
    filter,
    onProgress: progress.tell,
    ...(after ? { after } : {}),
    ...(soFar ? { soFar } : {}),
  });
  try {
    for await (const piece of pieces) if (!stream.write(piece)) await Promise.race([once(stream, "drain"), failed]);
    stream.end();
    await ended;
  } finally {
    stream.destroy();
    progress.end();
  }
}
