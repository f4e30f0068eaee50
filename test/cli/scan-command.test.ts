/** `sallyport scan` with real servers: what it prints for people, as JSON and as SARIF, and how it ends. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runCli } from "../../src/cli/run-cli.ts";
import { loadOperators } from "../../src/policy/operators/registry.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import type { ScanReport } from "../../src/scan/report.ts";
import { runCommand } from "../support/commands.ts";
import { startRawUpstream, tool } from "../support/raw-upstream.ts";

const dir = mkdtempSync(path.join(tmpdir(), "scan-command-"));
const env = { HOME: dir, PATH: process.env["PATH"] ?? "", XDG_DATA_HOME: path.join(dir, "data") };
const SECRET = "s3cr3t-value-of-test";
const require = createRequire(import.meta.url);
const server = (name: string): string =>
  path.join(path.dirname(require.resolve(`@modelcontextprotocol/server-${name}/package.json`)), "dist/index.js");
const put = (name: string, value: unknown): string => {
  const file = path.join(dir, name);
  writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value, null, 2));
  return file;
};
const scan = (...args: readonly string[]): ReturnType<typeof runCommand> => runCommand(["scan", ...args], env);

afterAll(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));

const config = put("clients.json", {
  mcpServers: {
    memory: {
      command: process.execPath,
      args: [server("memory")],
      env: { MEMORY_FILE_PATH: path.join(dir, "memory.json"), API_KEY: SECRET },
    },
    files: { command: process.execPath, args: [server("filesystem"), dir] },
    off: { command: "nothing", disabled: true },
    broken: { command: "no-such-program-of-test", args: ["--token", SECRET] },
  },
});

describe("scan of a command", () => {
  it("lists a real server, within a hundred columns, and writes its policy", async () => {
    const policy = path.join(dir, "policy.json");
    const { code, out, err } = await scan("--policy", policy, "--", process.execPath, server("everything"));
    expect([code, err]).toEqual([0, `The suggested policy is in ${policy}.\n`]);
    expect(out).toMatch(/^ {2}echo +read +low +-$/m);
    expect(out).toMatch(/grade [A-F] \(\d+\) · \d+ tools: .* about [\d,]+ tokens/);
    expect(Math.max(...out.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(100);
    await loadOperators();
    expect(parsePolicy(readFileSync(policy, "utf8"), { format: "json" }).ok).toBe(true);
    expect((await scan("--policy", policy, "--", process.execPath, server("everything"))).code).toBe(2);
  });
});

describe("scan of a configuration", () => {
  it("starts nothing without a yes, says so, and is no pass", async () => {
    const { code, out, err } = await scan("--config", config, "--fail-on", "critical");
    expect(out).toContain("not looked at: say yes, or `--run`");
    expect(err).toContain("without a terminal nothing of a configuration is started unless `--run` says so");
    expect([code, err.includes("which is no pass")]).toEqual([1, true]);
    expect((await scan("--config", config)).code).toBe(0);
    expect(out + err).not.toContain(SECRET);
  });

  it("as JSON: each server with its tools, one value, no secret, drift the second time", async () => {
    const first = await scan("--config", config, "--run", "--json");
    const report = JSON.parse(first.out) as ScanReport;
    expect(report.servers.map(({ name, state }) => [name, state])).toEqual([
      ["memory", "listed"],
      ["files", "listed"],
      ["off", "disabled"],
      ["broken", "failed"],
    ]);
    expect(report.servers[0]?.at).toEqual({ file: config, line: 3 });
    expect(report.servers[1]?.suggestedPolicy?.tools["read_file"]?.require?.[0]?.name).toBe("fill in the folders of path");
    expect(report.servers[0]?.tools.find(({ name }) => name === "delete_entities")).toMatchObject({
      class: "destructive",
      risk: "critical",
    });
    expect(first.out + first.err).not.toContain(SECRET);
    const second = await scan("--config", config, "--run", "--fail-on", "drift");
    expect(second.out).toContain("no drift since");
    expect(second.err).toContain("1 server could not be looked at");
  });

  it("as SARIF: rules, levels and the line that names the server", async () => {
    const { out, code } = await scan("--config", config, "--run", "--sarif");
    expect(code).toBe(0);
    const sarif = JSON.parse(out) as Sarif;
    expect([sarif.version, sarif.$schema.endsWith("sarif-schema-2.1.0.json"), sarif.runs.length]).toEqual(["2.1.0", true, 1]);
    const [run] = sarif.runs as [SarifRun];
    const ids = run.tool.driver.rules.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(run.results.length).toBeGreaterThan(5);
    for (const result of run.results) {
      expect(ids[result.ruleIndex]).toBe(result.ruleId);
      expect(["note", "warning", "error"]).toContain(result.level);
      expect(result.message.text).not.toBe("");
      const [location] = result.locations as [SarifLocation];
      expect(location.physicalLocation.artifactLocation.uri).toMatch(/^file:\/\/\/.*clients\.json$/);
      expect(location.physicalLocation.region.startLine).toBeGreaterThan(2);
    }
    const deletes = run.results.find(({ message }) => message.text.includes("`delete_entities`"));
    expect(deletes).toMatchObject({ ruleId: "tool-risk", level: "error", properties: { "security-severity": "9.5" } });
    expect(out).not.toContain(SECRET);
  });

  it("with a baseline that a repository keeps", async () => {
    const tools = put("tools.json", { tools: [{ name: "list_things", inputSchema: { type: "object" } }] });
    const baseline = path.join(dir, "baseline.json");
    expect((await scan(tools, "--baseline", baseline)).code).toBe(0);
    put("tools.json", {
      tools: [
        { name: "list_things", description: "More.", inputSchema: { type: "object" } },
        { name: "drop_things", inputSchema: { type: "object" } },
      ],
    });
    const text = readFileSync(baseline, "utf8");
    for (const _ of [1, 2]) expect((await scan(tools, "--baseline", baseline, "--fail-on", "drift")).code).toBe(1);
    expect(readFileSync(baseline, "utf8")).toBe(text);
    expect((await scan(tools, "--baseline", baseline, "--update-baseline")).code).toBe(0);
    expect((await scan(tools, "--baseline", baseline, "--fail-on", "drift")).code).toBe(0);
  });
});

describe("scan of other things", () => {
  it("an address, with a header from the environment that is not repeated", async () => {
    const upstream = await startRawUpstream({ tools: `[${tool("list_things")}]` });
    try {
      const answered = await runCommand(["scan", upstream.url, "--header", "Authorization: Bearer ${KEY}", "--json"], {
        ...env,
        KEY: SECRET,
      });
      expect([answered.code, (JSON.parse(answered.out) as ScanReport).servers[0]?.tools[0]?.name]).toEqual([0, "list_things"]);
      expect(upstream.arrived[0]?.headers.authorization).toBe(`Bearer ${SECRET}`);
      expect(answered.out).not.toContain(SECRET);
      expect((await runCommand(["scan", upstream.url, "--header", "Authorization: Bearer ${NONE}"], env)).code).toBe(2);
    } finally {
      await upstream.stop();
    }
    const gone = await scan(upstream.url);
    expect([gone.code, gone.out.includes("no connection could be made")]).toEqual([1, true]);
  });

  it("a folder of lists, in all forms that servers and people write them", async () => {
    const lists = mkdtempSync(path.join(dir, "lists-"));
    const one = { name: "read_notes", description: "Reads a note. \u202eevil", inputSchema: { type: "object" } };
    writeFileSync(path.join(lists, "a.json"), JSON.stringify([one]));
    writeFileSync(path.join(lists, "b.json"), JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools: [one] } }));
    const { code, out, err } = await scan(lists, "--fail-on", "hidden");
    expect([code, err]).toEqual([1, "--fail-on hidden: 2 findings.\n"]);
    expect(out).toContain("shadowed-name");
    expect(out).not.toContain("\u202e");
    const json = await scan(lists, "--json");
    expect(json.out).not.toContain("\u202e");
    expect((JSON.parse(json.out) as ScanReport).servers[0]?.tools[0]?.description).toContain("\u202e");
  });

  it.each([
    [["nothing-there.json"], "There is no such file or folder."],
    [["everything"], "named after `--`"],
    [["--fail-on", "hihg"], "Known are low"],
    [["--client", "none"], "There is no client `none`"],
    [["--json", "--sarif", "x.json"], "not both"],
    [["--config", path.join("no", "such.json")], "no such file"],
  ])("%j is refused in words", async (args, words) => {
    const { code, err, out } = await scan(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(words);
  });

  it("nothing found is a no", async () => {
    const { code, err } = await runCommand(["scan", "--client", "kiro"], { ...env, HOME: path.join(dir, "empty") });
    expect([code, err]).toEqual([1, "No server was found in any configuration of a known client: nothing was scanned.\n"]);
  });
});

describe("somebody at a terminal", () => {
  /** Answers every question alike, and keeps what was asked. */
  async function sit(answer: string, ...args: readonly string[]) {
    const kept = { out: "", err: "", asked: [] as string[] };
    const never = (): never => {
      throw new Error("no matter of this");
    };
    const code = await runCli(args, {
      version: "0",
      terminal: {
        env,
        isTerminal: true,
        columns: 80,
        hasColor: true,
        out: (text) => void (kept.out += text),
        err: (text) => void (kept.err += text),
        ask: (question) => (kept.asked.push(question), Promise.resolve(answer)),
      },
      startGateway: never,
      runStdio: never,
      openFolder: never,
      findFolder: never,
      serveCatalogue: never,
      waitForSignal: never,
    });
    return { code, ...kept };
  }
  const one = put("one.json", { mcpServers: { memory: { command: process.execPath, args: [server("memory")] } } });

  it("is shown what would be started, asked once, and obeyed", async () => {
    const no = await sit("", "scan", "--config", one);
    expect([no.code, no.asked, no.out.includes("not looked at")]).toEqual([0, ["Do it now, 1 in all? [y/N] "], true]);
    expect(no.err).toContain("nobody agreed");
    const yes = await sit(" YES ", "scan", "--config", one);
    expect([yes.code, yes.asked.length]).toEqual([0, 1]);
    expect(yes.err).toContain("  memory: ");
    expect(yes.out).toContain("\u001b[1;31mcritical");
    const plain = yes.out.replaceAll(/\u001b\[[\d;]*m/g, "");
    expect(Math.max(...plain.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  it("is asked nothing where --run says it, nor where nothing has to be started", async () => {
    const tools = put("plain-tools.json", [{ name: "list_things", inputSchema: { type: "object" } }]);
    expect((await sit("n", "scan", "--config", one, "--run")).asked).toEqual([]);
    expect((await sit("n", "scan", tools)).asked).toEqual([]);
  });
});

interface Sarif {
  readonly version: string;
  readonly $schema: string;
  readonly runs: readonly SarifRun[];
}
interface SarifRun {
  readonly tool: { readonly driver: { readonly rules: readonly { readonly id: string }[] } };
  readonly results: readonly {
    readonly ruleId: string;
    readonly ruleIndex: number;
    readonly level: string;
    readonly message: { readonly text: string };
    readonly locations: readonly SarifLocation[];
  }[];
}
interface SarifLocation {
  readonly physicalLocation: { readonly artifactLocation: { readonly uri: string }; readonly region: { readonly startLine: number } };
}
