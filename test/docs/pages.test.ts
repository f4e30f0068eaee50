/** Every command that README and docs show runs, and says what they show; every policy and configuration is a good one. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { parsePolicy } from "../../src/policy/parse.ts";
import { isSameOutput, normaliseOutput } from "../../tools/docs/compare-output.ts";
import { type Fence, readPage } from "../../tools/docs/read-page.ts";
import { runPage } from "../../tools/docs/run-page.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const PAGE_TIMEOUT_MS = 120_000;
const files = ["README.md", ...globSync("docs/**/*.md", { cwd: ROOT })];
const pages = files.map((file) => ({ file, page: readPage(readFileSync(path.join(ROOT, file), "utf8")) }));
const running = pages.filter(({ page }) => page.steps.some((step) => step.kind === "run"));

/** A policy as it stands, or one entry of its `tools`. */
function readPolicy({ words, text }: Fence): string | undefined {
  if (words.has("policy")) return text;
  return words.has("entries") ? `{ "version": "1", "default": "deny", "tools": ${text} }` : undefined;
}

describe("the pages", () => {
  it("are there, and most of them show commands", () => {
    expect(pages.length).toBeGreaterThan(10);
    expect(running.length).toBeGreaterThan(6);
  });

  it.concurrent.each(running)(
    "$file: its commands run and say what it shows",
    async ({ file, page }) => {
      const ran = await runPage(page);
      for (const { command, exit, said } of ran) {
        const where = `${file}:${command.line}`;
        expect(exit, `${where} said\n${said}`).toBe(command.exit);
        if (command.output === undefined || isSameOutput(command.output, said)) continue;
        expect.unreachable(`${where} shows\n${normaliseOutput(command.output)}\n\nand the command says\n${normaliseOutput(said)}`);
      }
      expect(ran.length, `${file}: all of its commands`).toBe(page.steps.filter((step) => step.kind === "run").length);
    },
    PAGE_TIMEOUT_MS,
  );

  it("show policies that are good, and JSON and YAML that can be read", () => {
    let policies = 0;
    for (const { file, page } of pages) {
      for (const fence of page.fences.filter(({ lang }) => lang === "json" || lang === "yaml")) {
        const where = `${file}:${fence.line}`;
        const policy = readPolicy(fence);
        if (policy !== undefined) {
          policies++;
          const parsed = parsePolicy(policy, { format: fence.lang === "json" ? "json" : "yaml" });
          expect(parsed.ok ? [] : parsed.failures, where).toEqual([]);
        } else if (!fence.words.has("output")) {
          expect(() => (fence.lang === "json" ? JSON.parse(fence.text) : parseYaml(fence.text)), where).not.toThrow();
        }
      }
    }
    expect(policies).toBeGreaterThan(10);
  });

  it("show files of the checkout as they are", () => {
    const shown = pages.flatMap(({ page }) => page.fences.filter(({ settings }) => settings["of"] !== undefined));
    expect(shown.length).toBeGreaterThan(0);
    for (const { text, settings } of shown) expect(`${text}\n`).toBe(readFileSync(path.join(ROOT, settings["of"] as string), "utf8"));
  });

  it("leave out no command but the one that made this checkout ready", () => {
    const left = pages.flatMap(({ page }) => page.fences.filter(({ words }) => words.has("once")));
    expect(left.map(({ text }) => text)).toEqual(["npm ci"]);
  });

  it("hold no command in a form that is not run", () => {
    const runnable = new Set(["sh", "console"]);
    const commands = new Set(["bash", "shell", "zsh", "shell-session"]);
    const fences = pages.flatMap(({ file, page }) => page.fences.map((fence) => ({ file, fence })));
    expect(fences.filter(({ fence }) => runnable.has(fence.lang)).length).toBeGreaterThan(20);
    expect(fences.filter(({ fence }) => commands.has(fence.lang)).map(({ file, fence }) => `${file}:${fence.line}`)).toEqual([]);
  });
});
