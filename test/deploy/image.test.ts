/**
 * The image without an engine: the very script that the Dockerfile runs puts its root together, and the image's command
 * runs in it, with that root alone, read-only, as the image's user.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../support/program.ts";
import { lastInstruction, readDeploy, run } from "./parts.ts";

const PATIENCE_MS = 30_000;
/** A root of its own is root's to make. */
const canChangeRoot = process.getuid?.() === 0 && spawnSync("unshare", ["--mount", "true"]).status === 0;

let folder = "";
let image = "";

/** The build stage's folder after its last command, but for the packages that are linked rather than fetched. */
function makeCheckout(to: string): void {
  for (const part of ["bin", "policies", "schema", "samples", "deploy", "package.json", "LICENSE", "README.md", "CHANGELOG.md"]) {
    cpSync(path.join(ROOT, part), path.join(to, part), { recursive: true });
  }
  const built = spawnSync(path.join(ROOT, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json", "--outDir", path.join(to, "dist")], {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(built.stdout);
  const ships = run("npm", ["ls", "--omit=dev", "--all", "--parseable"]).out.split("\n").slice(1).filter(Boolean);
  if (ships.length < 5) throw new Error("nothing ships");
  for (const dependency of ships) {
    const place = path.relative(ROOT, dependency);
    cpSync(dependency, path.join(to, place), { recursive: true });
  }
}

interface Inside {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

/** Runs a command in the image: its root alone and read-only, a data folder and a /tmp of its own, its user. */
function runInside(data: string, command: readonly string[], env: Readonly<Record<string, string>> = {}): Inside {
  const script = [
    `mount --bind "$0" "$0"`,
    `mount -o remount,ro,bind "$0"`,
    `mount --bind "$1" "$0/data"`,
    `mount -t tmpfs tmpfs "$0/tmp"`,
    `shift`,
    `exec chroot --userspec=65532:65532 "$0" "$@"`,
  ].join(" && ");
  const child = spawn("unshare", ["--mount", "sh", "-c", script, image, data, ...command], {
    env: { HOME: "/data", ...env },
    stdio: "pipe",
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  return { child, said: () => said, ended };
}

async function waitFor(inside: Inside, pattern: RegExp): Promise<RegExpExecArray> {
  const giveUpMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = pattern.exec(inside.said());
    if (found) return found;
    if (inside.child.exitCode !== null || performance.now() > giveUpMs) throw new Error(`never said ${pattern}:\n${inside.said()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("the Dockerfile", () => {
  test("copies only what its context lets through", () => {
    const ignored = run("cat", [".dockerignore"]).out;
    const copied = [...readDeploy("Dockerfile").matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) =>
      (names as string).split(" "),
    );
    expect(copied.length).toBeGreaterThan(10);
    for (const name of copied) expect(ignored.split("\n")).toContain(`!${name}`);
  });

  test("ends in an image without a shell, without root, with a probe", () => {
    const dockerfile = readDeploy("Dockerfile");
    expect(dockerfile.match(/^FROM .*$/gm)?.at(-1)).toBe("FROM scratch");
    expect(dockerfile).toMatch(/^USER 65532:65532$/m);
    expect(lastInstruction("HEALTHCHECK")).toEqual(["/usr/bin/node", "/opt/sallyport/deploy/ready.mjs"]);
  });
});

describe.runIf(canChangeRoot)("what stands in the image", () => {
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "sallyport-image-"));
    image = path.join(folder, "root");
    const checkout = path.join(folder, "checkout");
    mkdirSync(checkout);
    makeCheckout(checkout);
    const made = run("sh", ["deploy/make-root.sh", checkout, image, process.execPath]);
    if (made.code !== 0) throw new Error(made.err);
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("is Node, its libraries and Sallyport", () => {
    expect(readdirSync(path.join(image, "usr/bin"))).toEqual(["node"]);
    expect(readdirSync(path.join(image, "opt/sallyport/node_modules"))).not.toContain("typescript");
    expect(statSync(path.join(image, "data")).uid).toBe(65532);
  });

  test("its command serves on a read-only root, its probe sees that, and SIGTERM ends it", async () => {
    const data = path.join(folder, "data");
    mkdirSync(data, { mode: 0o700 });
    spawnSync("chown", ["65532:65532", data]);
    const inside = runInside(data, [...lastInstruction("ENTRYPOINT"), ...lastInstruction("CMD"), "--port", "0"]);
    const [, port = ""] = await waitFor(inside, /http:\/\/0\.0\.0\.0:(\d+)/);
    const probe = runInside(data, lastInstruction("HEALTHCHECK"), { SALLYPORT_PORT: port });
    expect(await probe.ended).toBe(0);
    const closed = runInside(data, lastInstruction("HEALTHCHECK"), { SALLYPORT_PORT: "1" });
    expect(await closed.ended).toBe(1);
    inside.child.kill("SIGTERM");
    expect(await inside.ended, inside.said()).toBe(0);
    expect(readdirSync(data)).toContain("sallyport.db");
  });
});
