/**
 * Reads one text file whole, bounded, as strict UTF-8, and remembers what it held by digest. Messages name the system's
 * code for what went wrong and never a byte of the file.
 */
import { hash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { Failure, Result } from "../kernel/failure.ts";
import { fail, succeed } from "../kernel/failure.ts";

export const MAX_CONFIG_BYTES: number = 4 * 1024 * 1024;
export const MAX_POLICY_BYTES: number = 4 * 1024 * 1024;
/** The digest of a file that can't be read. */
export const ABSENT = "absent";

export interface SourceText {
  readonly text: Result<string>;
  readonly digest: string;
}

/** `shown` is how the file is named to people. */
export async function readSource(file: string, shown: string, maxBytes: number): Promise<SourceText> {
  const refuse = (digest: string, message: string): SourceText => ({ digest, text: fail(describe(message, shown)) });
  let bytes: Buffer;
  try {
    const stats = await stat(file);
    if (!stats.isFile()) return refuse(ABSENT, "This is not a file.");
    if (stats.size > maxBytes) return refuse(`size ${stats.size}`, `The file is larger than ${maxBytes} bytes.`);
    bytes = await readFile(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    return refuse(ABSENT, code === "ENOENT" ? "The file is not there." : `The file can't be read (${code}).`);
  }
  const digest = hash("sha256", bytes, "hex");
  try {
    return { digest, text: succeed(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)) };
  } catch {
    return refuse(digest, "The file is not UTF-8.");
  }
}

function describe(message: string, file: string): Failure {
  return { code: "invalid_config", message, at: { file } };
}
