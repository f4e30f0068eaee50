/** The matrix of failures: each of its lines names tests, and each of these is there by that name. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

const DOCS = path.resolve(import.meta.dirname, "../../docs");
const COLUMNS = 5;
const page = readFileSync(path.join(DOCS, "failures.md"), "utf8");

const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| what fails"))
  .map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );

function namesTest(source: string, name: string): boolean {
  const quoted = JSON.stringify(name).replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(String.raw`(?:\b(?:test|it)(?:\.\w+\([^)]*\))?|\))\(\s*${quoted}`).test(source);
}

describe("the matrix of failures", () => {
  it("has a line for everything that can fail, with every column said", () => {
    expect(rows.length).toBeGreaterThan(25);
    for (const row of rows) {
      expect(row, row.join(" | ")).toHaveLength(COLUMNS);
      expect(
        row.every((cell) => cell !== ""),
        row.join(" | "),
      ).toBe(true);
    }
  });

  it("names tests that are there", () => {
    const missing: string[] = [];
    let named = 0;
    for (const row of rows) {
      const proofs = [...(row.at(-1) ?? "").matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)];
      if (proofs.length === 0) missing.push(`${row[0]}: no test`);
      for (const [, name = "", target = ""] of proofs) {
        named++;
        const file = path.join(DOCS, target);
        if (!existsSync(file) || !namesTest(readFileSync(file, "utf8"), name)) missing.push(`${row[0]}: ${name} (${target})`);
      }
    }
    expect(missing).toEqual([]);
    expect(named).toBeGreaterThanOrEqual(rows.length);
  });

  it("would miss one that is not there", () => {
    expect(namesTest('test("that is", async () => {', "that is")).toBe(true);
    expect(namesTest('test.skipIf(none)(\n  "that is", {', "that is")).toBe(true);
    expect(namesTest('const words = "that is";', "that is")).toBe(false);
    expect(namesTest('test("that is not", () => {', "that is")).toBe(false);
  });
});
