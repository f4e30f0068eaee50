/** Whatever way a file is changed, the change is seen; whatever is wrong with it, what was in force stays so. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { watchConfig } from "../../src/config/watch-config.ts";
import { type Failure, FailureError } from "../../src/kernel/failure.ts";
import { ALLOW_ALL, type Files, makeFolder } from "./write-config.ts";

const WAIT = { timeout: 5000, interval: 10 };

const text = (host: string, policyFile = "p.json"): string =>
  `listen: { host: ${host} }
servers: { s: { upstream: { url: "https://s.example.com/mcp" } } }
policies: { p: { server: s, file: ./${policyFile} } }
`;
const DENY_ALL = '{ "version": "1", "default": "deny" }\n';
const FILES: Files = { "sallyport.yaml": text("one"), "p.json": ALLOW_ALL };

interface Watched {
  readonly folder: string;
  readonly configs: Config[];
  readonly failures: (readonly Failure[])[];
  stop(): Promise<void>;
  write(name: string, text: string): void;
  last(): Config | undefined;
}

interface WatchedOptions {
  readonly files?: Files;
  readonly file?: string;
  readonly onChange?: (config: Config) => void;
  /** Between loading and watching. */
  readonly meanwhile?: (folder: string) => void;
  readonly prepare?: (folder: string) => void;
  readonly settleMs?: number;
}

