/**
 * The whole suite: what the fast gate looks at, then every test. A system program that a suite needs is installed from
 * Debian's packages where that is possible; where it is not, the suites that had to be left out are named last, in words.
 */
import { spawnSync } from "node:child_process";
import { ensurePrograms } from "./programs.ts";

const missing = ensurePrograms();

const env = { ...process.env, SALLYPORT_MISSING_PROGRAMS: missing.map((program) => program.name).join(",") };
const run = (name: string, command: string, args: readonly string[]): boolean => {
  process.stdout.write(`\n── ${name}\n`);
  return spawnSync(command, args, { stdio: "inherit", env }).status === 0;
};

const results = [
  run("format", "biome", ["check", "--linter-enabled=false", "."]),
  run("types", "tsc", ["-p", "tsconfig.json"]),
  run("lint", "oxlint", ["--deny-warnings"]),
  run("lint of promises", "oxlint", ["--type-aware", "--deny-warnings", "src", "samples", "bin"]),
  run("dead code", "knip", ["--no-progress"]),
  run("tests", "vitest", ["run"]),
];

for (const program of missing) {
  process.stdout.write(`\nLeft out, because ${program.name} is not here and could not be installed: ${program.suites}.\n`);
}
process.exitCode = results.every(Boolean) ? 0 : 1;
