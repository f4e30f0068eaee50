/**
 * Reads one text file whole, bounded, as strict UTF-8, and remembers what it held by digest. Messages name the system's
 * code for what went wrong and never a byte of the file.
 */
import { hash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { fail, type Result, succeed } from "../kernel/failure.ts";

/** Of the configuration file, and of each policy file. */
export const MAX_SOURCE_BYTES: number = 4 * 1024 * 1024;

export interface SourceText {
  readonly text: Result<string>;
  readonly digest: string;
}

/** `shown` is how the file is named to people. */
export async function readSource(file: string, shown: string): Promise<SourceText> {
  const refuse = (digest: string, message: string): SourceText => ({
    digest,
    text: fail({ code: "invalid_config", message, at: { file: shown } }),
  });
  const read = await readBytes(file);
  if (typeof read === "string") return refuse(read, describeRefusal(read));
  const digest = hash("sha256", read, "hex");
  try {
    return { digest, text: succeed(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(read)) };
  } catch {
    return refuse(digest, "The file is not UTF-8.");
  }
}

/** The digest that `readSource` would give now. */
export async function digestSource(file: string): Promise<string> {
  const read = await readBytes(file);
  return typeof read === "string" ? read : hash("sha256", read, "hex");
}

/** The bytes, or in a word why there are none. */
async function readBytes(file: string): Promise<Buffer | string> {
  try {
    const stats = await stat(file);
    if (!stats.isFile()) return "no file";
    if (stats.size > MAX_SOURCE_BYTES) return "too large";
    return await readFile(file);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unknown";
  }
}

function describeRefusal(reason: string): string {
  switch (reason) {
    case "no file":
      return "This is not a file.";
    case "too large":
      return `The file is larger than ${MAX_SOURCE_BYTES} bytes.`;
    case "ENOENT":
      return "The file is not there.";
    default:
      return `The file can't be read (${reason}).`;
  }
}
