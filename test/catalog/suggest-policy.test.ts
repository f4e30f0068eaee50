/** Suggestions are policies: the language takes each, none is an open door, and what is left to fill in refuses. */
import { describe, expect, it } from "vitest";
import { joinSuggestions, suggestForTool } from "../../src/catalog/suggest-policy.ts";
import type { JsonObject } from "../../src/kernel/json.ts";
import { compilePolicy } from "../../src/policy/compile.ts";
import type { CompiledPolicy } from "../../src/policy/decision.ts";
import { loadOperators } from "../../src/policy/operators/registry.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import { CONTEXT, call } from "../policy/support.ts";
import { CONNECT_CONNECTOR, define, TEXT } from "./definition.ts";

await loadOperators();

function compile(policy: object): CompiledPolicy {
  const parsed = parsePolicy(JSON.stringify(policy), { format: "json" });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.failures));
  return compilePolicy(parsed.value);
}

const suggest = (...tools: readonly JsonObject[]) => joinSuggestions(tools.map((tool) => suggestForTool(tool)));

describe("the policy of one tool", () => {
  it("of `connect_connector` is 30 calls a minute for each grant", () => {
    expect(suggest(CONNECT_CONNECTOR)).toEqual({
      version: "1",
      default: "deny",
      tools: { connect_connector: { limits: [{ counter: "connect_connector_rate", window: "minute", max: 30, scope: "grant" }] } },
    });
  });

  it("goes by class: reading 60, running 10, money asks a person, removal is hidden", () => {
    const policy = suggest(define("get_user"), define("start_job"), define("pay_bill"), define("delete_user"));
    expect(policy.hide).toEqual(["delete_user"]);
    expect(Object.keys(policy.tools)).toEqual(["get_user", "start_job", "pay_bill"]);
    expect(policy.tools["get_user"]?.limits?.[0]?.max).toBe(60);
    expect(policy.tools["start_job"]?.limits?.[0]?.max).toBe(10);
    expect(policy.tools["pay_bill"]?.action).toBe("require_approval");
    expect(suggest(define("run_code", "Runs Python code.", { code: TEXT })).tools["run_code"]?.action).toBe("require_approval");
  });

  it.each([
    ["hosts", define("fetch_page", "Fetches a page.", { url: TEXT }), { url: "https://example.com" }],
    ["folders", define("read_file", "Reads a file.", { path: TEXT }), { path: "/etc/passwd" }],
    [
      "mail domains",
      define("send_email", "Sends an e-mail.", { to: { type: "array", items: TEXT, description: "email addresses" } }),
      { to: ["a@example.com"] },
    ],
    ["recipients", define("send_message", "Sends a message.", { channel_id: TEXT }), { channel_id: "c1" }],
    ["commands", define("run_shell", "Runs a shell command.", { command: TEXT }), { command: "ls" }],
    ["kinds of SQL", define("run_sql", "Runs SQL.", { sql: TEXT }), { sql: "select 1" }],
    ["amounts", define("update_budget", "Updates a budget.", { amount: { type: "number" } }), { amount: 5 }],
    ["amounts below zero", define("update_budget", "Updates a budget.", { amount: { type: "number" } }), { amount: -5 }],
    [
      "nested hosts",
      define("post", "Posts.", { media: { type: "array", items: { properties: { url: TEXT } } } }),
      { media: [{ url: "https://example.com" }] },
    ],
  ])("refuses every value until its %s are filled in, in words", (_, tool, args) => {
    const { decision, ...denial } = compile(suggest(tool)).decideCall(call(String(tool["name"]), args), CONTEXT);
    expect(decision).toBe("deny");
    expect(denial).toMatchObject({ code: "denied", message: expect.stringContaining("has not been filled in") });
  });

  describe("a name of a file", () => {
    const decideName = (file_name: unknown, description = "Name of the file.", required = true): string => {
      const tool = define("read_note", "Reads a note.", { file_name: { type: "string", description } });
      const policy = suggest({
        ...tool,
        inputSchema: { ...(tool["inputSchema"] as JsonObject), ...(required ? { required: ["file_name"] } : {}) },
      });
      return compile(policy).decideCall(call("read_note", file_name === undefined ? {} : { file_name }), CONTEXT).decision;
    };

    it.each(["a.txt", "Meeting: 3 May.md", "über 100%.pdf", "a..b", "$draft.docx", "日本語.txt"])("takes %j as it is", (name) => {
      expect(decideName(name)).toBe("permit");
    });

    it.each([
      "/etc/passwd",
      "a/b",
      "..",
      ".",
      "",
      "../a",
      "a\\b",
      "C:a",
      "%2e%2e%2fa",
      "a%5Cb",
      "a%252fb",
      "a%00",
      "a\0b",
      "a\nb",
      "a／b",
      "＼a",
      "~root",
      ".env",
      " ..",
      ".. ",
      5,
      ["a"],
      null,
    ])("refuses %j", (name) => {
      expect(decideName(name)).toBe("deny");
    });

    it("may stay away where it is optional, and is a path where that is said of it", () => {
      expect([decideName(undefined), decideName(undefined, "", false)]).toEqual(["deny", "permit"]);
      expect(decideName("a.txt", "Absolute path of the file.")).toBe("deny");
      expect(decideName("a.txt", "Such as notes/a.txt")).toBe("deny");
      expect(decideName("a.txt", "Name without any path separators, not folder/a.txt")).toBe("permit");
    });

    it("is not told as something to fill in", () => {
      const { rules } = suggestForTool(define("read_note", "Reads a note.", { filename: TEXT, path: TEXT }));
      expect(rules.map(({ argument, isToFill }) => [argument, isToFill])).toEqual([
        ["filename", false],
        ["path", true],
      ]);
    });
  });

  describe("addresses of pages", () => {
    const fill = (tool: JsonObject, hosts: readonly string[], whole: readonly string[]) => {
      const text = JSON.stringify(suggest(tool));
      const filled = text
        .replaceAll('"op":"host_in","value":[]', `"op":"host_in","value":${JSON.stringify(hosts)}`)
        .replaceAll('"op":"in","value":[]', `"op":"in","value":${JSON.stringify(whole)}`);
      return (args: object): string => compile(JSON.parse(filled)).decideCall(call(String(tool["name"]), args), CONTEXT).decision;
    };
    const says = (description: string) => define("load", "Loads it.", { url: { type: "string", description } });

    it("are judged with a scheme by host and without one as a whole, and nothing passes before either is filled in", () => {
      const tool = says("The URL of the web page.");
      const [open, decide] = [fill(tool, [], []), fill(tool, ["example.com"], ["www.example.com/x"])];
      for (const url of ["https://example.com/a", "www.example.com/x", "", "/x", "//example.com"]) expect(open({ url }), url).toBe("deny");
      for (const url of ["https://example.com/a", "www.example.com/x"]) expect(decide({ url }), url).toBe("permit");
      for (const url of [
        "www.example.com/y",
        "example.com",
        "example.com@evil.example",
        "https://www.example.com/x",
        "//example.com/",
        "www.example.com/x\n",
      ])
        expect(decide({ url }), url).toBe("deny");
    });

    it.each([
      ["a host has no scheme", define("load", "", { hostname: TEXT }), ["in"]],
      ["a format of URLs", define("load", "", { url: { type: "string", format: "uri", description: "web page" } }), ["host_in"]],
      ["a page with its scheme", says("Full URL of the page"), ["host_in"]],
      ["an example without one", says("Where to, e.g. example.com/about"), ["host_in", "in"]],
      ["nothing is said", says("The endpoint."), ["host_in"]],
    ])("%s", (_, tool, ops) => {
      const [entry] = Object.values(suggest(tool).tools);
      const asked = entry?.require?.flatMap(({ conditions }) => conditions.flatMap((one) => ("any" in one ? one.any : [one])));
      expect(asked?.map(({ op }) => op).filter((op) => op !== "exists")).toEqual(ops);
    });
  });

  it("takes a mail domain or a whole address, of every recipient", () => {
    const tool = define("send_email", "Sends an e-mail.", { to: { type: "array", items: TEXT, description: "email addresses" } });
    const filled = JSON.stringify(suggest(tool))
      .replace('"op":"email_domain_in","value":[]', '"op":"email_domain_in","value":["example.com"]')
      .replace('"op":"in","value":[]', '"op":"in","value":["sam@gmail.com"]');
    const compiled = compile(JSON.parse(filled));
    const decide = (...to: string[]): string => compiled.decideCall(call("send_email", { to }), CONTEXT).decision;
    expect([decide("a@example.com", "b@example.com"), decide("sam@gmail.com")]).toEqual(["permit", "permit"]);
    expect([decide("eve@gmail.com"), decide("sam@gmail.com", "eve@gmail.com"), decide("a@example.com", "eve@gmail.com")]).toEqual([
      "deny",
      "deny",
      "deny",
    ]);
    // Each list has to hold of all: what is mixed is two calls.
    expect(decide("a@example.com", "sam@gmail.com")).toBe("deny");
  });

  it("lets no payment pass that leaves out its amount or whom it goes to", () => {
    const tool = define("send_payment", "Sends a payment.", { amount: { type: "number" }, recipient: TEXT });
    const [entry] = Object.values(suggest(tool).tools);
    expect(entry?.require?.map(({ conditions }) => conditions.map((condition) => "path" in condition && condition.path))).toEqual([
      ["args.amount", "args.amount"],
      ["args.recipient"],
    ]);
    expect(compile(suggest(tool)).decideCall(call("send_payment", {}), CONTEXT)).toMatchObject({ decision: "deny", code: "denied" });
  });

  it("lets an optional argument stay away, and takes what was filled in", () => {
    const policy = suggest(define("fetch_page", "Fetches a page.", { url: TEXT, proxy: TEXT }));
    const filled = JSON.parse(
      JSON.stringify(policy).replace('"args.url","op":"host_in","value":[]', '"args.url","op":"host_in","value":["example.com"]'),
    );
    const compiled = compile(filled);
    const decide = (args: object): string => compiled.decideCall(call("fetch_page", args), CONTEXT).decision;
    expect(decide({ url: "https://example.com/a" })).toBe("permit");
    expect(decide({ url: "https://example.org/a" })).toBe("deny");
    expect(decide({ url: "https://example.com/a", proxy: "https://example.com" })).toBe("deny");
  });

  it("keeps strange names what they are, and leaves out what the gateway quarantines", () => {
    const policy = suggest(define("get_*"), define("@read"), define("get\\x"), define("twice"), define("twice"), define("delete_*"));
    const compiled = compile(policy);
    expect(Object.keys(policy.tools)).toEqual(["get_\\*", "\\@read", "get\\\\x"]);
    expect(policy.hide).toEqual(["delete_\\*"]);
    expect(compiled.decideCall(call("get_user"), CONTEXT).decision).toBe("deny");
    expect(compiled.decideCall(call("get_*"), CONTEXT).decision).toBe("permit");
    const odd = suggest(define("fetch_it", "", { 'to\u200b]"x': TEXT, "a.url": TEXT, __proto__: TEXT }), define("__proto__"));
    expect(() => compile(odd)).not.toThrow();
  });

  it("offers the actions that remove nothing, to whoever opens a hidden tool", () => {
    const { isHidden, entry } = suggestForTool(define("labels", "Manages labels.", { method: { enum: ["list", "create", "delete"] } }));
    expect(isHidden).toBe(true);
    const compiled = compile({ version: "1", default: "deny", tools: { labels: entry } });
    expect(compiled.decideCall(call("labels", { method: "create" }), CONTEXT).decision).toBe("permit");
    expect(compiled.decideCall(call("labels", { method: "delete" }), CONTEXT).decision).toBe("deny");
    expect(compiled.decideCall(call("labels", { method: "unheard" }), CONTEXT).decision).toBe("deny");
  });
});
