/** `sallyport server tools|diff|accept` on a folder whose servers have changed: what people and programs are shown. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { searchEntries } from "../../src/audit/search.ts";
import { type DataFolder, openDataFolder } from "../../src/data-folder.ts";
import { parseListPage } from "../../src/mcp/lists.ts";
import { putServer } from "../../src/revision/server.ts";
import { readDefinitions } from "../../src/upstream/definition.ts";
import { observeList } from "../../src/upstream/observe-list.ts";
import { runCommand } from "../support/commands.ts";

const data = mkdtempSync(path.join(tmpdir(), "server-commands-"));
let folder: DataFolder;
const ids: Record<string, string> = {};

async function observe(server: string, tools: readonly object[]): Promise<void> {
  const page = parseListPage(JSON.stringify({ tools }), "tools");
  if (page.kind === "invalid") throw new Error(page.reason);
  const definitions = readDefinitions(page.items);
  await folder.store.write((batch) => observeList(batch, ids[server] ?? "", definitions, { complete: true, mode: "accept", nowMs: 10 }));
}

const LONG = "Reads one note of the notebook. ".repeat(20);
const search = { description: "Searches all notes for words.", inputSchema: { type: "object", properties: { words: { type: "string" } } } };
const read = { name: "read", description: LONG, inputSchema: { type: "object", properties: { path: { type: "string", maxLength: 10 } } } };

beforeAll(async () => {
  folder = await openDataFolder({ dir: data, env: {} });
  for (const name of ["notes", "archive"]) {
    const put = await folder.store.write((batch) => putServer(batch, { name, origin: "cli", upstream: "", by: "test", nowMs: 1 }));
    if (put.ok) ids[name] = put.value.id;
  }
  await observe("notes", [
    read,
    { name: "search", ...search },
    { name: "old", description: "Moves a note to the archive.", inputSchema: { type: "object" } },
  ]);
  await observe("archive", [{ name: "old", description: "Moves a note to the archive.", inputSchema: { type: "object" } }]);
  const changed = {
    name: "read",
    description: `${LONG.slice(0, 300)}\u202eSecretly. ${LONG.slice(300)}`,
    inputSchema: {
      type: "object",
      properties: { path: { type: "string", maxLength: 1_000 }, "to\u200b": { type: "number", default: 1.0 } },
    },
  };
  await observe("notes", [changed, { name: "find", ...search }]);
});
afterAll(async () => {
  await folder.close();
  rmSync(data, { recursive: true, force: true });
});

describe("server diff", () => {
  test("tells people what each change does, and shows nothing unseen", async () => {
    const { code, out } = await runCommand(["server", "diff", "notes", "--data", data]);
    expect(code).toBe(1);
    expect(out).toMatchInlineSnapshot(`
      "find: quarantined: new
        it is like one that is gone: \`search\`
        + {"name":"find","description":"Searches all notes for words.","inputSchema":{"type":"object","properties":{"words":{"type":"string"}}}}
      old: no longer listed
        one like it is there: \`old\` of \`archive\`
      read: quarantined: changed since it was accepted, widens
        rewords /description
        - …"f the notebook. Reads one note of the notebook. Reads one note of the notebook. Reads one note of the notebook. Reads on"…
        + …"f the notebook. Reads one note of the notebook. Reads one no\\u{202E}Secretly. te of the notebook. Reads one note of the notebook. Reads on"…
        widens /inputSchema/properties/path/maxLength
        - 10
        + 1000
        widens /inputSchema/properties/to\\u{200B} (a new argument)
        + {"type":"number","default":1}
        noticed /description: characters that turn the reading direction: U+202E
        noticed the key at /inputSchema/properties/to\\u{200B}: characters that can't be seen: U+200B
      search: no longer listed
        one like it is there: \`find\`
      "
    `);
    expect(out).not.toMatch(/[\u200b\u202e]/);
  });

  test("tells programs the same", async () => {
    const { out } = await runCommand(["server", "diff", "notes", "--data", data, "--json"]);
    const told = JSON.parse(out) as { name: string; verdict?: string; twin?: object; changes: object[]; noticed?: { kind: string }[] }[];
    expect(told.map(({ name, verdict }) => [name, verdict])).toEqual([
      ["find", undefined],
      ["old", undefined],
      ["read", "widens"],
      ["search", undefined],
    ]);
    expect(told[2]?.changes).toContainEqual({
      pointer: "/inputSchema/properties/path/maxLength",
      effect: "widens",
      before: 10,
      after: 1000,
    });
    expect(told[2]?.noticed?.map(({ kind }) => kind)).toEqual(["bidi", "invisible"]);
    expect(told[1]?.twin).toEqual({ direction: "to", name: "old", server: "archive" });
    expect(told[3]?.twin).toEqual({ direction: "to", name: "find" });
  });
});

test("server tools tells what is noticed", async () => {
  expect((await runCommand(["server", "tools", "notes", "--data", data])).out).toContain(
    "read /description: characters that turn the reading direction: U+202E",
  );
  const tools = JSON.parse((await runCommand(["server", "tools", "notes", "--data", data, "--json"])).out) as {
    name: string;
    noticed: object[];
  }[];
  expect(tools.find(({ name }) => name === "read")?.noticed).toHaveLength(2);
});

test("server accept puts on record what was accepted, without its texts", async () => {
  expect((await runCommand(["server", "accept", "notes", "read", "--data", data], { USER: "ann" })).code).toBe(0);
  const { entries } = await searchEntries(folder.store, {}, { limit: 10 });
  const entry = entries.map(({ line }) => JSON.parse(line)).find(({ action }) => action === "tool.accepted");
  expect(entry).toMatchObject({
    object: "read",
    actor: "ann",
    detail: { verdict: "widens", findings: ["bidi", "invisible"], hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  expect(JSON.stringify(entry)).not.toContain("Secretly");
});
