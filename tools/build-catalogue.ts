/**
 * Writes the catalogue that ships, `catalogue/servers.jsonl`, and its lines of `NOTICE`: installs the packages of `catalogue/packages.json` at their
 * versions into a temporary folder, without their install scripts, and asks each for its tools. A package whose licence is
 * not on the list, or that does not list its tools without a credential, is left out and named.
 *
 *   node tools/build-catalogue.ts [--installed FOLDER]
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { findSandbox, listTools, readPackage } from "./catalogue/list-tools.ts";

const ROOT = path.resolve(import.meta.dirname, "..");
const LICENCES = new Set(["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "MIT-0", "0BSD"]);
const SIDE_BY_SIDE = 2;

interface Pinned {
  readonly package: string;
  readonly version: string;
  readonly bin?: string;
  readonly args?: readonly string[];
  /** Where the package's own file says it elsewhere than in `license`, by its SPDX name. */
  readonly licence?: string;
  /** Variables without which it does not start; each is set to a made-up word, for nothing is ever called. */
  readonly placeholders?: readonly string[];
}

interface Scanned {
  readonly server: { name: string; package: string; version: string; licence: string; scanned: string };
  readonly tools: readonly unknown[];
}

const { packages } = JSON.parse(readFileSync(path.join(ROOT, "catalogue/packages.json"), "utf8")) as { packages: readonly Pinned[] };
const temporary = mkdtempSync(path.join(os.tmpdir(), "sallyport-catalogue-"));
try {
  const at = process.argv.indexOf("--installed");
  const installed = at < 0 ? install() : path.resolve(process.argv[at + 1] as string);
  const sandbox = findSandbox();
  if (sandbox.length === 0) process.stderr.write("The network can't be taken away here: packages run with it.\n");
  const scanned: Scanned[] = [];
  const waiting = [...packages];
  const scanNext = async (): Promise<void> => {
    for (let pinned = waiting.shift(); pinned; pinned = waiting.shift()) {
      try {
        const found = await scan(pinned, installed, sandbox);
        scanned.push(found);
        process.stderr.write(`${pinned.package} ${pinned.version}: ${found.tools.length} tools\n`);
      } catch (error) {
        process.stderr.write(
          `${pinned.package} ${pinned.version} is left out: ${error instanceof Error ? error.message.split("\n")[0] : "unknown"}\n`,
        );
      }
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, scanNext));
  scanned.sort((left, right) => (left.server.package < right.server.package ? -1 : 1));
  writeFileSync(path.join(ROOT, "catalogue/servers.jsonl"), scanned.map((server) => `${JSON.stringify(server)}\n`).join(""));
  const noted = scanned.map(({ server }) => `  ${server.package} ${server.version} (${server.licence})\n`).join("");
  const notice = readFileSync(path.join(ROOT, "NOTICE"), "utf8");
  writeFileSync(
    path.join(ROOT, "NOTICE"),
    notice.replace(/(own licence:\n\n)[\s\S]*$/, (_, head: string) => head + noted),
  );
  const count = scanned.reduce((sum, { tools }) => sum + tools.length, 0);
  process.stderr.write(`${scanned.length} servers, ${count} tools\n`);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

function install(): string {
  const dependencies = Object.fromEntries(packages.map(({ package: name, version }) => [name, version]));
  writeFileSync(path.join(temporary, "package.json"), JSON.stringify({ private: true, dependencies }));
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps", "--omit=dev"];
  const done = spawnSync("npm", args, { cwd: temporary, stdio: ["ignore", "ignore", "inherit"] });
  if (done.status !== 0) throw new Error("The packages could not be installed.");
  return temporary;
}

async function scan(
  { package: name, version, bin, args = [], ...pinned }: Pinned,
  installed: string,
  sandbox: readonly string[],
): Promise<Scanned> {
  const folder = path.join(installed, "node_modules", name);
  const found = readPackage(folder);
  if (found.version !== version) throw new Error(`version ${found.version} is installed`);
  const licence = pinned.licence ?? (typeof found.license === "string" ? found.license : (found.license?.type ?? "none"));
  if (!LICENCES.has(licence)) throw new Error(`its licence is ${licence}`);
  const home = path.join(temporary, "homes", name.replaceAll(/\W/g, "-"));
  mkdirSync(home, { recursive: true });
  const tools = await listTools(
    { folder, bin, args: args.map((part) => part.replaceAll("HOME", home)), home, placeholders: pinned.placeholders ?? [] },
    sandbox,
  );
  if (tools.length === 0) throw new Error("it lists no tools");
  const scanned = new Date().toISOString().slice(0, 10);
  return { server: { name: name, package: name, version, licence, scanned }, tools };
}
