/** Policies of a data folder: put into force with an entry in the log, listed, shown, and refused in words. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli } from "../../src/cli/run-cli.ts";
import { openCommandFolder } from "../../src/data-folder.ts";
import { putServer } from "../../src/revision/server.ts";
import { createTerminal } from "../cases/terminal.ts";

let dir = "";
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "sallyport-folder-"));
  const folder = await openCommandFolder({ dataDir: dir, env: {} });
  await folder.store.write((batch) => putServer(batch, { name: "mail", origin: "cli", upstream: "", by: "test", nowMs: 1 }));
  await folder.close();
});
afterAll(() => rmSync(dir, { recursive: true }));

const write = (name: string, text: string): string => {
  writeFileSync(path.join(dir, name), text);
  return path.join(dir, name);
};

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = createTerminal({ openFolder: (choice) => openCommandFolder({ ...choice, env: {} }) });
  const code = await runCli([...argv, "--data", dir], terminal.ports);
  return { code, out: terminal.out, err: terminal.err };
}

const DENY = '{"version":"1","default":"deny","tools":{"send":{"limits":[{"window":"day","max":1.50,"add":"args.n"}]}}}';

describe("policies of a data folder", () => {
  it("are put into force, with an entry in the log", async () => {
    expect(await run("policy", "list")).toMatchObject({ code: 0, out: "" });
    const set = await run("policy", "set", "standard", write("deny.json", DENY), "--server", "mail");
    expect(set).toMatchObject({ code: 0, err: "" });
    expect(set.out).toMatch(/^The policy `standard` is in force, revision [0-9a-f]{64}\.\n$/);
    const again = await run("policy", "set", "standard", path.join(dir, "deny.json"), "--server", "mail", "--json");
    expect(JSON.parse(again.out)).toMatchObject({ name: "standard", server: "mail", changed: false });
    const log = await run("audit", "export", "--json");
    const entries = log.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(entries.filter((entry) => entry["action"] === "policy.added")).toMatchObject([{ kind: "admin", object: "standard" }]);
  });

  it("are listed and shown as they were written", async () => {
    const list = await run("policy", "list", "--json");
    expect(JSON.parse(list.out)).toMatchObject([{ name: "standard", server: "mail", origin: "cli" }]);
    expect((await run("policy", "list")).out).toMatch(/^POLICY +SERVER +FROM +REVISION +SINCE\nstandard +mail +cli +[0-9a-f]{12} /);
    expect((await run("policy", "show", "standard")).out).toContain('"max": 1.50');
    const shown = await run("policy", "show", "standard", "--json");
    expect(shown.out).toContain('"max": 1.50');
    expect(JSON.parse(shown.out)).toMatchObject({ name: "standard", document: { version: "1", default: "deny" } });
  });

  it.each<[string, string[], string]>([
    ["a server that is not there", ["set", "other", "deny.json", "--server", "none"], "There is no server of that name."],
    ["a name that is none", ["set", "No Name", "deny.json", "--server", "mail"], "The policy's name can't be used."],
    ["a document with an error", ["set", "standard", "typo.json", "--server", "mail"], "(at /tool)"],
    ["a policy that is not there", ["show", "none"], "There is no policy `none`."],
    ["no server", ["set", "standard", "deny.json"], "--server"],
  ])("refuse %s", async (_, argv, words) => {
    write("typo.json", '{"version":"1","default":"deny","tool":{}}');
    const named = argv.map((word) => (word.endsWith(".json") ? path.join(dir, word) : word));
    const { code, out, err } = await run("policy", ...named);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(words);
  });

  it("need owners for what asks people", async () => {
    expect((await run("grant", "add", "laptop", "--server", "mail=standard")).code).toBe(0);
    const asking = write("ask.json", '{"version":"1","default":"deny","tools":{"send":{"action":"require_approval"}}}');
    const refused = await run("policy", "set", "standard", asking, "--server", "mail");
    expect(refused.code).toBe(2);
    expect(refused.err).toContain("`laptop`");
    expect((await run("policy", "show", "standard")).out).toContain('"limits"');
    expect(await run("policy", "set", "asking", asking, "--server", "mail")).toMatchObject({ code: 0 });
  });
});
