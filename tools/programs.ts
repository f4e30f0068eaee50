/**
 * System programs that some suites start: which, why, and how to get them on Debian. Nothing here is needed to use
 * Sallyport.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

export interface Program {
  readonly name: string;
  /** One, or several with a space between. */
  readonly debianPackage: string;
  /** What else of the packages has to be there. */
  readonly file?: string;
  /** The suites that need it, in words. */
  readonly suites: string;
}

const PROGRAMS: readonly Program[] = [
  { name: "nginx", debianPackage: "nginx-light", suites: "the run of the bench (test/bench)" },
  { name: "wrk", debianPackage: "wrk", suites: "the run of the bench (test/bench)" },
  { name: "curl", debianPackage: "curl", suites: "the commands that README and docs show (test/docs)" },
  { name: "redis-server", debianPackage: "redis-server", suites: "counters in Redis (test/limit/redis, test/e2e/redis.test.ts)" },
  { name: "openssl", debianPackage: "openssl", suites: "counters in Redis behind TLS (test/limit/redis/tls.test.ts)" },
  { name: "pg_ctlcluster", debianPackage: "postgresql", suites: "everything on PostgreSQL (test/contract, test/replicas, test/store)" },
  { name: "dash", debianPackage: "dash", suites: "the shell referee of shell_commands_in (test/policy/operators)" },
  {
    name: "go",
    debianPackage: "golang-go golang-github-masterminds-sprig-dev",
    file: "/usr/share/gocode/src/github.com/Masterminds/sprig/functions.go",
    suites: "the templates of the Helm chart (test/deploy)",
  },
  { name: "systemd-analyze", debianPackage: "systemd", suites: "the systemd unit (test/deploy)" },
];

export function hasProgram(name: string): boolean {
  const paths = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/sbin"].join(":");
  return spawnSync("sh", ["-c", `command -v ${name}`], { env: { PATH: paths } }).status === 0;
}

function isHere({ name, file }: Program): boolean {
  return hasProgram(name) && (file === undefined || existsSync(file));
}

/** Installs what is missing, with progress, and gives what could not be had. */
export function ensurePrograms(): Program[] {
  const missing = PROGRAMS.filter((program) => !isHere(program));
  if (missing.length === 0) return [];
  const packages = missing.flatMap((program) => program.debianPackage.split(" "));
  const root = process.getuid?.() === 0;
  if (root && hasProgram("apt-get")) {
    process.stdout.write(`Installing for the tests: ${packages.join(", ")}\n`);
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    spawnSync("apt-get", ["update", "-q"], { stdio: "inherit", env });
    spawnSync("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...packages], { stdio: "inherit", env });
  } else {
    process.stdout.write(`Not here: ${packages.join(", ")}; they can't be installed without root and apt-get.\n`);
  }
  return missing.filter((program) => !isHere(program));
}
