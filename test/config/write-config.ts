/** Configuration files in a folder of their own, for the tests of this room. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import type { Config } from "../../src/config/config.ts";
import type { Environment } from "../../src/config/expand-variables.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import type { Failure } from "../../src/kernel/failure.ts";

export const ENV: Environment = { SENDIT_KEY: "upstream-canary-key", ALICE_TOKEN: "alice-canary-token-1", CI_TOKEN: "ci-canary-token-22" };
export const ALLOW_ALL = '{ "version": "1", "default": "allow" }\n';
export const ASKING = '{ "version": "1", "default": "deny", "tools": { "send": { "action": "require_approval" } } }\n';

export type Files = Readonly<Record<string, string>>;

/** Writes the files into a new folder and gives its path. */
export function makeFolder(files: Files): string {
  const folder = mkdtempSync(path.join(tmpdir(), "config-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return folder;
}

export async function load(text: string, files: Files = {}, env: Environment = ENV, name = "sallyport.yaml"): Promise<Config | Failure[]> {
  const folder = makeFolder({ [name]: text, ...files });
  const result = await loadConfig({ file: path.join(folder, name), env });
  return result.ok ? result.value : [...result.failures];
}

export async function loadGood(text: string, files: Files = {}, env: Environment = ENV, name?: string): Promise<Config> {
  const loaded = await load(text, files, env, name);
  if (Array.isArray(loaded)) throw new Error(JSON.stringify(loaded, null, 2));
  return loaded as Config;
}

export async function loadBad(text: string, files: Files = {}, env: Environment = ENV, name?: string): Promise<Failure[]> {
  const loaded = await load(text, files, env, name);
  if (!Array.isArray(loaded)) throw new Error("the configuration was read without an error");
  return loaded as Failure[];
}

/** `pointer` of each failure, with the base name of a file other than the configuration. */
export function pointersOf(failures: readonly Failure[]): string[] {
  return failures.map(({ at }) => {
    const file = path.basename(at?.file ?? "");
    return file.startsWith("sallyport.") ? (at?.pointer ?? "") : `${file}#${at?.pointer ?? ""}`;
  });
}
