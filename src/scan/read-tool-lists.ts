/**
 * Lists of tools in files: what a server answered to `tools/list`, the list inside of it, or a folder of such files, one
 * server each. Read as strictly as an answer of a server; nothing is started or asked.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { type Failure, fail, type Result, succeed } from "../kernel/failure.ts";
import { isJsonList, printJson } from "../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import { parseListPage } from "../mcp/lists.ts";
import { findToolList } from "../policy/test-file/read-tools.ts";
import { readDefinitions } from "../upstream/definition.ts";
import type { ListTarget } from "./target.ts";

export const MAX_LIST_FILES = 1_000;
export const MAX_LIST_FILE_BYTES: number = 64 * 1024 * 1024;

/** A file or a folder; `shown` is how it was named. */
export async function readToolLists(shown: string): Promise<Result<readonly ListTarget[]>> {
  const place = { at: { file: shown } };
  const found = await stat(shown).catch(() => undefined);
  if (found === undefined) return fail({ code: "not_found", message: "There is no such file or folder.", ...place });
  if (!found.isDirectory()) {
    const read = await readToolListFile(shown, nameOf(shown), shown);
    return read.ok ? succeed([read.value]) : read;
  }
  const names = (await readdir(shown)).filter((name) => /\.json$/i.test(name)).sort();
  if (names.length === 0) return fail({ code: "not_found", message: "The folder has no `.json` file.", ...place });
  if (names.length > MAX_LIST_FILES) return fail({ code: "usage", message: `The folder has more than ${MAX_LIST_FILES} lists.`, ...place });
  const failures: Failure[] = [];
  const targets: ListTarget[] = [];
  for (const name of names) {
    const read = await readToolListFile(path.join(shown, name), nameOf(name), shown);
    if (read.ok) targets.push(read.value);
    else failures.push(...read.failures);
  }
  return failures.length > 0 ? fail(...failures) : succeed(targets);
}

function nameOf(file: string): string {
  return path.basename(file).replace(/\.json$/i, "");
}

async function readToolListFile(file: string, name: string, group: string): Promise<Result<ListTarget>> {
  const place = { at: { file } };
  const found = await stat(file);
  if (!found.isFile() || found.size > MAX_LIST_FILE_BYTES) {
    return fail({ code: "usage", message: "This is no file, or too long a one to be a list of tools.", ...place });
  }
  const parsed = parseStrictJson(await readFile(file, "utf8"));
  if (isJsonFault(parsed)) return fail({ code: "invalid_json", message: parsed.message, ...place });
  const { list } = findToolList(parsed.value);
  if (!isJsonList(list)) {
    const hint = "A configuration of a client is scanned with `--config FILE`.";
    return fail({ code: "invalid_document", message: "The file holds no list of tools.", hint, ...place });
  }
  const page = parseListPage(`{"tools":${printJson(list)}}`, "tools");
  if (page.kind === "invalid") return fail({ code: "invalid_document", message: `The list can't be read: ${page.reason}.`, ...place });
  return succeed({
    kind: "list",
    name,
    shown: file,
    secrets: [],
    group,
    at: { file, line: undefined },
    tools: readDefinitions(page.items),
  });
}
