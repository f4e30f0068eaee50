/**
 * The fast gate: format, lint, types, dead code, architecture, unit tests. Every step runs, the first failure decides
 * the exit code, and what failed is named last. Runs under the checkout's own Node through `npm run check`.
 */
import { spawnSync } from "node:child_process";

/** Tests that start real programs or whole gateways, or take long: `npm test` runs them, the gate does not. */
const SLOW = [
  "interop",
  "conformance",
  "e2e",
  "gateway",
  "bench",
  "pages/catalog",
  "deploy",
  "samples",
  "limit/redis",
  "replicas",
  "contract/postgres.test.ts",
  "contract/limits-postgres.test.ts",
  "store/postgres.test.ts",
  "store/postgres-tls.test.ts",
  "docs/pages.test.ts",
  "http/front-server.test.ts",
  "http/one-reading.test.ts",
  "catalog/corpus.test.ts",
  "store/open-store.test.ts",
  "store/folder-lock.test.ts",
  "limit/stored-limits.test.ts",
  "config/watch-config.test.ts",
  "audit/processes.test.ts",
  "audit/postgres.test.ts",
  "identity/login-index.test.ts",
  "scan/list-target.test.ts",
  "cli/scan-command.test.ts",
  "cli/init-command.test.ts",
  "upstream/http-upstream.test.ts",
  "upstream/modern-front",
  "upstream/oauth",
  "upstream/stdio-life.test.ts",
  "upstream/wire",
  "upstream/stdio-sessions.test.ts",
  "upstream/stdio-shared.test.ts",
  "upstream/stdio-upstream.test.ts",
];

const STEPS: readonly (readonly [string, readonly string[]])[] = [
  ["format", ["biome", "check", "--linter-enabled=false", "."]],
  ["types", ["tsc", "-p", "tsconfig.json"]],
  ["lint", ["oxlint", "--deny-warnings"]],
  ["lint of promises", ["oxlint", "--type-aware", "--deny-warnings", "src", "samples", "bin"]],
  ["dead code", ["knip", "--no-progress"]],
  ["tests", ["vitest", "run", ...SLOW.flatMap((name) => ["--exclude", name.endsWith(".ts") ? `test/${name}` : `test/${name}/**`])]],
];

const failed: string[] = [];
for (const [name, [command, ...args]] of STEPS) {
  const startedMs = performance.now();
  process.stdout.write(`\n── ${name}\n`);
  const done = spawnSync(command as string, args, { stdio: "inherit" });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (done.status !== 0) failed.push(name);
  process.stdout.write(`── ${name}: ${done.status === 0 ? "good" : "failed"} after ${seconds} s\n`);
}
process.stdout.write(failed.length === 0 ? "\ncheck: all good\n" : `\ncheck: failed: ${failed.join(", ")}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
