/**
 * Asks an installed package for its tools: its own program, on standard streams, without a credential, without a network
 * where the system can take it away, in a home of its own, and not for long.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ResultSchema } from "@modelcontextprotocol/sdk/types.js";

const PATIENCE_MS = 90_000;
const MAX_PAGES = 100;

export interface PackageFile {
  readonly name: string;
  readonly version: string;
  readonly license?: string | { readonly type?: string };
  readonly bin?: string | Readonly<Record<string, string>>;
}

export interface AskedPackage {
  readonly folder: string;
  readonly bin?: string | undefined;
  readonly args: readonly string[];
  /** An empty folder, its home and where it stands. */
  readonly home: string;
  readonly placeholders: readonly string[];
}

export function readPackage(folder: string): PackageFile {
  return JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as PackageFile;
}

/** `unshare` makes a network of nothing; where it may not, the package runs as it is. */
export function findSandbox(): readonly string[] {
  const sandbox = ["unshare", "--map-root-user", "--net"];
  return spawnSync(sandbox[0] as string, [...sandbox.slice(1), "true"]).status === 0 ? sandbox : [];
}

function findProgram({ folder, bin }: AskedPackage): string {
  const { bin: bins, name } = readPackage(folder);
  const listed = typeof bins === "string" ? { [name]: bins } : (bins ?? {});
  const file = bin === undefined ? (listed[name.replace(/^.*\//, "")] ?? Object.values(listed)[0]) : listed[bin];
  if (file === undefined || !existsSync(path.join(folder, file))) throw new Error("it has no program");
  return path.join(folder, file);
}

export async function listTools(asked: AskedPackage, sandbox: readonly string[]): Promise<readonly unknown[]> {
  const [command = process.execPath, ...args] = [...sandbox, process.execPath, findProgram(asked), ...asked.args];
  const madeUp = Object.fromEntries(asked.placeholders.map((name) => [name, "made-up"]));
  const env = { ...madeUp, PATH: process.env["PATH"] ?? "", HOME: asked.home, TMPDIR: asked.home, NO_COLOR: "1", CI: "1" };
  const transport = new StdioClientTransport({ command, args, env, cwd: asked.home, stderr: "ignore" });
  const client = new Client({ name: "catalogue", version: "1" });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("it took too long")), PATIENCE_MS);
  });
  const work = async (): Promise<readonly unknown[]> => {
    await client.connect(transport, { timeout: PATIENCE_MS });
    const tools: unknown[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const params = cursor === undefined ? {} : { cursor };
      // Taken as it comes: a library's idea of a tool would leave out what it does not know.
      const answer = await client.request({ method: "tools/list", params }, ResultSchema, { timeout: PATIENCE_MS });
      tools.push(...((answer["tools"] as unknown[] | undefined) ?? []));
      cursor = answer["nextCursor"] as string | undefined;
      if (cursor === undefined) break;
    }
    return tools;
  };
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
    await client.close().catch(() => undefined);
  }
}
