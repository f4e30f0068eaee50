/** What a server's entry says of questions and results: read as written, refused at its place, and as the docs show it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load-config.ts";
import { createCaps, MAX_RESULT_BYTES, MAX_RESULT_DEPTH, NO_CAPS } from "../../src/gateway/result-caps.ts";

const folder = mkdtempSync(path.join(tmpdir(), "server-entry-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function load(text: string) {
  const file = path.join(folder, "sallyport.yaml");
  writeFileSync(file, text);
  return await loadConfig({ file, env: {} });
}

async function loadEntry(entry: object) {
  return await load(JSON.stringify({ servers: { files: { upstream: { url: "https://files.example.com/mcp" }, ...entry } } }));
}

describe("a server's entry", () => {
  test("opens nothing and caps nothing by itself", async () => {
    const loaded = await loadEntry({});
    if (!loaded.ok) throw new Error("refused");
    const [server] = loaded.value.servers;
    expect(server?.asks).toEqual([]);
    expect(createCaps(server?.results as never)).toEqual(NO_CAPS);
  });

  test("is as the docs show it", async () => {
    const docs = readFileSync(path.resolve(import.meta.dirname, "../../docs/servers.md"), "utf8");
    const loaded = await load(/```yaml config[^\n]*\n([\s\S]*?)```/.exec(docs)?.[1] ?? "");
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.failures));
    const [server] = loaded.value.servers;
    expect(server?.asks).toEqual(["elicitation"]);
    expect(createCaps(server?.results as never)).toEqual({
      maxBytes: 1_048_576,
      maxDepth: 32,
      timeoutMs: 60_000,
      types: new Set(["text", "resource_link"]),
    });
  });

  test.each([
    [{ asks: ["everything"] }, "/servers/files/asks/0"],
    [{ asks: "sampling" }, "/servers/files/asks"],
    [{ results: { maxBytes: MAX_RESULT_BYTES + 1 } }, "/servers/files/results/maxBytes"],
    [{ results: { maxBytes: 10 } }, "/servers/files/results/maxBytes"],
    [{ results: { maxDepth: MAX_RESULT_DEPTH + 1 } }, "/servers/files/results/maxDepth"],
    [{ results: { timeoutSeconds: 0 } }, "/servers/files/results/timeoutSeconds"],
    [{ results: { types: ["video"] } }, "/servers/files/results/types/0"],
    [{ results: { size: 1 } }, "/servers/files/results/size"],
  ])("is refused at its place: %j", async (entry, pointer) => {
    const loaded = await loadEntry(entry);
    expect(loaded.ok ? [] : loaded.failures.map(({ at }) => at?.pointer)).toEqual([pointer]);
  });
});
