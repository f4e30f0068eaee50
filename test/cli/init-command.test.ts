/** `sallyport init` on a home with clients of every kind of file: what it writes holds, is used, and is taken back whole. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { parse as parseJsonc } from "jsonc-parser";
import { afterAll, describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { loadConfig } from "../../src/config/load-config.ts";
import { runCommand } from "../support/commands.ts";
import { runProgram } from "../support/program.ts";

const roots: string[] = [];
const SECRETS = ["k3y-of-memory-1111", "t0k3n-of-files-2222", "s3cr3t-argument-3333"];
const require = createRequire(import.meta.url);
const server = (name: string): string =>
  path.join(path.dirname(require.resolve(`@modelcontextprotocol/server-${name}/package.json`)), "dist/index.js");

afterAll(() => {
  for (const root of roots) rmSync(root, { recursive: true, force: true, maxRetries: 5 });
});

function setUp() {
  const root = mkdtempSync(path.join(tmpdir(), "init-command-"));
  roots.push(root);
  const home = path.join(root, "home");
  const put = (file: string, text: string): string => {
    const full = path.join(home, file);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, text);
    return full;
  };
  const node = JSON.stringify(process.execPath);
  const files = {
    cursor: put(
      ".cursor/mcp.json",
      `{\n  // mine\n  "mcpServers": {\n    "My Memory": {\n      "command": ${node},\n      "args": ["${server("memory")}", "--token", "${SECRETS[2]}"],\n      "env": { "API_KEY": "${SECRETS[0]}", "MEMORY_FILE_PATH": "${home}/memory.json" },\n      "autoApprove": ["read_graph"]\n    },\n    "gone": { "command": "no-such-program-of-test" },\n  },\n}\n`,
    ),
    codex: put(
      ".codex/config.toml",
      `model = "x" # mine\n\n[mcp_servers.files]\ncommand = ${node}\nargs = ["${server("filesystem")}", "${home}"]\nstartup_timeout_sec = 20\n\n[mcp_servers.files.env]\nFILES_TOKEN = "${SECRETS[1]}"\n`,
    ),
    desktop: put(
      ".config/Claude/claude_desktop_config.json",
      `{"mcpServers":{"files":{"command":${node},"args":["${server("filesystem")}","${home}"],"env":{"FILES_TOKEN":"${SECRETS[1]}"}}},"theme":"dark"}`,
    ),
    goose: put(
      ".config/goose/config.yaml",
      `extensions:\n  files:\n    type: stdio\n    cmd: ${process.execPath}\n    args: [${server("filesystem")}]\n`,
    ),
  };
  const folder = path.join(root, "gateway");
  const env = { HOME: home, PATH: process.env["PATH"] ?? "", USER: "ann", XDG_DATA_HOME: path.join(root, "data") };
  const init = (...args: readonly string[]): ReturnType<typeof runCommand> => runCommand(["init", "--dir", folder, ...args], env);
  const bytes = (): Record<string, string> => Object.fromEntries(Object.values(files).map((file) => [file, readFileSync(file, "latin1")]));
  return { root, home, files, folder, init, bytes, env };
}

describe("init", () => {
  it("without a yes starts and writes nothing, and says so", async () => {
    const { init, bytes, folder, root } = setUp();
    const before = bytes();
    const { out, code } = await init();
    expect([code, out.includes("left alone: it was not looked at"), out.includes("There is nothing to write.")]).toEqual([0, true, true]);
    const seen = await init("--run");
    expect(seen.err).toContain("Nothing was written: without a terminal say `--yes`.");
    const dry = await init("--yes", "--dry-run");
    expect(dry.out).toContain("Nothing was written.");
    expect([bytes(), existsSync(folder), existsSync(path.join(root, "data/sallyport/init"))]).toEqual([before, false, false]);
  });

  it("points clients at the gateway, writes a configuration that holds, and takes it all back", async () => {
    const { init, bytes, files, folder, env, home } = setUp();
    const before = bytes();
    const modes = Object.values(files).map((file) => statSync(file).mode);
    const { code, out, err } = await init("--yes");
    expect([code, err]).toEqual([0, ""]);
    for (const secret of SECRETS) expect(out).not.toContain(secret);

    const cursor = parseJsonc(readFileSync(files.cursor, "utf8"), [], { allowTrailingComma: true }) as {
      mcpServers: Record<string, unknown>;
    };
    expect(cursor.mcpServers["My Memory"]).toEqual({
      autoApprove: ["read_graph"],
      url: "http://127.0.0.1:8420/mcp/my-memory",
      headers: { Authorization: "Bearer ${env:SALLYPORT_TOKEN_CURSOR}" },
    });
    expect(cursor.mcpServers["gone"]).toEqual({ command: "no-such-program-of-test" });
    expect(readFileSync(files.cursor, "utf8")).toMatch(/^\{\n {2}\/\/ mine\n/);
    expect(readFileSync(files.codex, "utf8")).toBe(
      'model = "x" # mine\n\n[mcp_servers.files]\nurl = "http://127.0.0.1:8420/mcp/files"\nbearer_token_env_var = "SALLYPORT_TOKEN_CODEX"\nstartup_timeout_sec = 20\n\n',
    );
    const desktop = JSON.parse(readFileSync(files.desktop, "utf8")) as {
      mcpServers: { files: { args: string[]; env: unknown } };
      theme: string;
    };
    expect(desktop.theme).toBe("dark");
    expect(desktop.mcpServers.files.env).toEqual({ FILES_TOKEN: SECRETS[1] });
    expect(desktop.mcpServers.files.args.join(" ")).toMatch(
      new RegExp(
        `run --policy ${folder}/policies/files-claude-desktop\\.json --server files-claude-desktop --env FILES_TOKEN -- .*filesystem.*${home}$`,
      ),
    );
    expect(out).toContain("YAML files are not edited");
    expect(out).toContain("`gone` is left alone: ");
    expect(readFileSync(files.goose, "latin1")).toBe(before[files.goose]);

    const text = readFileSync(path.join(folder, "sallyport.yaml"), "utf8");
    for (const secret of SECRETS) expect(text).not.toContain(secret);
    expect((parseYaml(text) as { servers: object }).servers).toMatchObject({
      "my-memory": {
        upstream: {
          args: [server("memory"), "--token", "${MY_MEMORY_ARG_3}"],
          env: { API_KEY: "${API_KEY}", MEMORY_FILE_PATH: `${home}/memory.json` },
        },
      },
      files: { upstream: { env: { FILES_TOKEN: "${FILES_TOKEN}" } } },
    });
    const wanted = [...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name as string);
    for (const name of wanted) expect(out).toMatch(new RegExp(`^ {2}${name} {2}\\(`, "m"));
    const values = Object.fromEntries(wanted.map((name) => [name, `${name}-of-sixteen-characters`]));
    const loaded = await loadConfig({ file: path.join(folder, "sallyport.yaml"), env: { ...values, SALLYPORT_OWNER: "ann@example.com" } });
    expect(loaded.ok ? [] : loaded.failures).toEqual([]);
    expect(loaded.ok && loaded.value.grants.map(({ label }) => label).sort()).toEqual(["codex", "cursor"]);
    expect(readdirSync(path.join(folder, "policies")).sort()).toEqual(["files-claude-desktop.json", "files.json", "my-memory.json"]);

    // What the client starts now is a server, with the policy before it and its own variables behind.
    const { args } = desktop.mcpServers.files;
    expect(args.slice(0, 3)).toEqual(["-y", "sallyport", "run"]);
    const said = await runProgram(args.slice(2), {
      env: { ...env, FILES_TOKEN: SECRETS[1] as string },
      input:
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n',
    });
    expect(said.out).toContain('"protocolVersion":"2025-11-25"');

    const again = await init("--yes");
    expect(again.out).toContain("There is nothing to write.");
    expect((await init("--undo")).code).toBe(0);
    expect(bytes()).toEqual(before);
    expect(Object.values(files).map((file) => statSync(file).mode)).toEqual(modes);
    expect(existsSync(folder)).toBe(false);
    for (const file of Object.values(files))
      expect(readdirSync(path.dirname(file)).filter((name) => name.includes("sallyport"))).toEqual([]);
    expect((await init("--undo")).code).toBe(2);
  });

  it("refuses to undo over a later edit, names the file and touches none", async () => {
    const { init, files, folder } = setUp();
    expect((await init("--yes", "--client", "codex")).code).toBe(0);
    const edited = `${readFileSync(files.codex, "utf8")}# later\n`;
    writeFileSync(files.codex, edited);
    const { code, err } = await init("--undo");
    expect([code, err.includes(files.codex)]).toEqual([2, true]);
    expect([readFileSync(files.codex, "utf8"), existsSync(path.join(folder, "sallyport.yaml"))]).toEqual([edited, true]);
  });

  it("adds to a configuration that is there, and keeps its comments and its address", async () => {
    const { init, folder, files } = setUp();
    mkdirSync(folder);
    const file = path.join(folder, "sallyport.yaml");
    const mine = "# my gateway\nlisten: { port: 9000 } # here\nservers:\n  files:\n    upstream: { url: https://example.com/mcp }\n";
    writeFileSync(file, mine);
    expect((await init("--yes", "--client", "codex")).code).toBe(0);
    const text = readFileSync(file, "utf8");
    expect(text.startsWith("# my gateway\nlisten: { port: 9000 } # here\n")).toBe(true);
    expect(Object.keys((parseYaml(text) as { servers: object }).servers)).toEqual(["files", "files-2"]);
    expect(readFileSync(files.codex, "utf8")).toContain('url = "http://127.0.0.1:9000/mcp/files-2"');
    expect((await init("--undo")).code).toBe(0);
    expect(readFileSync(file, "utf8")).toBe(mine);
  });
});
