/** The generated pages are fresh in both directions, and every link leads somewhere. */
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { FAILURE_CODES } from "../../src/kernel/failure.ts";
import { printConfigurationPage } from "../../tools/docs/print-configuration.ts";
import { printErrorsPage } from "../../tools/docs/print-errors.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const read = (file: string): string => readFileSync(path.join(ROOT, file), "utf8");
const listCodes = (page: string): string[] => [...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1] as string);

describe("generated pages", () => {
  it("docs/errors.md is as it is written", () => {
    expect(read("docs/errors.md"), "run `node tools/write-reference.ts`").toBe(printErrorsPage());
  });

  it("docs/errors.md names every code, and no other", () => {
    expect(listCodes(read("docs/errors.md")).sort()).toEqual(Object.keys(FAILURE_CODES).sort());
  });

  it("docs/reference/configuration.md is as it is written", () => {
    expect(read("docs/reference/configuration.md"), "run `node tools/write-reference.ts`").toBe(printConfigurationPage());
  });
});

/** As code hosts do: lower case, words joined by hyphens, other signs dropped. */
function listAnchors(markdown: string): Set<string> {
  const plain = markdown.replace(/^(`{3,})[\s\S]*?^\1$/gm, "");
  const headings = [...plain.matchAll(/^#+ (.+)$/gm)].map((match) => match[1] as string);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

describe("links and names", () => {
  const files = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "AGENTS.md", ...globSync("docs/**/*.md", { cwd: ROOT })];

  it("lead to files and headings that are there", () => {
    const broken: string[] = [];
    let seen = 0;
    for (const file of files) {
      for (const [, target = ""] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        seen++;
        const [name = "", anchor] = target.split("#");
        const at = name === "" ? file : path.join(path.dirname(file), name);
        if (!existsSync(path.join(ROOT, at))) broken.push(`${file}: ${target}`);
        else if (anchor !== undefined && !listAnchors(read(at)).has(anchor)) broken.push(`${file}: ${target}`);
      }
    }
    expect(seen).toBeGreaterThan(20);
    expect(broken).toEqual([]);
  });

  it("name files of the house that are there", () => {
    const page = read("docs/architecture.md");
    const named = [...page.matchAll(/`([a-z-]+\/[a-z-]+\.ts)`/g)].map((match) => match[1] as string);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((file) => !existsSync(path.join(ROOT, "src", file)))).toEqual([]);
  });
});
