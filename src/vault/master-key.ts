/**
 * The master key: 32 bytes, written in base64, from the environment or from a file that only its owner may read.
 * Promises that however many processes start at once, all of them end with the one key that is in the file, and that a
 * file that is there is never written to. Never prints the key, nor any part of it.
 */
import { constants } from "node:fs";
import { type FileHandle, link, mkdir, open, readFile, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Failure, fail, type Result, succeed } from "../kernel/failure.ts";

export const MASTER_KEY_BYTES = 32;
/** A key file is 45 bytes; what is far longer is something else and is not read whole. */
const MAX_KEY_FILE_BYTES = 1024;
const OWNER_ONLY = 0o600;
/** Where the file system has no hard links a reader may meet the file before its 45 bytes are in it. */
const EMPTY_FILE_RETRIES = 100;
const EMPTY_FILE_WAIT_MS = 10;
const NO_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL", "EACCES"]);

const FORMAT_HINT = "It is 32 random bytes in base64, as `openssl rand -base64 32` prints them.";

function unusable(message: string, file?: string, hint?: string): Failure {
  return { code: "key_unusable", message, ...(file === undefined ? {} : { at: { file } }), ...(hint === undefined ? {} : { hint }) };
}

/** The bytes of a key as it is written; undefined where it is not exactly 32 bytes in base64. */
function decodeKey(text: string): Buffer | undefined {
  const trimmed = text.trim();
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(trimmed) && !/^[A-Za-z0-9_-]{43}=?$/.test(trimmed)) return undefined;
  const key = Buffer.from(trimmed, "base64");
  // A last letter with stray bits would be a second spelling of the same key: more likely a slip.
  const spelling = key.toString("base64url");
  return spelling === trimmed.replaceAll("+", "-").replaceAll("/", "_").replace("=", "") ? key : undefined;
}

/** Reads a key from text, such as an environment variable's. */
export function parseMasterKey(text: string): Result<Buffer> {
  const key = decodeKey(text);
  return key ? succeed(key) : fail(unusable("The master key is not 32 bytes in base64.", undefined, FORMAT_HINT));
}

async function readKeyText(file: string): Promise<string | undefined> {
  for (let attempt = 0; ; attempt++) {
    let handle: FileHandle;
    try {
      handle = await open(file, constants.O_RDONLY);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    try {
      const { size } = await handle.stat();
      if (size > MAX_KEY_FILE_BYTES) return "";
      const text = (await readFile(handle)).toString("latin1");
      if (text.endsWith("\n") || text.length >= 43 || attempt >= EMPTY_FILE_RETRIES) return text;
    } finally {
      await handle.close();
    }
    await sleep(EMPTY_FILE_WAIT_MS);
  }
}

async function writeNew(file: string, text: string): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, OWNER_ONLY);
  try {
    await handle.chmod(OWNER_ONLY);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY).catch(() => undefined);
  // Some platforms can't sync a folder; the file itself is synced already.
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** Makes the file, whole or not at all; leaves it alone where another process was first. */
async function createKeyFile(file: string, key: Uint8Array, suffix: string): Promise<void> {
  const text = `${Buffer.from(key).toString("base64")}\n`;
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${file}.${suffix}`;
  await writeNew(draft, text);
  try {
    await link(draft, file).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") return;
      if (!NO_LINKS.has(error.code ?? "")) throw error;
      await writeNew(file, text).catch((second: NodeJS.ErrnoException) => {
        if (second.code !== "EEXIST") throw second;
      });
    });
  } finally {
    await unlink(draft);
  }
  await syncFolder(folder);
}

/** Reads the key of a file, and makes the file where it is absent and `create` says so. */
export async function loadMasterKey(file: string, create: boolean, randomBytes: (size: number) => Uint8Array): Promise<Result<Buffer>> {
  try {
    let text = await readKeyText(file);
    if (text === undefined && create) {
      await createKeyFile(file, randomBytes(MASTER_KEY_BYTES), Buffer.from(randomBytes(8)).toString("hex"));
      text = await readKeyText(file);
    }
    if (text === undefined) {
      return fail(unusable("The file of the master key is not there.", file, "Put the key back that the data was sealed with."));
    }
    const key = decodeKey(text);
    return key ? succeed(key) : fail(unusable("The file of the master key does not hold 32 bytes in base64.", file, FORMAT_HINT));
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "unknown error";
    return fail(unusable(`The file of the master key can't be ${create ? "made or read" : "read"} (${reason}).`, file));
  }
}
