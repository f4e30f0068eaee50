/** What ships: no install script, no native addon, licences we may hand on, a count that nobody raises unseen. */
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../..");
const LICENCES = new Set(["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "MIT-0", "0BSD"]);
const MAX_PACKAGES = 34;

interface LockedPackage {
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly license?: string;
  readonly resolved?: string;
}

const lock = JSON.parse(readFileSync(path.join(ROOT, "package-lock.json"), "utf8")) as { packages: Record<string, LockedPackage> };
const shipped = Object.entries(lock.packages).filter(([name, entry]) => name !== "" && entry.dev !== true);

describe("what ships", () => {
  it("is a handful of packages", () => {
    expect(shipped.length).toBeGreaterThan(3);
    expect(shipped.length).toBeLessThanOrEqual(MAX_PACKAGES);
  });

  it("has no install scripts and no native addons", () => {
    expect(shipped.filter(([, entry]) => entry.hasInstallScript === true).map(([name]) => name)).toEqual([]);
    const native = shipped.filter(([name]) => {
      const folder = path.join(ROOT, name);
      return existsSync(path.join(folder, "binding.gyp")) || globSync("**/*.node", { cwd: folder }).length > 0;
    });
    expect(native.map(([name]) => name)).toEqual([]);
  });

  it("has licences that Apache-2.0 may hand on", () => {
    const licenceOf = (name: string, entry: LockedPackage): string =>
      entry.license ?? (JSON.parse(readFileSync(path.join(ROOT, name, "package.json"), "utf8")) as { license?: string }).license ?? "none";
    expect(
      shipped.map(([name, entry]) => [name, licenceOf(name, entry)]).filter(([, licence]) => !LICENCES.has(licence as string)),
    ).toEqual([]);
  });

  it("names no download address in the lock file", () => {
    expect(
      Object.entries(lock.packages)
        .filter(([, entry]) => entry.resolved?.startsWith("http"))
        .map(([name]) => name),
    ).toEqual([]);
  });
});
