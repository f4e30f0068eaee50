/** The pages on the language and the log name everything that there is, and the bounds that hold. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { AUDIT_KINDS } from "../../src/audit/entry.ts";
import { TOOL_CLASSES } from "../../src/policy/decision.ts";
import { CALENDAR_WINDOWS, LIMIT_ALIGNS, LIMIT_COUNTS, LIMIT_SCOPES, OPERATORS } from "../../src/policy/document.ts";
import { MAX_ENTRIES, MAX_LISTED_SELECTORS } from "../../src/policy/parse.ts";
import { MAX_LIMITS } from "../../src/policy/parse-limit.ts";
import { MAX_CONDITION_DEPTH, MAX_CONDITIONS, MAX_RULES, MAX_SENTENCE_CHARACTERS } from "../../src/policy/parse-rule.ts";
import { MAX_PATH_CHARACTERS, MAX_PATH_STEPS, PATH_ROOTS } from "../../src/policy/path.ts";
import { MAX_DOCUMENT_DEPTH, MAX_JSON_CHARACTERS, MAX_YAML_CHARACTERS } from "../../src/policy/read-document.ts";
import { FORMATS } from "../../src/policy/schema/format.ts";
import { MAX_SELECTOR_CHARACTERS } from "../../src/policy/selector.ts";
import { TEST_DECISIONS, TEST_OUTCOMES } from "../../src/policy/test-file/test-file.ts";
import { MAX_WINDOW_MS } from "../../src/policy/window.ts";

const read = (file: string): string => readFileSync(path.resolve(import.meta.dirname, "../../docs", file), "utf8");
const language = read("policy-language.md");

/** What stands in backticks, outside of fences. */
function listCode(page: string): string {
  const plain = page.replace(/^(`{3,})[\s\S]*?^\1$/gm, "");
  return [...plain.matchAll(/`([^`]+)`/g)].map((match) => match[1]).join("\n");
}

function findUnnamed(page: string, names: Iterable<string>): string[] {
  const code = listCode(page);
  return [...names].filter((name) => !new RegExp(`(?<![\\w-])${name.replaceAll(".", "\\.")}(?![\\w-])`).test(code));
}

describe("the page on the language", () => {
  it.each<[string, Iterable<string>]>([
    ["operators", OPERATORS],
    ["paths", PATH_ROOTS],
    ["classes", TOOL_CLASSES],
    ["scopes, alignments, counts and windows", [...LIMIT_SCOPES, ...LIMIT_ALIGNS, ...LIMIT_COUNTS, ...CALENDAR_WINDOWS]],
    [
      "keys of a document and an entry",
      ["version", "default", "hide", "all_tools", "tools", "resources", "prompts", "timezone", "description"],
    ],
    ["keys of an entry", ["action", "reason", "require", "deny_if", "approve_if", "limits", "rate_limit", "approval", "validate"]],
    ["formats", FORMATS.keys()],
  ])("names all %s", (_, names) => {
    const all = [...names];
    expect(all.length).toBeGreaterThan(3);
    expect(findUnnamed(language, all)).toEqual([]);
  });

  it.each<[string, number, string]>([
    ["a document", MAX_JSON_CHARACTERS / 2 ** 20, "# MiB as JSON"],
    ["a document in YAML", MAX_YAML_CHARACTERS / 2 ** 20, "# MiB as YAML"],
    ["its depth", MAX_DOCUMENT_DEPTH, "# levels"],
    ["entries", MAX_ENTRIES, "entries, listed selectors | # each"],
    ["selectors", MAX_LISTED_SELECTORS, "entries, listed selectors | # each"],
    ["rules", MAX_RULES, "rules of a list, conditions of a list | #"],
    ["conditions", MAX_CONDITIONS, "rules of a list, conditions of a list | #"],
    ["nesting", MAX_CONDITION_DEPTH, "nesting of `any` and `not` | #"],
    ["limits", MAX_LIMITS, "limits of a list | #"],
    ["a selector", MAX_SELECTOR_CHARACTERS, "a selector, a path | # characters"],
    ["a path", MAX_PATH_CHARACTERS, "a selector, a path | # characters"],
    ["a path's steps", MAX_PATH_STEPS, "a path's steps | #"],
    ["a sentence", MAX_SENTENCE_CHARACTERS, "`on_deny`, `reason` | # characters"],
    ["a window", MAX_WINDOW_MS / 86_400_000, "a window | # days"],
  ])("gives the bound of %s", (_, bound, words) => {
    const printed = bound >= 10_000 ? bound.toLocaleString("en-US") : String(bound);
    expect(language).toContain(words.replace("#", printed));
  });
});

describe("other pages", () => {
  it("the page on the log names every kind of entry", () => {
    expect(findUnnamed(read("audit.md"), AUDIT_KINDS)).toEqual([]);
  });

  it("the page on policy tests names every decision and outcome", () => {
    expect(findUnnamed(read("policy-tests.md"), [...TEST_DECISIONS, ...TEST_OUTCOMES])).toEqual([]);
  });
});
