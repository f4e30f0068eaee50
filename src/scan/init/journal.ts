/**
 * Changes to files of people, all or none, and back: each file has a copy beside it before it is touched, and the journal
 * says what was there and what is there since. Undoing refuses where a file was changed meanwhile, before it touches any.
 */
import { hash } from "node:crypto";
import { copyFile, mkdir, readFile, realpath, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Failure, fail, type Result, succeed } from "../../kernel/failure.ts";
import { isJsonList, isJsonObject, type Json, readMember } from "../../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../kernel/strict-json.ts";

const FORM = 1;
export const BACKUP_END = ".before-sallyport";
const NEW_MODE = 0o600;

export interface FileChange {
  readonly file: string;
  readonly text: string;
  /** What was there when the change was made up; undefined: no file. */
  readonly before: string | undefined;
}

interface Step {
  readonly file: string;
  /** Undefined: the file was made. */
  readonly backup: string | undefined;
  /** SHA-256 of what was there and of what is there since. */
  readonly before: string | undefined;
  readonly after: string;
  /** The folder was made for the file. */
  readonly madeFolder: boolean;
}

export interface Undone {
  readonly act: "restored" | "removed";
  readonly file: string;
}

export interface Journal {
  apply(changes: readonly FileChange[], nowMs: number): Promise<Result<readonly string[]>>;
  /** Takes everything back. Gives what was done. */
  undo(): Promise<Result<readonly Undone[]>>;
}

export function openJournal(file: string): Journal {
  return { apply: (changes, nowMs) => guard(apply(file, changes, nowMs)), undo: () => guard(undo(file)) };
}

/** What a disk or its rights refuse is told with the file. */
async function guard<T>(act: Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await act;
  } catch (error) {
    const { code, path: at } = error as { readonly code?: unknown; readonly path?: unknown };
    if (typeof code !== "string") throw error;
    const message = `The file can't be read or written (${code}).`;
    return fail({ code: "conflict", message, ...(typeof at === "string" ? { at: { file: at } } : {}) });
  }
}

async function apply(journal: string, changes: readonly FileChange[], nowMs: number): Promise<Result<readonly string[]>> {
  const known = await readJournal(journal);
  if (!known.ok) return known;
  const steps: Step[] = [];
  const planned: { readonly step: Step; readonly text: string; readonly mode: number }[] = [];
  for (const { file, text, before } of changes) {
    const real = await realpath(file).catch(() => path.resolve(file));
    const is = await readBytes(real);
    if ((is === undefined) !== (before === undefined) || (is !== undefined && is.toString("utf8") !== before)) {
      return fail({ code: "conflict", message: "The file has changed since it was read; nothing was written.", at: { file } });
    }
    const mode = is === undefined ? NEW_MODE : (await stat(real)).mode & 0o777;
    const backup = is === undefined ? undefined : await findFree(`${real}${BACKUP_END}`);
    const madeFolder = !(await stat(path.dirname(real)).then(
      () => true,
      () => false,
    ));
    const step = { file: real, backup, before: is && digest(is), after: digest(Buffer.from(text)), madeFolder };
    steps.push(step);
    planned.push({ step, text, mode });
  }
  let at = journal;
  try {
    for (const { step } of planned) {
      at = step.file;
      if (step.backup !== undefined) await copyFile(step.file, step.backup);
    }
    at = journal;
    // The journal is there before the first change: whatever happens after, undoing knows what to look for.
    await writeJournal(journal, [...known.value, { at: nowMs, steps }]);
  } catch {
    for (const { backup } of steps) if (backup !== undefined) await rm(backup, { force: true });
    return fail({ code: "conflict", message: "What undoing needs can't be kept here; nothing was written.", at: { file: at } });
  }
  try {
    for (const { step, text, mode } of planned) {
      at = step.file;
      await mkdir(path.dirname(step.file), { recursive: true });
      await replace(step.file, text, mode);
    }
  } catch {
    const hint = "`sallyport init --undo` takes back what was written before it.";
    return fail({ code: "conflict", message: "The file can't be written.", at: { file: at }, hint });
  }
  return succeed(steps.map(({ file }) => file));
}

