/** The catalogue that ships: what its script lists, each with its licence, and nothing of the machine that asked. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const LICENCES = new Set(["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "MIT-0", "0BSD"]);

interface Shipped {
  readonly server: { readonly name: string; readonly package: string; readonly version: string; readonly licence: string };
  readonly tools: readonly { readonly name: string }[];
}

const text = readFileSync(path.join(ROOT, "catalogue/servers.jsonl"), "utf8");
const servers = text
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Shipped);
const { packages } = JSON.parse(readFileSync(path.join(ROOT, "catalogue/packages.json"), "utf8")) as {
  packages: readonly { readonly package: string; readonly version: string }[];
};

describe("the catalogue that ships", () => {
  it("holds forty servers at least, each at the version that its script names", () => {
    expect(servers.length).toBeGreaterThanOrEqual(40);
    const pinned = new Map(packages.map((entry) => [entry.package, entry.version]));
    expect(servers.filter(({ server }) => pinned.get(server.package) !== server.version)).toEqual([]);
    expect(packages.filter(({ version }) => !/^\d+\.\d+\.\d+/.test(version))).toEqual([]);
  });

  it("has licences that may be handed on, and names each in NOTICE", () => {
    expect(servers.filter(({ server }) => !LICENCES.has(server.licence))).toEqual([]);
    const notice = readFileSync(path.join(ROOT, "NOTICE"), "utf8");
    const unnamed = servers.filter(({ server }) => !notice.includes(`${server.package} ${server.version} (${server.licence})`));
    expect(unnamed.map(({ server }) => server.package)).toEqual([]);
  });

  it("says nothing of the machine that asked, and holds no value of a credential", () => {
    expect(text).not.toMatch(/\/tmp\/sallyport|\/work\/|made-up/);
  });
});
