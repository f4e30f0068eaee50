/**
 * How quickly a catalogue is built, and how long a page and a search take, at 31,000 and at 500,000 tools: the tools that
 * ship, and variations of them up to the number. `--corpus FILE` takes other ones (a tool a line) to vary. Times are those
 * that the processor worked, so that a busy machine measures the same as an idle one; the wall clock stands beside the build.
 *
 *   node bench/catalogue.ts [--tools 31000,500000] [--corpus FILE]
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { loadAttacks } from "../src/catalog/attacks/load-attacks.ts";
import { ContactBox } from "../src/catalog/contact-box.ts";
import { type Catalogue, openCatalogue } from "../src/catalog/store/read-catalogue.ts";
import { readSource, type SourceTools } from "../src/catalog/store/read-source.ts";
import { buildCatalogue } from "../src/catalog/store/write-catalogue.ts";
import { ATTACK_FOLDER, SHIPPED_LIST } from "../src/find-catalogue.ts";
import { type JsonObject, toJson } from "../src/kernel/json.ts";
import { answerCatalogue } from "../src/pages/catalog/answer-catalogue.ts";

const ROUNDS = 400;
const TOOLS_A_SERVER = 7;
const SEARCHES = [
  "create issue",
  "get",
  "list",
  "delete user account",
  "search",
  "send message channel",
  "file",
  "payment refund",
  "server",
  "the",
  "update a page",
  "zzz nothing",
] as const;
const FACETS = ["", "&class=destructive", "&risk=critical", "&signal=handles_secrets", "&class=read&risk=low"] as const;

function readFlag(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

async function readSeed(file: string): Promise<JsonObject[]> {
  const tools: JsonObject[] = [];
  for await (const source of readSource(file)) tools.push(...source.tools);
  return tools;
}

/** The same tools again and again, on servers of their own, with names and words of their own. */
async function* vary(seed: readonly JsonObject[], count: number): AsyncGenerator<SourceTools> {
  for (let made = 0, server = 0; made < count; server++) {
    const size = Math.min(TOOLS_A_SERVER, count - made);
    const tools = Array.from({ length: size }, (_, index) => {
      const tool = seed[(made + index) % seed.length] as JsonObject;
      const round = Math.floor((made + index) / seed.length);
      return round === 0
        ? tool
        : (toJson({
            ...tool,
            name: `${String(tool["name"])}_v${round}`,
            description: `${String(tool["description"] ?? "")} Variation ${round}.`,
          }) as JsonObject);
    });
    yield { server: { name: `bench server ${server}` }, tools };
    made += size;
  }
}

function readCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function quantile(times: readonly number[], share: number): string {
  const sorted = times.toSorted((left, right) => left - right);
  return `${(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)} ms`;
}

async function measure(catalogue: Catalogue, folder: string, paths: readonly string[]): Promise<readonly number[]> {
  const attacks = await loadAttacks(ATTACK_FOLDER);
  if (!attacks.ok) throw new Error("the attacks can't be read");
  const parts = { site: { baseUrl: "http://127.0.0.1", attacks: attacks.value }, catalogue, box: new ContactBox(folder), now: Date.now };
  const times: number[] = [];
  for (const asked of paths) {
    const [address = "", query = ""] = asked.split("?");
    const startedMs = readCpuMs();
    const answer = await answerCatalogue(parts, { method: "GET", path: address, query, source: "bench" });
    times.push(readCpuMs() - startedMs);
    if (answer.status !== 200) throw new Error(`${asked} answered ${answer.status}`);
  }
  return times;
}

/** Spread over the whole file, so that what is measured is not what was just read. */
function listPages(catalogue: Catalogue): readonly string[] {
  const step = Math.max(1, Math.floor(catalogue.totals.tools / ROUNDS));
  return Array.from({ length: ROUNDS }, (_, index) => index * step).flatMap((from) => {
    const [address] = catalogue.listAddresses(from, from + 1);
    const at = `?after=${from}`;
    return address
      ? [
          `/catalog/servers/${address.server}/${address.tool}`,
          `/catalog/servers/${address.server}`,
          `/catalog/classes/write${at}`,
          "/catalog",
        ]
      : [];
  });
}

const sizes = (readFlag("--tools") ?? "31000,500000").split(",").map(Number);
const seed = await readSeed(readFlag("--corpus") ?? SHIPPED_LIST);
process.stdout.write(
  "| tools | built in | processor | for each 31,000 | file | pages p50 | p99 | searches p50 | p99 |\n|---|---|---|---|---|---|---|---|---|\n",
);
for (const size of sizes) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "sallyport-bench-"));
  try {
    const file = path.join(folder, "catalogue.db");
    const [startedMs, startedCpuMs] = [performance.now(), readCpuMs()];
    const { tools } = await buildCatalogue({ file, sources: vary(seed, size), at: new Date().toISOString() });
    const wall = (performance.now() - startedMs) / 1000;
    const seconds = (readCpuMs() - startedCpuMs) / 1000;
    const catalogue = openCatalogue(file);
    const searches = SEARCHES.flatMap((words) => FACETS.map((facet) => `/catalog/search?q=${encodeURIComponent(words)}${facet}`));
    await measure(catalogue, folder, ["/catalog", "/catalog/search?q=get"]);
    const pages = await measure(catalogue, folder, listPages(catalogue));
    const found = await measure(catalogue, folder, [...searches, ...searches, ...searches, ...searches, ...searches]);
    catalogue.close();
    const megabytes = (statSync(file).size / 1e6).toFixed(0);
    process.stdout.write(
      `| ${tools.toLocaleString("en-US")} | ${wall.toFixed(1)} s | ${seconds.toFixed(1)} s | ${((seconds / tools) * 31_000).toFixed(1)} s | ${megabytes} MB | ${quantile(pages, 0.5)} | ${quantile(pages, 0.99)} | ${quantile(found, 0.5)} | ${quantile(found, 0.99)} |\n`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
