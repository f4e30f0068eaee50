/** Configurations of every known client are found and read; what leads elsewhere or can't be read is told. */
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { findClientFiles, openClientFile } from "../../src/scan/clients/find-client-files.ts";
import { CLIENTS } from "../../src/scan/clients/known-clients.ts";
import { planTargets } from "../../src/scan/plan-targets.ts";
import { makeMachine } from "./machine.ts";

const JSON_OF = (key: string, entry: string): string => `{\n  // a comment\n  "${key}": {\n    "one": ${entry},\n  },\n}\n`;
const PLAIN = '{ "command": "npx", "args": ["-y", "some-server"], "env": { "TOKEN": "s3cr3t-value-of-test" } }';
const COMMAND = { kind: "command", command: "npx", args: ["-y", "some-server"], env: { TOKEN: "s3cr3t-value-of-test" } };

/** Where each client keeps its file on Linux, and how an entry is spelled there. */
const FILES: Readonly<Record<string, readonly [file: string, text: string]>> = {
  "claude-desktop": [".config/Claude/claude_desktop_config.json", JSON_OF("mcpServers", PLAIN)],
  "claude-code": [".claude.json", JSON_OF("mcpServers", PLAIN.replace("{", '{ "type": "stdio",'))],
  cursor: [".cursor/mcp.json", JSON_OF("mcpServers", PLAIN)],
  vscode: [".config/Code/User/mcp.json", JSON_OF("servers", PLAIN)],
  "visual-studio": [".mcp.json", JSON_OF("servers", PLAIN)],
  windsurf: [".codeium/windsurf/mcp_config.json", JSON_OF("mcpServers", PLAIN)],
  codex: [
    ".codex/config.toml",
    'model = "x"\n[mcp_servers.one]\ncommand = "npx"\nargs = [\n  "-y", # yes\n  "some-server",\n]\n[mcp_servers.one.env]\nTOKEN = "s3cr3t-value-of-test"\n',
  ],
  gemini: [".gemini/settings.json", JSON_OF("mcpServers", PLAIN)],
  zed: [
    ".config/zed/settings.json",
    JSON_OF(
      "context_servers",
      '{ "command": { "path": "npx", "args": ["-y", "some-server"], "env": { "TOKEN": "s3cr3t-value-of-test" } } }',
    ),
  ],
  opencode: [
    ".config/opencode/opencode.json",
    JSON_OF("mcp", '{ "type": "local", "command": ["npx", "-y", "some-server"], "environment": { "TOKEN": "s3cr3t-value-of-test" } }'),
  ],
  crush: [".config/crush/crush.json", JSON_OF("mcp", PLAIN)],
  kiro: [".kiro/settings/mcp.json", JSON_OF("mcpServers", PLAIN)],
  cline: [".config/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json", JSON_OF("mcpServers", PLAIN)],
  "lm-studio": [".lmstudio/mcp.json", JSON_OF("mcpServers", PLAIN)],
  "amazon-q": [".aws/amazonq/mcp.json", JSON_OF("mcpServers", PLAIN)],
  continue: [
    ".continue/config.yaml",
    "name: x\nmcpServers:\n  - name: one\n    command: npx\n    args: [-y, some-server]\n    env:\n      TOKEN: s3cr3t-value-of-test\n",
  ],
  goose: [
    ".config/goose/config.yaml",
    "extensions:\n  one:\n    type: stdio\n    cmd: npx\n    args: [-y, some-server]\n    envs:\n      TOKEN: s3cr3t-value-of-test\n  two:\n    type: builtin\n",
  ],
};

