/** `policy suggest`, classes in `policy test` and `policy explain`, `server tools` and `server classify`, through the commands. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { searchEntries } from "../../src/audit/search.ts";
import { openDataFolder } from "../../src/data-folder.ts";
import { parseListPage } from "../../src/mcp/lists.ts";
import { putServer } from "../../src/revision/server.ts";
import { readDefinitions } from "../../src/upstream/definition.ts";
import { observeList } from "../../src/upstream/observe-list.ts";
import { runCommand } from "../support/commands.ts";

const dir = mkdtempSync(path.join(tmpdir(), "suggest-"));
const data = path.join(dir, "data");
const write = (name: string, value: unknown): string => {
  const file = path.join(dir, name);
  writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
  return file;
};
const TOOLS = [
  {
    name: "fetch_page",
    description: "Fetches a page.",
    inputSchema: { type: "object", properties: { url: { type: "string" } }, required: ["url"] },
  },
  { name: "delete_note", description: "Deletes a note.", inputSchema: { type: "object" } },
];
const tools = write("tools.json", { tools: TOOLS });

beforeAll(async () => {
  const folder = await openDataFolder({ dir: data, env: {} });
  const put = await folder.store.write((batch) => putServer(batch, { name: "notes", origin: "cli", upstream: "", by: "test", nowMs: 1 }));
  const page = parseListPage(JSON.stringify({ tools: TOOLS }), "tools");
  if (!put.ok || page.kind === "invalid") throw new Error("not set up");
  const definitions = readDefinitions(page.items);
  const older = () => ({ class: "destructive", risk: "critical", version: "0" });
  await folder.store.write((batch) =>
    observeList(batch, put.value.id, definitions, { complete: true, mode: "accept", nowMs: 10, classify: older }),
  );
  await folder.close();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("policy suggest", () => {
  test("writes a policy that the check takes, and tells beside it what is to be filled in", async () => {
    const { code, out, err } = await runCommand(["policy", "suggest", tools]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ version: "1", default: "deny", hide: ["delete_note"] });
    expect(err).toContain(
      "fetch_page: read, medium; fill in the hosts of url [Accepts a URL or endpoint (url) · Returns text that others wrote (url)]\n",
    );
    expect(err).toContain("delete_note: destructive, critical; hidden\n");
    expect(err).toContain("1 rule refuses every value until you fill it in.");
    const checked = await runCommand(["policy", "check", "--tools", tools, write("policy.json", out)]);
    expect([checked.code, checked.out]).toEqual([0, expect.stringContaining("a valid policy\n")]);
  });

  test("speaks YAML, and to programs one value", async () => {
    const plain = JSON.parse((await runCommand(["policy", "suggest", tools])).out) as unknown;
    expect(parse((await runCommand(["policy", "suggest", "--yaml", tools])).out)).toEqual(plain);
    const { out, err } = await runCommand(["policy", "suggest", "--json", tools]);
    expect(err).toBe("");
    expect(JSON.parse(out)).toMatchObject({
      policy: plain,
      classifier: "2",
      tools: [{ name: "fetch_page", class: "read", fillIn: [{ argument: "url", signal: "arbitrary_url" }] }, { hidden: true }],
    });
  });

  test("reads answers to tools/list, and collections of one tool a line", async () => {
    const answer = write("answer.json", { jsonrpc: "2.0", id: 1, result: { tools: TOOLS } });
    const lines = write(
      "tools.jsonl",
      `{"tool":"fetch_page","description":"Fetches a page.","arguments":[{"name":"url","type":"string"}]}\n{"name":"delete_note"}\n`,
    );
    const plain = JSON.parse((await runCommand(["policy", "suggest", tools])).out) as { hide: string[]; tools: object };
    expect(JSON.parse((await runCommand(["policy", "suggest", answer])).out)).toEqual(plain);
    const listed = JSON.parse((await runCommand(["policy", "suggest", lines])).out) as typeof plain;
    expect([listed.hide, Object.keys(listed.tools)]).toEqual([plain.hide, Object.keys(plain.tools)]);
    const { code, err } = await runCommand(["policy", "suggest", write("bad.jsonl", '{"name":"a"}\n{}\n')]);
    expect([code, err]).toEqual([2, expect.stringContaining("bad.jsonl:2:1")]);
  });

  test("takes a class that stands in the file, and needs a file or a server", async () => {
    const own = write("own.json", [{ ...TOOLS[0], class: "destructive" }]);
    expect(JSON.parse((await runCommand(["policy", "suggest", own])).out)).toMatchObject({ hide: ["fetch_page"] });
    expect((await runCommand(["policy", "suggest"])).code).toBe(2);
    expect((await runCommand(["policy", "suggest", tools, "--server", "notes", "--data", data])).code).toBe(2);
    expect((await runCommand(["policy", "suggest", "--json", "--yaml", tools])).code).toBe(2);
    expect((await runCommand(["policy", "suggest", write("odd.json", [{ name: "a", class: "huge" }])])).code).toBe(2);
  });
});

describe("classes of a server's tools", () => {
  test("are shown with risk and signals; a milder one waits for a person, and is on record when it is taken", async () => {
    const before = await runCommand(["server", "tools", "notes", "--data", data]);
    expect(before.out).toMatch(/^fetch_page +destructive +critical +[0-9a-f]{12} +accepted$/m);
    expect(before.out).toContain("fetch_page signals: Accepts a URL or endpoint (url) · Returns text that others wrote (url)\n");
    expect(before.out).toContain(
      "fetch_page would be read, medium and is held as destructive, critical: `sallyport server classify notes fetch_page` takes it.",
    );
    // What is as bad as before is of this version already.
    expect(before.out).not.toContain("delete_note would be");
    expect(JSON.parse((await runCommand(["policy", "suggest", "--server", "notes", "--data", data])).out)).toMatchObject({
      hide: ["delete_note", "fetch_page"],
    });
    expect((await runCommand(["server", "classify", "notes", "--data", data])).code).toBe(2);
    expect((await runCommand(["server", "classify", "notes", "delete_note", "--data", data])).code).toBe(1);
    const taken = await runCommand(["server", "classify", "notes", "fetch_page", "--data", data]);
    expect([taken.code, taken.out]).toEqual([0, "fetch_page  destructive, critical → read, medium\n"]);
    const after = JSON.parse((await runCommand(["server", "tools", "notes", "--data", data, "--json"])).out) as object[];
    expect(after[1]).toMatchObject({
      name: "fetch_page",
      class: "read",
      risk: "medium",
      classifier: "2",
      verdict: {
        confidence: "high",
        signals: [
          { name: "arbitrary_url", arguments: ["url"] },
          { name: "returns_untrusted_content", arguments: ["url"] },
        ],
      },
    });
    const folder = await openDataFolder({ dir: data, env: {} });
    const entries = await searchEntries(folder.store, {}, { limit: 10 }).finally(() => folder.close());
    expect(JSON.stringify(entries)).toContain("tool.classified");
  });
});

describe("classes of tools in files", () => {
  const policy = {
    version: "1",
    default: "deny",
    hide: ["@destructive"],
    tools: { "@read": {}, "@write": { action: "deny", reason: "Nothing is written." } },
  };
  const listed = [...TOOLS, { name: "create_note" }, { name: "remove_label", class: "write", risk: "low" }];

  test("select in policy test, where a class of the file goes before the classifier's", async () => {
    const file = write("classes.policy-test.yaml", {
      policy,
      tools: listed,
      cases: [
        { name: "read", call: { name: "fetch_page", arguments: { url: "https://a.example" } }, expect: { decision: "allow" } },
        { name: "destructive", call: { name: "delete_note", arguments: {} }, expect: { decision: "deny", rule: "(hidden)" } },
        { name: "write", call: { name: "create_note", arguments: {} }, expect: { decision: "deny", rule: "/tools/@write/action" } },
        { name: "by hand", call: { name: "remove_label", arguments: {} }, expect: { decision: "deny", rule: "/tools/@write/action" } },
      ],
    });
    const { code, out } = await runCommand(["policy", "test", file]);
    expect([code, out]).toEqual([0, expect.stringContaining("4 passed, 0 failed")]);
  });

  test("select in policy explain", async () => {
    const args = ["--call", '{"name":"delete_note","arguments":{}}', "--tools", tools, "--json"];
    const { out } = await runCommand(["policy", "explain", write("by-class.json", policy), ...args]);
    expect(JSON.parse(out)).toMatchObject({ decision: "deny", rule: "(hidden)" });
  });
});
