/** The flags that commands on a data folder share, and opening and closing that folder around an act. */
import { type Command, InvalidArgumentError } from "commander";
import type { Config } from "../config/config.ts";
import { loadConfig } from "../config/load-config.ts";
import { FailureError, type Result } from "../kernel/failure.ts";
import type { ClassesByHand } from "../upstream/tool-index.ts";
import type { Environment, OpenFolder, Ports } from "./ports.ts";

export interface FolderFlags {
  readonly data?: string;
  readonly config?: string;
  readonly json?: boolean;
}

export function addFolderFlags(command: Command): Command {
  return command
    .option("-d, --data <dir>", "data folder; left out: ./.sallyport where a demo made one, else the platform's")
    .option("-c, --config <file>", "configuration, where it says which database and key to use")
    .option("--json", "print JSON and nothing else");
}

/** Opens the folder that the flags name, acts, and closes it whatever happens. */
export async function withFolder<T>(ports: Ports, flags: FolderFlags, act: (folder: OpenFolder) => Promise<T>): Promise<T> {
  const config = flags.config === undefined ? undefined : await readConfig(ports, flags.config);
  const folder = await ports.openFolder({ dataDir: flags.data, config, mustExist: true });
  try {
    return await act(folder);
  } finally {
    await folder.close();
  }
}

async function readConfig(ports: Ports, file: string): Promise<Config> {
  return unwrap(await loadConfig({ file, env: ports.terminal.env }));
}

/** What the configuration says of a server's tools, where one is named. */
export async function readClassesByHand(env: Environment, flags: FolderFlags, server: string): Promise<ClassesByHand> {
  const config = flags.config === undefined ? undefined : unwrap(await loadConfig({ file: flags.config, env }));
  return config?.servers.find(({ name }) => name === server)?.classes ?? {};
}

/** The value, or the failures thrown for the command line to tell. */
export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new FailureError(result.failures);
  return result.value;
}

/** Whose act it is, as far as a command line knows. */
export function actorOf(ports: Ports): string {
  return ports.terminal.env["USER"] ?? ports.terminal.env["USERNAME"] ?? "cli";
}

/** ISO 8601 with a zone, or a duration back from now (`2h`, `7d`). */
export function parseTime(nowMs: number): (text: string) => number {
  return (text) => {
    const back = /^(\d{1,6})([smhd])$/.exec(text);
    if (back) return nowMs - Number(back[1]) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[back[2] as "s" | "m" | "h" | "d"];
    const at = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN;
    if (Number.isNaN(at))
      throw new InvalidArgumentError("A time is written as 2026-01-31T09:00:00Z, 2026-01-31, or as a duration back such as 2h.");
    return at;
  };
}

/** Rows as aligned columns; the last one is not padded. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map((row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] as number))).join("  ")}\n`)
    .join("");
}
