/** Policy test files are read whole or refused whole: every error at once, each with its line and pointer. */
import { describe, expect, it } from "vitest";
import { printJson } from "../../../src/kernel/json.ts";
import { parseTestFile } from "../../../src/policy/test-file/read-test-file.ts";
import type { TestFile } from "../../../src/policy/test-file/test-file.ts";

const POLICY = 'policy: { version: "1", default: deny }';
const CASE = "cases: [{ call: { name: x }, expect: { decision: deny } }]";

function read(text: string): TestFile {
  const parsed = parseTestFile(text, { file: "a.policy-test.yaml" });
  if (!parsed.ok) throw new Error(parsed.failures.map((failure) => `${failure.at?.pointer}: ${failure.message}`).join("\n"));
  return parsed.value;
}

function listFaults(text: string): (string | undefined)[] {
  const parsed = parseTestFile(text, { file: "a.policy-test.yaml" });
  return parsed.ok ? [] : parsed.failures.map((failure) => failure.at?.pointer);
}

describe("a policy test file", () => {
  it("quarantines a tool that stands twice, and one whose schema can't be used", () => {
    const tools = "[{ name: twice }, { name: bad, inputSchema: { type: 7 } }, { name: twice }, { name: good, inputSchema: {} }]";
    const facts = read(`${POLICY}\ntools: ${tools}\n${CASE}`).tools;
    const quarantined = [...(facts?.values() ?? [])].filter((tool) => tool.quarantined === true);
    expect(quarantined.map((tool) => tool.name)).toEqual(["twice", "bad"]);
    expect(facts?.size).toBe(3);
  });

  it("says everything, or leaves it out", () => {
    const file = read(`
policy: ./p.json
tools: [{ name: t, class: write, risk: high, annotations: { readOnlyHint: false }, inputSchema: { type: object, properties: { a: {} } } }]
grant: { label: l, identity: i, tags: { team: ops } }
session: s
cases:
  - name: all
    at: 2026-01-05T10:00:00.5+01:00
    call: { name: t, arguments: { a: 1.10 } }
    outcome: rpc_error
    approved: true
    repeat: 3
    grant: { tags: {} }
    session: other
    expect: { decision: allow, code: c, rule: r, message: m, cause: missing, retryAfterMs: { min: 1, max: 2 } }
  - { read: "a://b", expect: { retryAfterMs: true } }
  - { prompt: p, expect: { retryAfterMs: 5 } }
`);
    expect(file.policy).toMatchObject({ path: "./p.json", at: { file: "a.policy-test.yaml", line: 2, pointer: "/policy" } });
    expect(file.tools?.get("t")).toMatchObject({ class: "write", risk: "high", annotations: { readOnlyHint: false } });
    expect(file.grant).toEqual({ label: "l", identity: "i", tags: { team: "ops" } });
    const [all, second, third] = file.cases;
    expect(all).toMatchObject({ name: "all", atMs: Date.UTC(2026, 0, 5, 9, 0, 0, 500), outcome: "rpc_error", approved: true, repeat: 3 });
    expect(all).toMatchObject({ session: "other", grant: { tags: {} }, expect: { retryAfterMs: { min: 1, max: 2 }, cause: "missing" } });
    expect(all?.subject.kind === "call" && printJson(all.subject.args)).toBe('{"a":1.10}');
    expect(second).toMatchObject({ name: "case 2", subject: { kind: "read", uri: "a://b" }, atMs: undefined, outcome: "ok", repeat: 1 });
    expect(third).toMatchObject({ subject: { kind: "prompt", name: "p" }, expect: { retryAfterMs: { min: 5, max: 5 } } });
  });

  it("may be JSON", () => {
    const text = '{"policy":{"version":"1","default":"allow"},"cases":[{"call":{"name":"x"},"expect":{"decision":"allow"}}]}';
    expect(read(text).policy).toMatchObject({ document: { default: "allow" } });
  });

  it("may hold refused documents alone", () => {
    const file = read('invalid: [{ document: "a: [" }, { name: n, document: {}, pointers: ["/version", "", /a~1b] }]');
    expect(file.policy).toBeUndefined();
    expect(file.invalid).toMatchObject([
      { name: "invalid document 1", document: "a: [", pointers: [] },
      { name: "n", pointers: ["/version", "", "/a~1b"] },
    ]);
  });

  it("tells where an error of its policy stands", () => {
    const parsed = parseTestFile(`policy:\n  version: "1"\n  default: maybe\n${CASE}`, { file: "f.yaml" });
    expect(parsed.ok ? [] : parsed.failures).toMatchObject([{ at: { file: "f.yaml", line: 3, pointer: "/policy/default" } }]);
  });

  it("tells all errors at once, in the order of the text", () => {
    const text = `
policy: { version: "1", default: no-way }
case: []
tools: [{ name: a, class: reading }, { clas: read }]
cases:
  - { call: { nam: x }, expect: { decision: maybe } }
  - { call: { name: x }, prompt: y, expect: { rules: x } }
`;
    expect(listFaults(text)).toEqual([
      "/policy/default",
      "/case",
      "/tools/0/class",
      "/tools/1/name",
      "/tools/1/clas",
      "/cases/0/call/name",
      "/cases/0/call/nam",
      "/cases/0/expect/decision",
      "/cases/1/prompt",
      "/cases/1/expect/rules",
    ]);
  });

  it.each<[string, string, string]>([
    ["nothing to run", POLICY, "/cases"],
    ["cases without a policy", CASE, "/policy"],
    ["a policy that is a list", `policy: []\n${CASE}`, "/policy"],
    ["an empty path", `policy: " "\n${CASE}`, "/policy"],
    ["a case that asks nothing", `${POLICY}\ncases: [{ expect: { decision: deny } }]`, "/cases/0/call"],
    ["a case that expects nothing", `${POLICY}\ncases: [{ call: { name: x }, expect: {} }]`, "/cases/0/expect"],
    ["a case without expect", `${POLICY}\ncases: [{ call: { name: x } }]`, "/cases/0/expect"],
    ["a time without a zone", `${POLICY}\ncases: [{ at: "2026-01-05T09:00:00", call: { name: x }, expect: { code: a } }]`, "/cases/0/at"],
    ["a day that is none", `${POLICY}\ncases: [{ at: "2026-02-30T09:00:00Z", call: { name: x }, expect: { code: a } }]`, "/cases/0/at"],
    ["a repeat of 0", `${POLICY}\ncases: [{ repeat: 0, call: { name: x }, expect: { code: a } }]`, "/cases/0/repeat"],
    ["an outcome of another name", `${POLICY}\ncases: [{ outcome: fine, call: { name: x }, expect: { code: a } }]`, "/cases/0/outcome"],
    ["a wait that is a text", `${POLICY}\ncases: [{ call: { name: x }, expect: { retryAfterMs: soon } }]`, "/cases/0/expect/retryAfterMs"],
    [
      "min above max",
      `${POLICY}\ncases: [{ call: { name: x }, expect: { retryAfterMs: { min: 2, max: 1 } } }]`,
      "/cases/0/expect/retryAfterMs",
    ],
    ["a tag that is a number", `${POLICY}\ngrant: { tags: { a/b: 1 } }\n${CASE}`, "/grant/tags/a~1b"],
    ["a pointer that is none", "invalid: [{ document: {}, pointers: [version] }]", "/invalid/0/pointers/0"],
    ["a refused document that is not there", "invalid: [{ name: x }]", "/invalid/0/document"],
    ["a key twice", `${POLICY}\n${CASE}\ncases: []`, "/cases"],
  ])("refuses %s", (_, text, pointer) => {
    expect(listFaults(text)).toContain(pointer);
  });
});
