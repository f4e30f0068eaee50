/** The commands of the policy language through the command line itself: what they print, where, and how they end. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli } from "../../src/cli/run-cli.ts";
import { createTerminal } from "../cases/terminal.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "sallyport-policy-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string): string => {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
};

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string; json: <T>() => T }> {
  const terminal = createTerminal();
  const code = await runCli(["policy", ...argv], terminal.ports);
  return { code, out: terminal.out, err: terminal.err, json: <T>() => JSON.parse(terminal.out) as T };
}

const GOOD = '{ "version": "1", "default": "deny", "tools": { "get": {}, "pay": { "limits": [{ "window": "day", "max": 1 }] } } }';
const TEST = "policy: ./good.json\ncases:\n  - { name: fits, call: { name: get }, expect: { decision: allow } }\n";

describe("policy test", () => {
  it("passes, and says so", async () => {
    write("good.json", GOOD);
    const ended = await run("test", write("a.policy-test.yaml", TEST));
    expect(ended).toMatchObject({ code: 0, err: "" });
    expect(ended.out).toMatch(/ok .*a\.policy-test\.yaml {2}1 case\n1 passed, 0 failed\n$/);
  });

  it("says what is not as expected, with its line", async () => {
    write("good.json", GOOD);
    const text = `${TEST}  - { name: differs, call: { name: put }, expect: { decision: allow, rule: /x } }\n`;
    const file = write("b.policy-test.yaml", text);
    const words = await run("test", file);
    expect(words.code).toBe(1);
    expect(words.out).toContain("line 4: differs");
    const { code, err, json } = await run("test", "--json", file);
    expect({ code, err }).toEqual({ code: 1, err: "" });
    const actual = { decision: "deny", code: "not_allowed", rule: "(default deny)", message: 'Tool "put" is not allowed by policy.' };
    expect(json()).toMatchObject({
      passed: 1,
      failed: 1,
      cases: [
        { name: "fits", ok: true },
        { name: "differs", ok: false, expected: { decision: "allow", rule: "/x" }, actual },
      ],
    });
  });

  it("holds every repetition against what is expected, and tells the first that differs", async () => {
    write("good.json", GOOD);
    const text = "policy: good.json\ncases: [{ name: twice, repeat: 3, call: { name: pay }, expect: { decision: allow } }]\n";
    const { code, json } = await run("test", "--json", write("c.policy-test.yaml", text));
    expect(code).toBe(1);
    expect(json()).toMatchObject({ passed: 0, failed: 1, cases: [{ actual: { decision: "deny", code: "limit_exceeded" } }] });
  });

  it("sees a wait that is not right", async () => {
    write("good.json", GOOD);
    const ask = (wait: string): string => `  - { name: w, call: { name: pay }, expect: { retryAfterMs: ${wait} } }\n`;
    const text = `policy: good.json\ncases:\n${ask("false")}${ask("true")}${ask("{ min: 1 }")}${ask("{ max: 1 }")}${ask("false")}`;
    const { json } = await run("test", "--json", write("d.policy-test.yaml", text));
    expect(json<{ cases: { ok: boolean }[] }>().cases.map(({ ok }) => ok)).toEqual([true, true, true, false, false]);
  });

  it("asks again after a clock that was put back", async () => {
    const policy = '{ version: "1", default: deny, tools: { x: { require: [{ conditions: [{ path: time.hour, op: lt, value: 12 }] }] } } }';
    const ask = (at: string, decision: string): string => `  - { at: "${at}", call: { name: x }, expect: { decision: ${decision} } }\n`;
    const text = `policy: ${policy}\ncases:\n${ask("2026-01-05T13:00:00Z", "deny")}${ask("2026-01-05T09:00:00Z", "allow")}`;
    expect(await run("test", write("e.policy-test.yaml", text))).toMatchObject({ code: 0 });
  });

  it("holds refused documents against their pointers", async () => {
    const text = `invalid:
  - { name: told, document: { default: deny }, pointers: [/version] }
  - { name: elsewhere, document: { default: deny }, pointers: [/default] }
  - { name: valid, document: { version: "1", default: deny } }
`;
    const { code, json } = await run("test", "--json", write("f.policy-test.yaml", text));
    expect(code).toBe(1);
    expect(json()).toMatchObject({
      cases: [
        { ok: true },
        { ok: false, actual: { decision: "refused", pointers: ["/version"] } },
        { ok: false, actual: { decision: "accepted" } },
      ],
    });
  });

  it.each<[string, string, string]>([
    ["a file that says too much", `${TEST}case: 1\n`, "g.policy-test.yaml:4:1: The key `case` is not known here. (at /case)"],
    [
      "a policy that is not there",
      TEST.replace("good", "none"),
      "g.policy-test.yaml:1:9: `./none.json`: There is no such file. (at /policy)",
    ],
    ["a policy with an error", TEST.replace("good", "bad"), "bad.json:1:33: The key `tool` is not known here. (at /tool)"],
  ])("can't run %s", async (_, text, words) => {
    write("bad.json", '{"version":"1","default":"deny","tool":{}}');
    const file = write("g.policy-test.yaml", text);
    const ended = await run("test", file);
    expect(ended.code).toBe(2);
    expect(ended.err).toContain(words);
    const { code, json } = await run("test", "--json", file);
    expect(code).toBe(2);
    expect(json<{ errors: unknown[] }>().errors).toHaveLength(1);
  });

  it("leaves out what a star of the shell names beside the tests", async () => {
    const good = write("good.json", GOOD);
    const page = write("README.md", "# Cases\n");
    const ended = await run("test", page, good, write("a.policy-test.yaml", TEST));
    expect(ended.code).toBe(0);
    expect(ended.err).toBe(`${page}: left out, it is neither YAML nor JSON.\n${good}: left out, it is a policy.\n`);
    expect(await run("test", page)).toMatchObject({ code: 2, out: "" });
    expect(await run("test", path.join(folder, "none.yaml"))).toMatchObject({ code: 2 });
  });

  it("takes a folder for the tests in it", async () => {
    const ended = await run("test", path.resolve(import.meta.dirname, "../../policies"));
    expect(ended.code).toBe(0);
    expect(ended.out).toContain("sendit.policy-test.yaml");
  });
});

describe("policy check", () => {
  it("says that a policy is valid, and warns", async () => {
    const open = write(
      "open.json",
      '{"version":"1","default":"deny","tools":{"x":{"require":[{"conditions":[{"path":"args.a","op":"regex","value":"a"}]}]}}}',
    );
    const words = await run("check", open, write("good.json", GOOD));
    expect(words).toMatchObject({ code: 0, err: "" });
    expect(words.out).toContain(`warning: ${open}: The pattern is found anywhere`);
    expect(words.out).toContain("good.json: a valid policy\n");
    const { json } = await run("check", "--json", open);
    const pointer = "/tools/x/require/0/conditions/0/value";
    expect(json()).toMatchObject({ ok: true, errors: [], warnings: [{ file: open, code: "unanchored_regex", pointer }] });
  });

  it("tells all errors of all files at once", async () => {
    const bad = write("bad.yaml", 'version: "1"\ndefault: maybe\nhidden: []\n');
    const twice = write("twice.json", '{"version":"1","default":"deny","default":"allow"}');
    const { code, json, err } = await run("check", "--json", bad, twice);
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(json()).toMatchObject({
      ok: false,
      warnings: [],
      errors: [
        { file: bad, line: 2, column: 10, pointer: "/default" },
        { file: bad, line: 3, column: 1, pointer: "/hidden" },
        { file: twice, line: 1, pointer: "/default" },
      ],
    });
    expect((await run("check", bad)).out).toContain(`error: ${bad}:2:10:`);
  });

  it("ends with 2 where a file can't be read", async () => {
    const none = path.join(folder, "none.json");
    const { code, json, err } = await run("check", "--json", none, write("good.json", GOOD));
    expect(code).toBe(2);
    expect(err).toContain("There is no such file.");
    expect(json()).toMatchObject({ ok: false, errors: [{ file: none }] });
    expect((await run("check")).code).toBe(2);
    const latin = path.join(folder, "latin.json");
    writeFileSync(latin, Buffer.from([0x7b, 0xe9, 0x7d]));
    expect((await run("check", latin)).err).toContain("not UTF-8");
  });

  it.each<[string, (tools: string) => string]>([
    ["a list", (tools) => tools],
    ["an answer's result", (tools) => `{"tools":${tools}}`],
    ["a whole answer", (tools) => `{"jsonrpc":"2.0","id":1,"result":{"tools":${tools}}}`],
  ])("warns with the server's tools in %s", async (_, wrap) => {
    const policy = write(
      "classes.json",
      '{"version":"1","default":"deny","tools":{"del_*":{},"@destructive":{"action":"deny"},"gone":{}}}',
    );
    const tools = write("tools.json", wrap('[{"name":"del_user","class":"destructive","vendor":1},{"name":"get"}]'));
    const { code, json } = await run("check", "--json", "--tools", tools, policy);
    expect(code).toBe(0);
    expect(json<{ warnings: { code: string; tool?: string }[] }>().warnings).toMatchObject([
      { code: "glob_over_class", tool: "del_user" },
      { code: "unknown_tool", pointer: "/tools/gone" },
    ]);
  });

  it("refuses tools that it can't read", async () => {
    const tools = write("tools.json", '[{"name":"x","class":"reading"},{"title":"y"}]');
    const { code, err } = await run("check", "--tools", tools, write("good.json", GOOD));
    expect(code).toBe(2);
    expect(err).toContain("(at /0/class)");
    expect(err).toContain("(at /1/name)");
  });
});

describe("policy explain", () => {
  it("tells the questions and the decision", async () => {
    const file = write("good.json", GOOD);
    const words = await run("explain", file, "--call", '{"name":"pay","arguments":{}}');
    expect(words.code).toBe(0);
    expect(words.out).toContain("pay: allow, if its limits have room");
    const { json } = await run("explain", file, "--json", "--call", '{"name":"put"}');
    expect(json()).toMatchObject({ decision: "deny", code: "not_allowed", rule: "(default deny)", steps: [{ step: 4 }, { step: 5 }] });
  });

  it("takes the call from a file, tools, a grant and a time", async () => {
    const conditions = '[{"path":"grant.tags.team","op":"eq","value":"ops"},{"path":"time.hour","op":"eq","value":7}]';
    const file = write("facts.json", `{"version":"1","default":"deny","tools":{"@read":{"approve_if":[{"conditions":${conditions}}]}}}`);
    const call = write("call.yaml", "name: get\narguments: { a: 1 }\n");
    const tools = write("tools.json", '[{"name":"get","class":"read"}]');
    const facts = ["--call-file", call, "--tools", tools, "--grant", '{"tags":{"team":"ops"}}'];
    const asked = await run("explain", file, "--json", ...facts, "--at", "2026-01-05T07:30:00Z");
    expect(asked.json()).toMatchObject({ decision: "approve", code: "approval_required", rule: "/tools/@read/approve_if/0" });
    const later = await run("explain", file, "--json", ...facts, "--at", "2026-01-05T08:30:00Z");
    expect(later.json()).toMatchObject({ decision: "allow" });
  });

  it.each<[string, string[]]>([
    ["no call", []],
    ["two calls", ["--call", '{"name":"x"}', "--call-file", "x"]],
    ["a call that is no JSON", ["--call", "{name: x}"]],
    ["a call with a typo", ["--call", '{"name":"x","args":{}}']],
    ["a grant with a typo", ["--call", '{"name":"x"}', "--grant", '{"labels":"x"}']],
    ["a time without a zone", ["--call", '{"name":"x"}', "--at", "2026-01-05"]],
  ])("refuses %s", async (_, flags) => {
    const { code, out, err } = await run("explain", write("good.json", GOOD), ...flags);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).not.toBe("");
  });
});

describe("policy import", () => {
  const OLD = 'version: "1"\ndefault: deny\ntools:\n  pay:\n    rules:\n      - { name: r, rate_limit: 2/day }\n';

  it("prints a policy that holds", async () => {
    const { code, out, err } = await run("import", write("old.yaml", OLD));
    expect(code).toBe(0);
    expect(err).toContain("note: ");
    const policy = write("new.json", out);
    expect(await run("check", policy)).toMatchObject({ code: 0 });
    const limit = { window: "day", max: 2, align: "calendar", count: "successes" };
    expect(JSON.parse(out)).toEqual({ version: "1", default: "deny", tools: { pay: { limits: [limit] } } });
  });

  it("writes a file, and tells what was lost", async () => {
    const old = write("old.yaml", OLD.replace("name: r,", "name: r, spend: { daily: 1 },"));
    const out = path.join(folder, "out.json");
    const refused = await run("import", old, "--out", out);
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain("(at /tools/pay/rules/0/spend)");
    expect((await run("import", old, "--json")).json()).toMatchObject({ ok: false, errors: [{ code: "not_importable", line: 6 }] });
    const lossy = await run("import", old, "--lossy", "--json", "--out", out);
    expect(lossy.code).toBe(0);
    expect(lossy.json()).toMatchObject({ ok: true, file: out, losses: [{ pointer: "/tools/pay/rules/0/spend" }] });
    expect(lossy.err).toContain("left out: ");
    expect(JSON.parse(readFileSync(out, "utf8"))).toMatchObject({ tools: { pay: { limits: [{ max: 2 }] } } });
  });

  it("ends with 2 where the file can't be read", async () => {
    expect(await run("import", path.join(folder, "none.yaml"))).toMatchObject({ code: 2, out: "" });
  });
});

describe("help", () => {
  it.each(["check", "test", "explain", "import", "list", "show", "set"])("of %s teaches", async (command) => {
    const { code, out } = await run(command, "--help");
    expect(code).toBe(0);
    expect(out).toContain("--json");
  });
});