async function startWatching(options: WatchedOptions = {}): Promise<Watched> {
  const folder = makeFolder(options.files ?? FILES);
  options.prepare?.(folder);
  const loaded = await loadConfig({ file: path.join(folder, options.file ?? "sallyport.yaml"), env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failures));
  const configs: Config[] = [];
  const failures: (readonly Failure[])[] = [];
  options.meanwhile?.(folder);
  const stop = watchConfig({
    config: loaded.value,
    env: {},
    pollMs: 80,
    settleMs: options.settleMs ?? 15,
    onChange: (config) => {
      options.onChange?.(config);
      configs.push(config);
    },
    onFailure: (told) => void failures.push(told),
  });
  onTestFinished(stop);
  const write = (name: string, content: string): void => writeFileSync(path.join(folder, name), content);
  return { folder, configs, failures, stop, write, last: () => configs.at(-1) };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("a watched configuration", () => {
  it("is handed over when it is edited in place, again and again", async () => {
    const watched = await startWatching();
    for (const host of ["two", "three", "four"]) {
      watched.write("sallyport.yaml", text(host));
      await vi.waitFor(() => expect(watched.last()?.listen.host).toBe(host), WAIT);
    }
    expect(watched.failures).toEqual([]);
  });

  it("is handed over when it is replaced by rename, again and again", async () => {
    const watched = await startWatching();
    for (const host of ["two", "three", "four"]) {
      watched.write("next.yaml", text(host));
      renameSync(path.join(watched.folder, "next.yaml"), path.join(watched.folder, "sallyport.yaml"));
      await vi.waitFor(() => expect(watched.last()?.listen.host).toBe(host), WAIT);
    }
  });

  it("is handed over when a link to it, or to its folder, is swapped", async () => {
    const watched = await startWatching({
      files: { "v1/sallyport.yaml": text("one"), "v1/p.json": ALLOW_ALL, "v2/sallyport.yaml": text("two"), "v2/p.json": DENY_ALL },
      file: "mounted/sallyport.yaml",
      prepare: (folder) => {
        mkdirSync(path.join(folder, "mounted"));
        symlinkSync("../v1", path.join(folder, "mounted/..data"));
        symlinkSync("..data/sallyport.yaml", path.join(folder, "mounted/sallyport.yaml"));
        symlinkSync("..data/p.json", path.join(folder, "mounted/p.json"));
      },
    });
    symlinkSync("../v2", path.join(watched.folder, "mounted/..next"));
    renameSync(path.join(watched.folder, "mounted/..next"), path.join(watched.folder, "mounted/..data"));
    await vi.waitFor(() => expect(watched.last()?.listen.host).toBe("two"), WAIT);
    expect(watched.last()?.policies[0]?.document.default).toBe("deny");
    rmSync(path.join(watched.folder, "mounted"), { recursive: true });
    renameSync(path.join(watched.folder, "v1"), path.join(watched.folder, "mounted"));
    await vi.waitFor(() => expect(watched.last()?.listen.host).toBe("one"), WAIT);
  });

  it("is handed over when a policy file changes, also one that a later version named", async () => {
    const watched = await startWatching();
    watched.write("p.json", DENY_ALL);
    await vi.waitFor(() => expect(watched.last()?.policies[0]?.document.default).toBe("deny"), WAIT);
    mkdirSync(path.join(watched.folder, "deeper"));
    watched.write("deeper/q.json", ALLOW_ALL);
    watched.write("sallyport.yaml", text("two", "deeper/q.json"));
    await vi.waitFor(() => expect(watched.last()?.policies[0]?.document.default).toBe("allow"), WAIT);
    watched.write("deeper/q.json", DENY_ALL);
    await vi.waitFor(() => expect(watched.last()?.policies[0]?.document.default).toBe("deny"), WAIT);
  });

  it("is handed over when it changed between loading and watching", async () => {
    const watched = await startWatching({ meanwhile: (folder) => writeFileSync(path.join(folder, "sallyport.yaml"), text("two")) });
    await vi.waitFor(() => expect(watched.last()?.listen.host).toBe("two"), WAIT);
  });

  it("is not handed over while nothing in it changes", async () => {
    const watched = await startWatching();
    watched.write("other.txt", "x");
    watched.write("sallyport.yaml", text("one"));
    await pause(300);
    expect(watched.configs).toEqual([]);
    expect(watched.failures).toEqual([]);
  });

  it("that is bad is told once and changes nothing, until it is good again", async () => {
    const watched = await startWatching();
    watched.write("sallyport.yaml", `${text("two")}surplus: 1\n`);
    await vi.waitFor(() => expect(watched.failures).toHaveLength(1), WAIT);
    expect(watched.failures[0]?.[0]?.at).toMatchObject({ pointer: "/surplus", line: 4 });
    await pause(300);
    expect(watched.failures).toHaveLength(1);
    expect(watched.configs).toEqual([]);
    watched.write("sallyport.yaml", text("three"));
    await vi.waitFor(() => expect(watched.last()?.listen.host).toBe("three"), WAIT);
    watched.write("sallyport.yaml", `${text("two")}surplus: 1\n`);
    await vi.waitFor(() => expect(watched.failures).toHaveLength(2), WAIT);
  });

  it("whose policy is bad or gone is told, and good when the policy is", async () => {
    const watched = await startWatching();
    watched.write("p.json", '{ "version": "1" }');
    await vi.waitFor(() => expect(watched.failures).toHaveLength(1), WAIT);
    rmSync(path.join(watched.folder, "p.json"));
    await vi.waitFor(() => expect(watched.failures).toHaveLength(2), WAIT);
    expect(watched.configs).toEqual([]);
    watched.write("p.json", DENY_ALL);
    await vi.waitFor(() => expect(watched.last()?.policies[0]?.document.default).toBe("deny"), WAIT);
  });

  it("that is gone for a while changes nothing", async () => {
    const watched = await startWatching();
    rmSync(path.join(watched.folder, "sallyport.yaml"));
    await vi.waitFor(() => expect(watched.failures).toHaveLength(1), WAIT);
    expect(watched.configs).toEqual([]);
    watched.write("sallyport.yaml", text("two"));
    await vi.waitFor(() => expect(watched.last()?.listen.host).toBe("two"), WAIT);
  });

  it("that can't be put into force is told once and tried until it can", async () => {
    let attempts = 0;
    const watched = await startWatching({
      onChange: () => {
        attempts++;
        if (attempts < 3) throw new FailureError({ code: "conflict", message: "A grant has that label." });
      },
    });
    watched.write("sallyport.yaml", text("two"));
    await vi.waitFor(() => expect(watched.last()?.listen.host).toBe("two"), WAIT);
    expect(attempts).toBe(3);
    expect(watched.failures.map((told) => told[0]?.message)).toEqual(["A grant has that label."]);
    await pause(200);
    expect(attempts).toBe(3);
  });

  it("is left alone after the watch has ended", async () => {
    const watched = await startWatching();
    await watched.stop();
    watched.write("sallyport.yaml", text("two"));
    await pause(250);
    expect(watched.configs).toEqual([]);
  });

  it("is not loaded while it is being written", async () => {
    const watched = await startWatching({ settleMs: 100 });
    const whole = text("two");
    const cut = whole.indexOf("policies:");
    watched.write("sallyport.yaml", whole.slice(0, cut));
    for (let at = cut; at < whole.length; at += 12) {
      await pause(4);
      watched.write("sallyport.yaml", whole.slice(0, at + 12));
    }
    watched.write("sallyport.yaml", whole);
    await vi.waitFor(() => expect(watched.last()?.listen.host).toBe("two"), WAIT);
    expect(watched.configs.every((config) => config.policies.length === 1)).toBe(true);
  });
});
