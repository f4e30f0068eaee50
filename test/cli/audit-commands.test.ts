/** `sallyport audit …` on a folder: what people and programs are shown, and exports that are gone on with in their file. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDataFolder } from "../../src/data-folder.ts";
import { runCommand } from "../support/commands.ts";

const data = mkdtempSync(path.join(tmpdir(), "audit-commands-"));
const file = (name: string) => path.join(data, name);
const run = (...words: string[]) => runCommand(["audit", ...words, "--data", data]);

async function append(count: number): Promise<void> {
  const folder = await openDataFolder({ dir: data, env: {} });
  await folder.store.write(async (batch) => {
    for (let number = 0; number < count; number++) {
      folder.audit.append(batch, {
        kind: "denial",
        server: "notes",
        tool: "read\u001b[2J",
        toolHash: "h",
        decision: "deny",
        rule: "/tools/read",
      });
    }
  });
  await folder.close();
}

beforeAll(() => append(5));
afterAll(() => rmSync(data, { recursive: true, force: true }));

describe("audit export", () => {
  test("goes on in the file of one that was broken off, and of one that was finished", async () => {
    expect((await run("export", "--out", file("log.jsonl"))).code).toBe(0);
    const whole = readFileSync(file("log.jsonl"), "utf8");
    writeFileSync(file("part.jsonl"), whole.slice(0, 900));
    expect(await run("export", "--resume", file("part.jsonl"))).toMatchObject({ code: 0, out: "" });
    expect(readFileSync(file("part.jsonl"), "utf8")).toBe(whole);
    await append(2);
    expect((await run("export", "--resume", file("part.jsonl"))).code).toBe(0);
    const { code, out } = await run("verify", file("part.jsonl"), "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true, entries: 7, chains: 1, retired: [], signature: "verified", later: 0 });
    expect((await run("export", "--resume", file("new.jsonl"))).code).toBe(0);
    expect(readFileSync(file("new.jsonl"), "utf8")).toBe(readFileSync(file("part.jsonl"), "utf8"));
  });

  test("leaves a file as it is that is not this log's, and says why", async () => {
    const bad = `${readFileSync(file("log.jsonl"), "utf8").split("\n").slice(0, 3).join("\n").replaceAll("notes", "other")}\n`;
    writeFileSync(file("bad.jsonl"), bad);
    const { code, err } = await run("export", "--resume", file("bad.jsonl"));
    expect(code).toBe(2);
    expect(err).toContain("does not hold");
    expect(readFileSync(file("bad.jsonl"), "utf8")).toBe(bad);
    expect((await run("export", "--resume", file("bad.jsonl"), "--out", file("x.jsonl"))).code).toBe(2);
  });

  test("prints what comes after a cursor, which verifies from there on", async () => {
    const { out } = await run("export", "--after", "4");
    expect(out.split("\n")[0]).toContain('{"seq":5,');
    writeFileSync(file("tail.jsonl"), out);
    expect((await run("verify", file("tail.jsonl"), "--after", "4")).code).toBe(0);
    const without = await run("verify", file("tail.jsonl"));
    expect(without).toMatchObject({ code: 1 });
    expect(without.out).toContain("Entries 1 to 4 were removed");
    expect((await run("export", "--after", "x")).code).toBe(2);
  });

  test("names the entry that is cut off", async () => {
    writeFileSync(file("cut.jsonl"), readFileSync(file("log.jsonl")));
    truncateSync(file("cut.jsonl"), 1000);
    const { code, out } = await run("verify", file("cut.jsonl"));
    expect(code).toBe(1);
    expect(out).toMatch(/breaks off in the middle of entry \d/);
  });
});

describe("audit search and count", () => {
  test("go page by page", async () => {
    const first = await run("search", "--limit", "3", "--json");
    expect(
      first.out
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { seq: number }).seq),
    ).toEqual([7, 6, 5]);
    const [, next = ""] = /--before (\S+)/.exec(first.err) ?? [];
    const second = await run("search", "--limit", "10", "--json", "--before", next);
    expect(
      second.out
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { seq: number }).seq),
    ).toEqual([4, 3, 2, 1]);
    expect(second.err).toBe("");
    expect((await run("search", "--rule", "/tools/read", "--json")).out.trim().split("\n")).toHaveLength(7);
    expect((await run("search", "--before", "nonsense")).code).toBe(2);
  });

  test("count by hour, in words that do not draw on a terminal", async () => {
    const { out } = await run("count");
    expect(out).toMatch(/notes +read\\u001b\[2J +denial +deny +7\n/);
    const [line = ""] = (await run("count", "--json")).out.trim().split("\n");
    expect(JSON.parse(line)).toMatchObject({ server: "notes", kind: "denial", decision: "deny", entries: 7 });
  });
});