describe("configurations of clients", () => {
  it("knows a file for each client of the table", () => {
    expect(Object.keys(FILES).sort()).toEqual(CLIENTS.map(({ id }) => id).sort());
  });

  it.each(Object.entries(FILES))("%s: its server is found, at its line", async (id, [file, text]) => {
    const machine = makeMachine();
    machine.put(file, text);
    const found = await findClientFiles(machine);
    expect(found.failures).toEqual([]);
    expect(found.files.map(({ client }) => client?.id)).toEqual([id]);
    const [server] = found.files[0]?.servers ?? [];
    expect(server).toMatchObject({ name: "one", entry: COMMAND, isDisabled: false });
    expect(text.split("\n")[(server?.line ?? 0) - 1]).toMatch(/one|name: one|type: stdio/);
    const shown = JSON.stringify(planTargets(found.files[0] as never, {}).map(({ name, shown: words, at }) => ({ name, words, at })));
    expect(shown).toContain("npx -y some-server");
    expect(shown).not.toContain("s3cr3t");
  });

  it.each([
    ["url", '{ "url": "https://example.com/mcp", "headers": { "X-A": "b" } }'],
    ["httpUrl", '{ "httpUrl": "https://example.com/mcp", "headers": { "X-A": "b" } }'],
    ["serverUrl", '{ "serverUrl": "https://example.com/mcp", "headers": { "X-A": "b" } }'],
    ["transport", '{ "transport": { "type": "http", "url": "https://example.com/mcp", "headers": { "X-A": "b" } } }'],
    ["upstream of our own", '{ "upstream": { "url": "https://example.com/mcp", "headers": { "X-A": "b" } } }'],
  ])("an address under %s", async (_, entry) => {
    const machine = makeMachine();
    machine.put(".cursor/mcp.json", JSON_OF("mcpServers", entry));
    const found = await findClientFiles(machine);
    expect(found.files[0]?.servers[0]?.entry).toEqual({ kind: "url", url: "https://example.com/mcp", headers: { "X-A": "b" } });
  });

  it("tells the two dialects of .mcp.json apart by the key", async () => {
    const machine = makeMachine();
    machine.put("project/.mcp.json", JSON_OF("servers", PLAIN));
    expect((await findClientFiles(machine)).files.map(({ client }) => client?.id)).toEqual(["visual-studio"]);
    machine.put("project/.mcp.json", JSON_OF("mcpServers", PLAIN));
    expect((await findClientFiles(machine)).files.map(({ client }) => client?.id)).toEqual(["claude-code"]);
  });

  it("reads projects inside of one file, and Codex' named variables", async () => {
    const machine = makeMachine({ HUB: "from the environment" });
    machine.put(".claude.json", `{"mcpServers":{"a":${PLAIN}},"projects":{"/srv/x":{"mcpServers":{"b":${PLAIN}}}}}`);
    machine.put(
      ".codex/config.toml",
      '[mcp_servers.hub]\nurl = "https://example.com/mcp"\nbearer_token_env_var = "HUB"\nenabled = false\n',
    );
    const { files } = await findClientFiles(machine);
    expect(files[0]?.servers.map(({ name, project }) => [name, project])).toEqual([
      ["a", undefined],
      ["b", "/srv/x"],
    ]);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the client's own spelling
    expect(files[1]?.servers[0]).toMatchObject({ isDisabled: true, entry: { headers: { Authorization: "Bearer ${HUB}" } } });
  });

  it("says what can't be read, without its text, and goes on", async () => {
    const machine = makeMachine();
    machine.put(".cursor/mcp.json", '{ "mcpServers": { "x": "s3cr3t-value-of-test" ');
    machine.put(".codex/config.toml", "token = s3cr3t-value-of-test = 1");
    machine.put(".continue/config.yaml", "a: [s3cr3t-value-of-test");
    machine.put(".kiro/settings/mcp.json", JSON_OF("mcpServers", PLAIN));
    machine.put(".gemini/settings.json", `${"[".repeat(200_000)}`);
    const { files, failures } = await findClientFiles(machine);
    expect(files.map(({ client }) => client?.id)).toEqual(["kiro"]);
    expect(failures.map(({ at }) => at?.file)).toEqual([
      "~/.cursor/mcp.json",
      "~/.codex/config.toml",
      "~/.gemini/settings.json",
      "~/.continue/config.yaml",
    ]);
    expect(JSON.stringify(failures)).not.toContain("s3cr3t");
  });

  it("does not follow a link out of the home or the project, and waits for no pipe", async () => {
    const machine = makeMachine();
    const outside = path.join(machine.root, "outside");
    mkdirSync(outside);
    writeFileSync(path.join(outside, "mcp.json"), JSON_OF("mcpServers", PLAIN));
    symlinkSync(outside, path.join(machine.home, ".cursor"));
    // A project that leads to the user's own file is no project's file either.
    machine.put(".kiro/settings/mcp.json", JSON_OF("mcpServers", PLAIN));
    symlinkSync(path.join(machine.home, ".kiro"), path.join(machine.folder, ".kiro"));
    machine.put(".lmstudio/x", "");
    execFileSync("mkfifo", [path.join(machine.home, ".lmstudio/mcp.json")]);
    const { files, failures } = await findClientFiles(machine);
    expect(files.map(({ shown }) => shown)).toEqual(["~/.kiro/settings/mcp.json"]);
    expect(failures.map(({ message }) => message)).toEqual([
      "The file is a link that leads elsewhere; it is not read.",
      "The file is a link that leads elsewhere; it is not read.",
      "This is no file.",
    ]);
  });

  it("a named file of nobody knows whom", async () => {
    const machine = makeMachine();
    const file = machine.put("any.json", `{"servers":{"one":${PLAIN}},"mcp":{"two":{}}}`);
    const opened = await openClientFile(machine, file);
    expect("code" in opened ? opened : opened.servers.map(({ name }) => name)).toEqual(["one"]);
    expect(await openClientFile(machine, machine.put("other.json", "{}"))).toMatchObject({ code: "invalid_document" });
    expect(await openClientFile(machine, path.join(machine.home, "none.json"))).toMatchObject({ code: "not_found" });
  });
});
