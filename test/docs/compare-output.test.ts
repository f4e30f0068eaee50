/** The comparison of shown and real output lets pass what no two runs share, and nothing else. */
import { describe, expect, it } from "vitest";
import { isSameOutput } from "../../tools/docs/compare-output.ts";
import { readPage } from "../../tools/docs/read-page.ts";

describe("comparing outputs", () => {
  it.each([
    ["times", "2026-01-05T09:00:00.000Z intent", "2027-02-06T10:01:02.345Z intent"],
    ["durations", "took 12.5 ms", "took 3 ms"],
    ["ports", "http://127.0.0.1:8420/mcp", "http://127.0.0.1:51234/mcp"],
    ["hashes", "0".repeat(64), "a".repeat(64)],
    ["padding of tables", "A    B", "A  B"],
    ["lines left out", "first\n…\nlast", "first\nsecond\nthird\nlast"],
    ["no lines left out", "first\n…", "first"],
    ["text left out", "a … z", "a b c z"],
  ])("lets %s differ", (_, shown, actual) => {
    expect(isSameOutput(shown, actual)).toBe(true);
  });

  it.each([
    ["a word", "allow list_connectors", "deny list_connectors"],
    ["a line more", "first", "first\nsecond"],
    ["a line less", "first\nsecond", "first"],
    ["a number", "2 entries", "3 entries"],
    ["what stands round left out lines", "first\n…\nlast", "first\nsecond"],
    ["signs of patterns", "a.b", "axb"],
  ])("does not let %s differ", (_, shown, actual) => {
    expect(isSameOutput(shown, actual)).toBe(false);
  });
});

describe("reading pages", () => {
  it("finds commands, their outputs and files in order", () => {
    const page = readPage(
      "```yaml file=a.yaml\nx: 1\n```\n\n```console exit=1\n$ one \\\n  more\nsaid\n$ two\n```\n\n```sh background\nthree\n```\n\n```text output\nup\n```",
    );
    expect(page.steps).toMatchObject([
      { kind: "file", name: "a.yaml", text: "x: 1\n" },
      { kind: "run", script: "one \\\n  more", exit: 0, output: "said", outputLines: [8, 9] },
      { kind: "run", script: "two", exit: 1, output: "", outputLines: [10, 10] },
      { kind: "run", script: "three", background: true, output: "up", outputLines: [17, 18] },
    ]);
  });

  it("refuses a fence without an end", () => {
    expect(() => readPage("```sh\ntrue")).toThrow("no end");
  });
});
