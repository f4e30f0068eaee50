/**
 * The configurations of known clients on this machine: the user's own and, where asked, those of one project folder. Only
 * ordinary files below the home or the project count, links included; what leads elsewhere is told and not opened.
 */
import { constants, open, realpath } from "node:fs/promises";
import path from "node:path";
import type { Failure } from "../../kernel/failure.ts";
import type { Client, FileFormat, Machine } from "./client.ts";
import { ANY_KEYS, CLIENTS } from "./known-clients.ts";
import { type ConfiguredServer, formatOfFile, MAX_CLIENT_FILE_BYTES, readClientFile } from "./read-client-file.ts";

export interface ClientFile {
  /** Undefined where nobody knows whose it is. */
  readonly client: Client | undefined;
  /** As it is shown: below the home with a `~`. */
  readonly shown: string;
  readonly file: string;
  readonly format: FileFormat;
  readonly text: string;
  readonly isProjects: boolean;
  readonly servers: readonly ConfiguredServer[];
}

export interface FoundClients {
  readonly files: readonly ClientFile[];
  /** Files that are there and can't be read. */
  readonly failures: readonly Failure[];
}

export async function findClientFiles(machine: Machine, clients: readonly Client[] = CLIENTS): Promise<FoundClients> {
  const files: ClientFile[] = [];
  const failures: Failure[] = [];
  const seen = new Set<string>();
  for (const client of clients) {
    const places = [
      ...client.userFiles(machine).map((file) => ({ file, roots: listRoots(machine), isProjects: false })),
      ...client.projectFiles.map((file) => ({ file: path.join(machine.folder, file), roots: [machine.folder], isProjects: true })),
    ];
    for (const { file, roots, isProjects } of places) {
      if (seen.has(`${client.id} ${path.resolve(file)}`)) continue;
      seen.add(`${client.id} ${path.resolve(file)}`);
      const shown = showPath(machine, file);
      const read = await readPlainFile(file, roots);
      if (read === undefined) continue;
      if ("reason" in read) {
        failures.push({ code: "not_found", message: read.reason, at: { file: shown } });
        continue;
      }
      const parsed = readClientFile({ text: read.text, file: shown, format: client.format, keys: client.keys });
      if (!parsed.ok) failures.push(...parsed.failures);
      else if (parsed.value.hasKey) {
        files.push({
          client,
          shown,
          file: path.resolve(file),
          format: client.format,
          text: read.text,
          isProjects,
          servers: parsed.value.servers,
        });
      }
    }
  }
  return { files, failures };
}

/** The home, and the folders that the environment names in its place. */
function listRoots({ home, env }: Machine): string[] {
  const named = ["XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "APPDATA"].map((name) => env[name]);
  return [home, ...named.filter((folder) => folder !== undefined && folder !== "")] as string[];
}

/** One file that somebody named, whosever it is. Fails where no key of any client is in it. */
export async function openClientFile(machine: Machine, file: string): Promise<ClientFile | Failure> {
  const read = await readPlainFile(file, undefined);
  const place = { at: { file } };
  if (read === undefined) return { code: "not_found", message: "There is no such file.", ...place };
  if ("reason" in read) return { code: "not_found", message: read.reason, ...place };
  const format = formatOfFile(file);
  const client = CLIENTS.find((each) => each.userFiles(machine).some((known) => path.resolve(known) === path.resolve(file)));
  const parsed = readClientFile({ text: read.text, file, format, keys: client?.keys ?? ANY_KEYS });
  if (!parsed.ok) return parsed.failures[0] as Failure;
  if (!parsed.value.hasKey) {
    const hint = "Known are `mcpServers`, `servers`, `context_servers`, `mcp_servers`, `mcp` and `extensions`.";
    return { code: "invalid_document", message: "The file has no servers under a key that is known.", hint, ...place };
  }
  return { client, shown: file, file: path.resolve(file), format, text: read.text, isProjects: false, servers: parsed.value.servers };
}

/** `roots`: the real file has to be below one of them. Undefined: there is no such file. */
async function readPlainFile(
  file: string,
  roots: readonly string[] | undefined,
): Promise<{ readonly text: string } | { readonly reason: string } | undefined> {
  try {
    if (roots !== undefined) {
      const real = await realpath(file);
      const bases = await Promise.all(roots.map((root) => realpath(root).catch(() => root)));
      if (!bases.some((base) => isBelow(real, base))) return { reason: "The file is a link that leads elsewhere; it is not read." };
    }
    // A pipe is not waited for, and a device has no end.
    const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) return { reason: "This is no file." };
      if (stat.size > MAX_CLIENT_FILE_BYTES) return { reason: "The file is too long to be a configuration." };
      const bytes = await handle.readFile();
      return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = (error as { readonly code?: unknown }).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (error instanceof TypeError) return { reason: "The file is not UTF-8 text." };
    return { reason: code === "EACCES" || code === "EPERM" ? "The file may not be read." : "The file can't be read." };
  }
}

function isBelow(file: string, folder: string): boolean {
  const relative = path.relative(folder, file);
  return relative !== "" && !relative.startsWith("..") && !path.isAbsolute(relative);
}

export function showPath(machine: Machine, file: string): string {
  const inFolder = path.relative(machine.folder, file);
  if (inFolder !== "" && !inFolder.startsWith("..") && !path.isAbsolute(inFolder)) return inFolder;
  const inHome = path.relative(machine.home, file);
  return inHome === "" || inHome.startsWith("..") || path.isAbsolute(inHome) ? file : path.join("~", inHome);
}
