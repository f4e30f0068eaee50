/** A home and a project folder of a test's own, with files in them, gone when the test is. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import type { Machine } from "../../src/scan/clients/client.ts";

export interface TestMachine extends Machine {
  readonly root: string;
  /** Below the home; gives the full path. */
  put(file: string, text: string): string;
}

export function makeMachine(env: Readonly<Record<string, string>> = {}): TestMachine {
  const root = mkdtempSync(path.join(tmpdir(), "sallyport-scan-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true, maxRetries: 5 }));
  const home = path.join(root, "home");
  const folder = path.join(root, "home", "project");
  mkdirSync(folder, { recursive: true });
  return {
    root,
    platform: "linux",
    home,
    folder,
    env,
    put(file, text) {
      const full = path.join(home, file);
      mkdirSync(path.dirname(full), { recursive: true });
      writeFileSync(full, text);
      return full;
    },
  };
}
