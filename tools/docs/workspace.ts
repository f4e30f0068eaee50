/**
 * A fresh folder in which a page's commands run as a reader would run them in a checkout: the checkout's Node first on
 * PATH, `sallyport` and `npm` resolvable, a home of its own. The ports that pages name are replaced by free ones.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";

const ROOT: string = path.resolve(import.meta.dirname, "../..");
/** What pages call the folder that they run in. */
const SHOWN_FOLDER = "/home/alice/sallyport";
/** What pages listen on: the gateway, and a server of their own. */
const SHOWN_PORTS = [8420, 9000, 9001] as const;
const LINKED = ["package.json", "package-lock.json", "node_modules", "src", "samples", "policies", "schema"];

export interface Workspace {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  /** From the page's ports to the real ones, and back. */
  toReal(text: string): string;
  toShown(text: string): string;
  remove(): void;
}

async function takeFreePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}

/** Like the checkout's own, but where no port is named it is the workspace's. */
const ENTRY = `const argv = process.argv;
if (argv[2] === "start" && !argv.some((word) => word === "--port" || word === "-p")) argv.push("--port", process.env.DOCS_PORT);
await import(${JSON.stringify(path.join(ROOT, "bin/sallyport.js"))});
`;

export async function createWorkspace(): Promise<Workspace> {
  const outer = mkdtempSync(path.join(os.tmpdir(), "sallyport-docs-"));
  const dir = path.join(outer, "sallyport");
  const programs = path.join(outer, "programs");
  for (const folder of [dir, path.join(dir, "bin"), programs]) mkdirSync(folder);
  for (const name of LINKED) symlinkSync(path.join(ROOT, name), path.join(dir, name));
  writeFileSync(path.join(dir, "bin/sallyport.js"), ENTRY);
  const shim = path.join(programs, "sallyport");
  writeFileSync(shim, `#!/bin/sh\nexec node ${path.join(dir, "bin/sallyport.js")} "$@"\n`);
  chmodSync(shim, 0o755);
  const ports = new Map<number, number>();
  for (const shown of SHOWN_PORTS) ports.set(shown, await takeFreePort());
  const replaceAll = (text: string, pairs: Iterable<readonly [string, string]>): string =>
    [...pairs].reduce((changed, [from, to]) => changed.replaceAll(new RegExp(`(?<!\\d)${from}(?!\\d)`, "g"), to), text);
  return {
    dir,
    env: {
      PATH: [programs, path.join(ROOT, "node_modules/.bin"), process.env["PATH"] ?? ""].join(path.delimiter),
      HOME: outer,
      USER: "alice",
      LC_ALL: "C.UTF-8",
      NO_COLOR: "1",
      DOCS_PORT: String(ports.get(8420)),
      DOCS_FIXTURES: path.join(ROOT, "test/docs/fixtures"),
      // `npm ci` reads the lock file and plans, without replacing the folder that this very test runs from.
      npm_config_dry_run: "true",
      npm_config_offline: "true",
      npm_config_update_notifier: "false",
    },
    toReal: (text) =>
      replaceAll(
        text,
        [...ports].map(([from, to]) => [String(from), String(to)] as const),
      ),
    toShown: (text) =>
      replaceAll(
        text.replaceAll(dir, SHOWN_FOLDER),
        [...ports].map(([from, to]) => [String(to), String(from)] as const),
      ),
    remove: () => rmSync(outer, { recursive: true, force: true, maxRetries: 5 }),
  };
}
