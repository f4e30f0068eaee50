/** Reading the files that commands are given: text, or a failure in words. */
import { readFile } from "node:fs/promises";
import { fail, type Result, succeed } from "../kernel/failure.ts";

/** UTF-8 bytes of a file that is read as a document. */
export const MAX_FILE_BYTES: number = 16 * 1024 * 1024;

export async function readTextFile(file: string): Promise<Result<string>> {
  try {
    const bytes = await readFile(file);
    if (bytes.length > MAX_FILE_BYTES) return fail({ code: "usage", message: "The file is too long to be read.", at: { file } });
    return succeed(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    return fail({ code: "not_found", message: describeReadFault(error), at: { file } });
  }
}

function describeReadFault(error: unknown): string {
  const code = (error as { readonly code?: unknown }).code;
  if (code === "ENOENT") return "There is no such file.";
  if (code === "EISDIR") return "This is a folder, not a file.";
  if (code === "EACCES" || code === "EPERM") return "The file may not be read.";
  return error instanceof TypeError ? "The file is not UTF-8 text." : "The file can't be read.";
}
