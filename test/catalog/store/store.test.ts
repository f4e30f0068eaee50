/** The catalogue's file: what it is built from, what it keeps, and that a failed build changes nothing. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openCatalogue } from "../../../src/catalog/store/read-catalogue.ts";
import { listSources, readSource } from "../../../src/catalog/store/read-source.ts";
import { createSlug } from "../../../src/catalog/store/slugs.ts";
import { buildCatalogue } from "../../../src/catalog/store/write-catalogue.ts";
import { FailureError } from "../../../src/kernel/failure.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "sallyport-store-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const AT = "2026-11-22T00:00:00Z";

function write(name: string, content: unknown): string {
  const file = path.join(folder, name);
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

async function build(list: string, name = "c.db") {
  const file = path.join(folder, name);
  const totals = await buildCatalogue({ file, sources: readSource(list), at: AT });
  return { file, totals };
}

describe("a catalogue's file", () => {
  it("is built from answers to tools/list, lists, several servers, and one tool or one server a line", async () => {
    const tool = { name: "get_user", description: "Get a user." };
    const forms: [string, unknown, string][] = [
      ["answer.json", { jsonrpc: "2.0", id: 1, result: { tools: [tool] } }, "answer"],
      ["list.json", [tool], "list"],
      [
        "two.json",
        {
          servers: [
            { name: "a", tools: [tool] },
            { server: { name: "b" }, tools: [tool] },
          ],
        },
        "a",
      ],
      ["tools.jsonl", `${JSON.stringify({ server: "s", tool: "get_user" })}\n\n${JSON.stringify({ ...tool, name: "x" })}\n`, "s"],
      ["servers.jsonl", `${JSON.stringify({ server: { name: "t", package: "p" }, tools: [tool] })}\n`, "t"],
    ];
    for (const [name, content, server] of forms) {
      const { file, totals } = await build(write(name, content), `${name}.db`);
      const catalogue = openCatalogue(file);
      expect(totals.tools, name).toBeGreaterThan(0);
      expect(catalogue.findServer(server)?.tools, name).toBe(1);
      catalogue.close();
    }
  });

  it("names the place of what it can't read, and leaves what was there", async () => {
    const { file } = await build(write("good.json", [{ name: "get_user" }]));
    for (const [name, content] of [
      ["bad.jsonl", '{"name":"a"}\n{"name":'],
      ["none.json", '{"a":1}'],
      ["twice.json", '{"tools":[],"tools":[]}'],
    ] as const) {
      const failed = await build(write(name, content)).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(FailureError);
      expect((failed as FailureError).failures[0]?.at?.file).toContain(name);
    }
    const catalogue = openCatalogue(file);
    expect(catalogue.totals.tools).toBe(1);
    catalogue.close();
    expect(readdirSync(folder).filter((name) => name.endsWith(".new"))).toEqual([]);
    await expect(listSources([path.join(folder, "nowhere")])).rejects.toThrow("no such file");
  });

  it("counts what it left out, and counts tools by class", async () => {
    const list = write("some.json", {
      name: "s",
      tools: [{ name: "delete_user" }, { name: "delete_user" }, { name: "" }, { name: "get_user" }],
    });
    const { file, totals } = await build(list);
    expect(totals).toMatchObject({ servers: 1, tools: 2, left: 2 });
    const catalogue = openCatalogue(file);
    expect(catalogue.totals.classes).toMatchObject({ read: 1, destructive: 1 });
    expect(catalogue.findServer("s")).toMatchObject({ tools: 2, changing: 1 });
    catalogue.close();
  });

  it("is another one for who opens it after it was built again, and stays whole for who had it open", async () => {
    const { file } = await build(write("one.json", [{ name: "a" }]), "again.db");
    const before = openCatalogue(file);
    await build(write("three.json", [{ name: "a" }, { name: "b" }, { name: "c" }]), "again.db");
    const after = openCatalogue(file);
    expect([before.totals.tools, after.totals.tools]).toEqual([1, 3]);
    expect(before.search({ words: "a" }, 0, 10).matches).toBe(1);
    before.close();
    after.close();
  });

  it("is refused where it is something else", () => {
    expect(() => openCatalogue(write("text.db", "no database, this is"))).toThrow(FailureError);
  });

  it("gives names that are alike addresses that are not", () => {
    const taken = new Set<string>();
    const slugs = ["Get User", "get user", "get-user", "GET USER", "get.user", "日本", "", "..", "get_user"].map((name) => {
      const slug = createSlug(name, (known) => taken.has(known));
      taken.add(slug);
      return slug;
    });
    expect(new Set(slugs).size).toBe(slugs.length);
    expect(slugs[0]).toBe("get-user");
    for (const slug of slugs) expect(slug).toMatch(/^[a-z0-9_-]{1,100}$/);
  });
});
