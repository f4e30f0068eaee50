/**
 * The law of `shell_commands_in`, with real shells as referees: a line that is read runs no command that was not read
 * in it. Every command is a stub that writes down its name; nothing else can be found, so nothing else can run.
 */

import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseShellLine, type ShellOpenings } from "../../../src/policy/operators/shell-line.ts";

const SHELLS = [
  ["/bin/dash", []],
  ["/bin/bash", ["--norc", "--noprofile"]],
] as const;
const NAMES = ["aa", "bb", "ev", "zz"];
const LINES = 60;
const DEADLINE_MS = 10_000;

let folder = "";
const inFolder = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "shell-law-"));
  mkdirSync(inFolder("bin"));
  for (const name of NAMES) {
    // What a stub prints is the name of another, so that a substitution in a command's place would run it.
    writeFileSync(inFolder(`bin/${name}`), `#!/bin/sh\nprintf '%s\\n' ${name} >>'${inFolder("ran")}'\nprintf 'zz'\n`);
    chmodSync(inFolder(`bin/${name}`), 0o755);
  }
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The names of the stubs that the line runs, in an empty folder of its own. */
function run(shell: string, options: readonly string[], line: string): string[] {
  rmSync(inFolder("ran"), { force: true });
  rmSync(inFolder("here"), { recursive: true, force: true });
  mkdirSync(inFolder("here"));
  writeFileSync(inFolder("here/aax"), "");
  spawnSync(shell, [...options, "-c", line], {
    cwd: inFolder("here"),
    env: { PATH: inFolder("bin"), HOME: inFolder("here"), A: "zz" },
    stdio: "ignore",
    timeout: DEADLINE_MS,
  });
  return existsSync(inFolder("ran")) ? readFileSync(inFolder("ran"), "utf8").trim().split("\n") : [];
}

const sign = fc.constantFrom(
  ...NAMES,
  ...NAMES,
  "x",
  "if",
  "then",
  "fi",
  "!",
  "{",
  "}",
  "(",
  ")",
  "$(",
  "$A",
  "`",
  "'",
  '"',
  "\\",
  ";",
  "&&",
  "||",
  "|",
  "&",
  "#",
  "~",
  "*",
  "[",
  "]",
  "=",
  "A=",
  ">",
  "<",
  "2>",
  "1",
);
const glued = fc
  .array(fc.tuple(sign, fc.constantFrom("", " ", " ")), { minLength: 1, maxLength: 12 })
  .map((pairs) => pairs.flat().join(""));
const simple = fc
  .tuple(
    fc.constantFrom(...NAMES),
    fc.array(fc.oneof(sign, fc.constantFrom("$(ev)", "`ev`", '"$(ev x)"', "'a b'", ">x", "{x,y}")), { maxLength: 3 }),
  )
  .map(([name, rest]) => [name, ...rest].join(" "));
const joined = fc
  .array(fc.tuple(simple, fc.constantFrom(";", "&&", "||", "|", " # ")), { minLength: 1, maxLength: 4 })
  .map((pairs) => pairs.flat().join(" ").replace(/\S+$/, ""));
const anyLine = fc.oneof(glued, joined);

const OPENINGS: readonly [string, ShellOpenings][] = [
  ["nothing is open", { substitution: false, redirection: false, assignment: false }],
  ["everything is open", { substitution: true, redirection: true, assignment: true }],
];

describe.each(SHELLS.filter(([shell]) => existsSync(shell)))("%s", (shell, options) => {
  test.each(OPENINGS)("runs only what was read where %s", (_, openings) => {
    const read = fc.sample(anyLine, 20_000).filter((line) => parseShellLine(line, openings) !== undefined);
    // Long lines first: they say more.
    const lines = [...new Set(read)]
      .sort((a, b) => b.length - a.length)
      .slice(0, LINES * 4)
      .filter((_line, index) => index % 4 === 0);
    let ran = 0;
    for (const line of lines) {
      const names = (parseShellLine(line, openings) ?? []).map(([name]) => name);
      const found = run(shell, options, line);
      ran += found.length;
      expect({ line, unread: found.filter((name) => !names.includes(name)) }).toEqual({ line, unread: [] });
    }
    expect(ran).toBeGreaterThan(LINES / 2);
  });

  test("runs all of a line that has nothing but words, quotes and semicolons", () => {
    for (const line of [
      "aa; bb",
      "'aa' x; b\"b\"",
      "a\\a 'x;ev' \\; ; bb # ; ev",
      "aa \"it's\"; bb '\"'",
      "aa ~ * {x,y}; bb ! =",
      "aa | bb && ev",
    ]) {
      const names = parseShellLine(line, { substitution: false, redirection: false, assignment: false })?.map(([name]) => name);
      expect({ line, ran: run(shell, options, line).sort() }).toEqual({ line, ran: names?.sort() });
    }
  });
});
