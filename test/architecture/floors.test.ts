/** The house holds: rooms import from lower floors only, and what must not be in the path of a call is not. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../..");
const FLOORS: Readonly<Record<string, number>> = {
  kernel: 0,
  http: 1,
  mcp: 1,
  policy: 1,
  config: 2,
  observe: 2,
  store: 2,
  vault: 2,
  identity: 3,
  upstream: 3,
  revision: 3,
  limit: 3,
  approval: 3,
  audit: 3,
  catalog: 3,
  notify: 3,
  gateway: 4,
  scan: 4,
  api: 5,
  pages: 5,
  cli: 5,
};
const TOP_FLOOR = 6;

interface Source {
  readonly file: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)|(?:^|\n)import\s+["']([^"']+)["']/g;

const sources: Source[] = globSync("src/**/*.ts", { cwd: ROOT }).map((file) => {
  const text = readFileSync(path.join(ROOT, file), "utf8");
  const parts = file.split(path.sep);
  return {
    file,
    room: parts.length > 2 ? (parts[1] as string) : "",
    text,
    imports: [...text.matchAll(IMPORT)].map((match) => (match[1] ?? match[2] ?? match[3]) as string),
  };
});

const floorOf = (room: string): number => (room === "" ? TOP_FLOOR : (FLOORS[room] ?? -1));
const roomOf = (source: Source, specifier: string): string => {
  const target = path.relative(path.join(ROOT, "src"), path.resolve(ROOT, path.dirname(source.file), specifier));
  const parts = target.split(path.sep);
  return parts.length > 1 ? (parts[0] as string) : "";
};

describe("the house", () => {
  it("has files to look at, each in a known room", () => {
    expect(sources.length).toBeGreaterThan(40);
    expect(sources.filter((source) => floorOf(source.room) < 0).map((source) => source.file)).toEqual([]);
  });

  it("imports from lower floors and the own room alone", () => {
    const wrong: string[] = [];
    let seen = 0;
    for (const source of sources) {
      for (const specifier of source.imports.filter((name) => name.startsWith("."))) {
        seen++;
        const room = roomOf(source, specifier);
        if (room !== source.room && floorOf(room) >= floorOf(source.room)) wrong.push(`${source.file} → ${specifier}`);
      }
    }
    expect(seen).toBeGreaterThan(100);
    expect(wrong).toEqual([]);
  });

  it("keeps the protocol's libraries and fetch out of the path of a call", () => {
    const rooms = new Set(["gateway", "upstream", "mcp", "policy", "limit", "audit"]);
    const path_ = sources.filter((source) => rooms.has(source.room));
    expect(path_.length).toBeGreaterThan(20);
    expect(path_.filter((source) => source.imports.some((name) => name.startsWith("@modelcontextprotocol/"))).map((s) => s.file)).toEqual(
      [],
    );
    expect(path_.filter((source) => /(?<![.\w])fetch\(/.test(source.text)).map((source) => source.file)).toEqual([]);
  });

  it("sends calls through its own client: undici asks addresses that others named, and nothing else", () => {
    const users = sources.filter((source) => source.imports.includes("undici")).map((source) => source.file);
    expect(users.toSorted()).toEqual(["src/upstream/address-guard.ts", "src/upstream/guarded-fetch.ts"]);
  });

  it("knows the database in store/ alone", () => {
    const knowing = sources.filter((source) => source.imports.some((name) => name === "node:sqlite" || name === "pg"));
    expect(knowing.length).toBeGreaterThan(0);
    expect(knowing.filter((source) => source.room !== "store").map((source) => source.file)).toEqual([]);
  });

  it("keeps policy/ pure: no clock, no I/O, no randomness", () => {
    const pure = sources.filter((source) => source.room === "policy" || source.room === "kernel" || source.room === "mcp");
    const impure = /\bDate\.now\(|\bMath\.random\(|node:(?:fs|http|https|net|child_process|sqlite|dns)(?:["'/])|\bprocess\.env\b/;
    expect(pure.length).toBeGreaterThan(20);
    // `node:net`'s isIP is a pure reading of text; the clock's default is the one place that reads the time.
    const allowed = new Set(["src/kernel/clock.ts"]);
    expect(
      pure.filter((source) => impure.test(source.text.replaceAll('from "node:net"', "")) && !allowed.has(source.file)).map((s) => s.file),
    ).toEqual([]);
  });

  it("keeps every file to one thing", () => {
    const lines = sources.map((source) => [source.file, source.text.split("\n").length - 1] as const);
    expect(lines.filter(([, count]) => count > 400)).toEqual([]);
  });

  it("opens each file with a room card", () => {
    expect(sources.filter((source) => !source.text.startsWith("/**")).map((source) => source.file)).toEqual([]);
  });

  it("has no default exports and no barrels", () => {
    expect(sources.filter((source) => /\nexport default /.test(source.text)).map((source) => source.file)).toEqual([]);
    expect(sources.filter((source) => path.basename(source.file) === "index.ts").map((source) => source.file)).toEqual([]);
  });
});
