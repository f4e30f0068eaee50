import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideListing } from "../../src/policy/refusal.ts";
import { compile } from "./support.ts";

function codeOf(denial: { code: string; rule: string } | undefined): string {
  return denial === undefined ? "allow" : `${denial.code} ${denial.rule}`;
}

describe("resources and prompts", () => {
  const block = { allow: ["docs://*", "a"], deny: ["docs://*/draft", "b"], hide: ["docs://internal/*", "c"] };
  const policy = compile({ resources: block, prompts: { ...block, default: "allow" } });

  test.each([
    ["docs://guide", "allow"],
    ["docs://guide/draft", "denied /resources/deny/0"],
    ["docs://internal/draft", "not_allowed (hidden)"],
    ["file:///etc/passwd", "not_allowed (default deny)"],
    ["DOCS://guide", "not_allowed (default deny)"],
    ["docs://guide/%2e%2e/x", "invalid_arguments (uri)"],
  ])("resource %s: %s", (uri, expected) => {
    expect(codeOf(policy.decideResource(uri))).toBe(expected);
  });

  test.each([
    ["a", "allow"],
    ["b", "denied /prompts/deny/1"],
    ["c", "unknown_tool (hidden)"],
    ["other", "allow"],
    ["../x", "allow"],
  ])("prompt %s: %s", (name, expected) => {
    expect(codeOf(policy.decidePrompt(name))).toBe(expected);
  });

  test("hidden and not selected answer in the same words", () => {
    const words = (uri: string) => {
      return JSON.stringify({ ...policy.decideResource(uri), rule: "" }).replaceAll(uri, "URI");
    };
    expect(words("docs://internal/x")).toBe(words("other://x"));
    expect(policy.decideResource("other://x")?.message).toBe('Resource "other://x" is not allowed by policy.');
    expect(policy.decidePrompt("c")?.message).toBe("Unknown prompt: c");
  });

  test("what is left out follows the document's default", () => {
    expect(codeOf(compile({}).decideResource("x://y"))).toBe("not_allowed (default deny)");
    expect(codeOf(compile({ default: "allow" }).decideResource("x://y"))).toBe("allow");
    expect(codeOf(compile({ default: "allow", prompts: { hide: ["p"] } }).decidePrompt("p"))).toBe("unknown_tool (hidden)");
    expect(codeOf(compile({ default: "allow", prompts: { default: "deny" } }).decidePrompt("p"))).toBe("not_allowed (default deny)");
    expect(codeOf(compile({ prompts: { default: "allow" } }).decidePrompt("p"))).toBe("allow");
  });

  test("tools, resources and prompts do not touch each other", () => {
    const other = compile({
      hide: ["*"],
      tools: { "*": {} },
      all_tools: { deny_if: [{ conditions: [] }] },
      resources: { default: "allow" },
      prompts: { default: "allow" },
    });
    expect(codeOf(other.decideResource("x://y"))).toBe("allow");
    expect(codeOf(other.decidePrompt("p"))).toBe("allow");
  });

  test("lists show what is allowed and what is denied by name, and nothing else", () => {
    expect(
      ["docs://guide", "docs://guide/draft", "docs://internal/x", "other://x", "docs://a/../b"].map((uri) =>
        decideListing(policy.decideResource(uri)),
      ),
    ).toEqual(["shown", "shown", "left_out", "left_out", "left_out"]);
  });

  test("the first fitting place of the deny list is told", () => {
    const twice = compile({ resources: { default: "allow", deny: ["z*", "x*", "x://y"] } });
    expect(twice.decideResource("x://y")?.rule).toBe("/resources/deny/1");
  });
});

describe("URIs that are refused before selection", () => {
  const policy = compile({ default: "allow" });
  test.each([
    "docs://a/../b",
    "docs://a/..",
    "docs://a/.",
    "docs://a/./b",
    "docs:..",
    "docs:../a",
    "../a",
    "docs://a/..?q",
    "docs://a/..#f",
    "docs://a/..;x/b",
    "docs://a/%2e%2E/b",
    "docs://a/%2E",
    "docs://a%2Fb",
    "docs://a%5cb",
    "docs://a\\b",
    "docs://a\nb",
    "docs://a\u0000",
    "docs://a\u007f",
    "docs://a\u0085b",
    "https://user@host/",
    "https://user:pass@host/",
    "https://@host/",
    "https:user@host",
    "https:/user@host/",
    "https:///user@host/",
    `docs://${"a".repeat(20_000)}`,
  ])("%j", (uri) => {
    expect(policy.decideResource(uri)).toMatchObject({ code: "invalid_arguments", rule: "(uri)" });
  });

  test.each([
    "docs://a/b.txt",
    "docs://a/...",
    "docs://a/.hidden",
    "docs://a/b..c",
    "docs://a/%20b",
    "docs://a/%252e",
    "mailto:a@b.example",
    "https://host/@user",
    "https://host/?u=a@b",
    "file:///home/a@b",
    "file:///a@b",
    "docs://a//b",
    "urn:isbn:0",
    "",
  ])("%j is not", (uri) => {
    expect(policy.decideResource(uri)).toBeUndefined();
  });
});