async function undo(journal: string): Promise<Result<readonly Undone[]>> {
  const known = await readJournal(journal);
  if (!known.ok) return known;
  const steps = [...known.value].reverse().flatMap((entry) => [...entry.steps].reverse());
  if (steps.length === 0) return fail({ code: "not_found", message: "There is nothing to undo.", at: { file: journal } });
  const failures: Failure[] = [];
  // Of a file that was changed twice, only the last change can be looked for.
  const expected = new Map<string, string | undefined>();
  for (const step of steps) {
    const found = expected.has(step.file) ? expected.get(step.file) : await readDigest(step.file);
    const isDone = found === step.before;
    if (found !== step.after && !isDone) {
      const hint = step.backup === undefined ? "Remove it by hand." : `What stood there before is in \`${step.backup}\`.`;
      failures.push({ code: "conflict", message: "The file has been changed since; nothing was undone.", at: { file: step.file }, hint });
    }
    if (step.backup !== undefined && !isDone && (await readDigest(step.backup)) !== step.before) {
      failures.push({
        code: "conflict",
        message: "The copy of what stood there is gone or changed; nothing was undone.",
        at: { file: step.backup },
      });
    }
    expected.set(step.file, step.before);
  }
  if (failures.length > 0) return fail(...failures);
  const undone: Undone[] = [];
  for (const { file, backup, before, madeFolder } of steps) {
    if (backup === undefined) {
      if ((await readBytes(file)) !== undefined) await rm(file);
      if (madeFolder) await rmdir(path.dirname(file)).catch(() => undefined);
      undone.push({ act: "removed", file });
      continue;
    }
    if ((await readDigest(file)) !== before) {
      const mode = (await stat(file)).mode & 0o777;
      await replace(file, await readFile(backup), mode);
    }
    await rm(backup, { force: true });
    undone.push({ act: "restored", file });
  }
  await rm(journal, { force: true });
  return succeed(undone);
}

async function replace(file: string, content: string | Buffer, mode: number): Promise<void> {
  const temporary = `${file}.${process.pid}.new`;
  await writeFile(temporary, content, { mode, flush: true });
  await rename(temporary, file);
}

async function findFree(wanted: string): Promise<string> {
  for (let count = 1; ; count++) {
    const name = count === 1 ? wanted : `${wanted}-${count}`;
    if ((await readBytes(name)) === undefined) return name;
  }
}

async function readBytes(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    const { code } = error as { readonly code?: unknown };
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

async function readDigest(file: string): Promise<string | undefined> {
  const bytes = await readBytes(file);
  return bytes && digest(bytes);
}

function digest(bytes: Buffer): string {
  return hash("sha256", bytes, "hex");
}

interface JournalEntry {
  readonly at: number;
  readonly steps: readonly Step[];
}

async function writeJournal(file: string, entries: readonly JournalEntry[]): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await replace(file, `${JSON.stringify({ form: FORM, entries })}\n`, NEW_MODE);
}

async function readJournal(file: string): Promise<Result<readonly JournalEntry[]>> {
  const bytes = await readBytes(file);
  if (bytes === undefined) return succeed([]);
  const broken: Failure = { code: "invalid_document", message: "The journal of what was changed can't be read.", at: { file } };
  const parsed = parseStrictJson(bytes.toString("utf8"));
  if (isJsonFault(parsed) || !isJsonObject(parsed.value) || readMember(parsed.value, "form") !== FORM) return fail(broken);
  const entries = readMember(parsed.value, "entries");
  if (!isJsonList(entries)) return fail(broken);
  const read: JournalEntry[] = [];
  for (const entry of entries) {
    const [at, steps] = isJsonObject(entry) ? [readMember(entry, "at"), readMember(entry, "steps")] : [];
    if (typeof at !== "number" || !isJsonList(steps)) return fail(broken);
    const readSteps = steps.map(readStep);
    if (!readSteps.every((step) => step !== undefined)) return fail(broken);
    read.push({ at, steps: readSteps as Step[] });
  }
  return succeed(read);
}

function readStep(value: Json): Step | undefined {
  if (!isJsonObject(value)) return undefined;
  const [file, after, backup, before] = ["file", "after", "backup", "before"].map((key) => readMember(value, key));
  if (typeof file !== "string" || typeof after !== "string") return undefined;
  if ((backup !== undefined && typeof backup !== "string") || (before !== undefined && typeof before !== "string")) return undefined;
  return { file, after, backup, before, madeFolder: readMember(value, "madeFolder") === true };
}
