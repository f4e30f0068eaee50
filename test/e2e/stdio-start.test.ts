/** `sallyport start` with servers that it starts: what it says of them, and that it leaves none behind. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { makeFolder, runProgram, startProgram } from "../support/program.ts";
import { isAlive, until } from "../upstream/stdio-rig.ts";

const PUPPET = fileURLToPath(new URL("../upstream/puppet.mjs", import.meta.url));
const TIMEOUT = { timeout: 120_000 };

function writeConfig(folder: string, servers: object): string {
  const file = path.join(folder, "sallyport.json");
  writeFileSync(file, JSON.stringify({ servers }));
  return file;
}

test("a gateway that is told to stop ends a server that hangs, and says what is wrong with one that never started", TIMEOUT, async () => {
  const folder = makeFolder();
  const config = writeConfig(folder, {
    hanging: {
      upstream: {
        command: process.execPath,
        args: [PUPPET],
        env: { STUBBORN: "1", SAY: "pid ${PUPPET_WORD}", KEY_OF_IT: "k3y-of-the-puppet" },
      },
    },
    missing: { upstream: { command: "no-such-server", args: ["--token", "${PUPPET_TOKEN}"] } },
  });
  const env = { PUPPET_WORD: "ready", PUPPET_TOKEN: "t0ken-in-an-argument" };
  const running = startProgram(["start", "--config", config, "--data", path.join(folder, "data"), "--port", "0"], { env });
  await running.says(/first list of `hanging`/, "err");
  const said = await running.says(/The process of `missing` could not be started: the command was not found \(`no-such-server`\)/, "err");
  expect(said).toBeTruthy();
  const findChildren = (): number[] =>
    execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" })
      .split("\n")
      .flatMap((row) => {
        const [, pid, parent] = /^\s*(\d+)\s+(\d+)\s/.exec(row) ?? [];
        return Number(parent) === running.child.pid && row.includes(PUPPET) ? [Number(pid)] : [];
      });
  // The one that was only asked for its era may be on its way out.
  await until(() => findChildren().length === 1);
  const children = findChildren();
  const ended = await running.kill("SIGTERM");
  expect([ended.code, ended.signal]).toEqual([0, null]);
  await until(() => !isAlive(children[0]));
  expect(ended.err).toContain("pid ready");
  for (const secret of ["k3y-of-the-puppet", "t0ken-in-an-argument"]) expect(ended.err + ended.out).not.toContain(secret);
  expect(ended.err).not.toMatch(/\n\s+at /);
});

test("a bad entry is refused at the start, with every error and its place", TIMEOUT, async () => {
  const folder = makeFolder();
  const config = writeConfig(folder, { s: { upstream: { command: "x", headers: {}, process: "each" }, network: { allow: [] } } });
  const ended = await runProgram(["start", "--config", config, "--data", path.join(folder, "data"), "--port", "0"]);
  expect(ended.code).toBe(2);
  for (const pointer of ["/servers/s/upstream/headers", "/servers/s/upstream/process", "/servers/s/network"])
    expect(ended.err).toContain(pointer);
});