describe("templates", () => {
  const show = (resources: Record<string, unknown>, template: string) => compile({ resources }).decideTemplate(template);

  test.each([
    [{ allow: ["docs://*"] }, "docs://{id}", "shown"],
    [{ allow: ["docs://*"] }, "docs://guide/{id}/view", "shown"],
    [{ allow: ["docs://guide/*"] }, "docs://guide/{id}", "shown"],
    [{ allow: ["docs://guide/*"] }, "docs://guide{/id}", "left_out"],
    [{ allow: ["docs://guide/*"] }, "docs://{id}", "left_out"],
    [{ allow: ["docs://guide/"] }, "docs://guide/{id}", "left_out"],
    [{ allow: ["docs://*/view"] }, "docs://{id}/view", "left_out"],
    [{ allow: ["*"] }, "{+uri}", "shown"],
    [{ allow: ["*a*"] }, "docs://a/{id}", "shown"],
    [{ allow: ["*z*"] }, "docs://a/{id}", "left_out"],
    [{ allow: ["docs://*"], deny: ["docs://*/draft"] }, "docs://{id}", "left_out"],
    [{ allow: ["docs://*"], deny: ["docs://b/*"] }, "docs://a/{id}", "shown"],
    [{ allow: ["docs://*"], deny: ["docs://a/x"] }, "docs://a/{id}", "left_out"],
    [{ allow: ["docs://*"], deny: ["docs://b"] }, "docs://a/{id}", "shown"],
    [{ allow: ["docs://*"], hide: ["docs://internal/*"] }, "docs://{id}", "left_out"],
    [{ allow: ["docs://*"], hide: ["docs://internal/*"] }, "docs://int{id}", "left_out"],
    [{ allow: ["docs://*"], hide: ["docs://internal/*"] }, "docs://internal/plan/{id}", "left_out"],
    [{ allow: ["docs://*"], hide: ["docs://internal/*"] }, "docs://inn/{id}", "shown"],
    [{ default: "allow" }, "{+uri}", "shown"],
    [{ default: "allow", deny: ["x*"] }, "{+uri}", "left_out"],
    [{ default: "allow", deny: ["x*"] }, "y{+uri}", "shown"],
    [{ allow: ["docs://*"] }, "docs://guide", "shown"],
    [{ allow: ["docs://a"] }, "docs://b", "left_out"],
    [{ allow: ["docs://a"], deny: ["docs://a"] }, "docs://a", "left_out"],
    [{ allow: ["*"] }, "docs://../{id}", "left_out"],
    [{ allow: ["*"] }, "https://{user}@host/", "left_out"],
    [{ allow: ["*"] }, "docs://{id", "left_out"],
    [{ allow: ["*"] }, "docs://id}", "left_out"],
    [{ allow: ["*"] }, "docs://{a{b}}", "left_out"],
  ])("%j %s: %s", (resources, template, expected) => {
    expect(show(resources, template)).toBe(expected);
  });

  test("what a shown template expands to is never denied", () => {
    const unit = fc.constantFrom("a", "b", "/", "*");
    const globs = fc.array(fc.string({ unit, minLength: 1, maxLength: 5 }), { maxLength: 3 });
    const text = fc.string({ unit: fc.constantFrom("a", "b", "/", "c"), maxLength: 5 });
    let shown = 0;
    fc.assert(
      fc.property(globs, globs, globs, text, fc.array(text, { maxLength: 6 }), (allow, deny, hide, prefix, rests) => {
        const policy = compile({ resources: { allow, deny, hide: [...new Set(hide)] } });
        if (policy.decideTemplate(`${prefix}{+x}`) !== "shown") return;
        shown++;
        for (const rest of rests) expect(policy.decideResource(prefix + rest)).toBeUndefined();
      }),
      { numRuns: 800 },
    );
    expect(shown).toBeGreaterThan(3);
  });
});
