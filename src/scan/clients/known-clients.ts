/**
 * The clients whose configurations are known. A table, and nothing that reads or writes; what a client's file holds
 * beyond it is left alone.
 */
import path from "node:path";
import { type Json, toJson } from "../../kernel/json.ts";
import type { Client, CommandEntry, GatewayEntry, Machine } from "./client.ts";

const CHECKED = "2026-11-22";

/** Where applications keep their settings. */
function settingsFolder({ platform, home, env }: Machine): string {
  if (platform === "darwin") return path.join(home, "Library", "Application Support");
  if (platform === "win32") return env["APPDATA"] ?? path.join(home, "AppData", "Roaming");
  return env["XDG_CONFIG_HOME"] ?? path.join(home, ".config");
}

/** Where programs of the command line keep them. */
function dotConfig({ home, env, platform }: Machine): string {
  return platform === "win32" ? path.join(home, ".config") : (env["XDG_CONFIG_HOME"] ?? path.join(home, ".config"));
}

const bearer = (reference: string): Json => ({ Authorization: `Bearer ${reference}` });
const plainCommand = ({ command, args, env }: CommandEntry): Json => toJson({ command, args, env });
const typedCommand = ({ command, args, env }: CommandEntry): Json => toJson({ type: "stdio", command, args, env });
const remote =
  (reference: (name: string) => string, more: Readonly<Record<string, Json>> = {}, key = "url") =>
  ({ url, tokenVariable }: GatewayEntry): Json =>
    toJson({ ...more, [key]: url, headers: bearer(reference(tokenVariable)) });

const braces = (name: string): string => `\${${name}}`;
const envBraces = (name: string): string => `\${env:${name}}`;
const dollar = (name: string): string => `$${name}`;
const openCodeBraces = (name: string): string => `{env:${name}}`;

const codeFolder = (machine: Machine): string => path.join(settingsFolder(machine), "Code", "User");

export const CLIENTS: readonly Client[] = [
  {
    id: "claude-desktop",
    title: "Claude Desktop",
    checked: CHECKED,
    format: "json",
    userFiles: (machine) => [path.join(settingsFolder(machine), "Claude", "claude_desktop_config.json")],
    projectFiles: [],
    keys: [["mcpServers"]],
    // Its file takes commands alone.
    remote: undefined,
    command: plainCommand,
  },
  {
    id: "claude-code",
    title: "Claude Code",
    checked: CHECKED,
    format: "json",
    userFiles: ({ home, env }) => [path.join(env["CLAUDE_CONFIG_DIR"] ?? home, ".claude.json")],
    projectFiles: [".mcp.json"],
    keys: [["mcpServers"], ["projects", "*", "mcpServers"]],
    remote: remote(braces, { type: "http" }),
    command: typedCommand,
  },
  {
    id: "cursor",
    title: "Cursor",
    checked: CHECKED,
    format: "json",
    userFiles: ({ home }) => [path.join(home, ".cursor", "mcp.json")],
    projectFiles: [".cursor/mcp.json"],
    keys: [["mcpServers"]],
    remote: remote(envBraces),
    command: plainCommand,
  },
  {
    id: "vscode",
    title: "VS Code",
    checked: CHECKED,
    format: "json",
    userFiles: (machine) => [path.join(codeFolder(machine), "mcp.json"), path.join(codeFolder(machine), "settings.json")],
    projectFiles: [".vscode/mcp.json"],
    keys: [["servers"], ["mcp", "servers"]],
    remote: remote(envBraces, { type: "http" }),
    command: typedCommand,
  },
  {
    id: "visual-studio",
    title: "Visual Studio",
    checked: CHECKED,
    format: "json",
    userFiles: ({ home }) => [path.join(home, ".mcp.json")],
    projectFiles: [".mcp.json"],
    keys: [["servers"]],
    remote: undefined,
    command: typedCommand,
  },
  {
    id: "windsurf",
    title: "Windsurf",
    checked: CHECKED,
    format: "json",
    userFiles: ({ home }) => [path.join(home, ".codeium", "windsurf", "mcp_config.json")],
    projectFiles: [],
    keys: [["mcpServers"]],
    remote: remote(envBraces, {}, "serverUrl"),
    command: plainCommand,
  },
  {
    id: "codex",
    title: "Codex",
    checked: CHECKED,
    format: "toml",
    userFiles: ({ home, env }) => [path.join(env["CODEX_HOME"] ?? path.join(home, ".codex"), "config.toml")],
    projectFiles: [".codex/config.toml"],
    keys: [["mcp_servers"]],
    remote: ({ url, tokenVariable }) => toJson({ url, bearer_token_env_var: tokenVariable }),
    command: plainCommand,
  },
  {
    id: "gemini",
    title: "Gemini CLI",
    checked: CHECKED,
    format: "json",
    userFiles: ({ home }) => [path.join(home, ".gemini", "settings.json")],
    projectFiles: [".gemini/settings.json"],
    keys: [["mcpServers"]],
    bareVariables: true,
    remote: remote(dollar, {}, "httpUrl"),
    command: plainCommand,
  },
  {
    id: "zed",
    title: "Zed",
    checked: CHECKED,
    format: "json",
    userFiles: (machine) => [
      machine.platform === "win32"
        ? path.join(settingsFolder(machine), "Zed", "settings.json")
        : path.join(dotConfig(machine), "zed", "settings.json"),
    ],
    projectFiles: [".zed/settings.json"],
    keys: [["context_servers"]],
    remote: undefined,
    command: plainCommand,
  },
  {
    id: "opencode",
    title: "OpenCode",
    checked: CHECKED,
    format: "json",
    userFiles: (machine) => ["opencode.json", "opencode.jsonc"].map((name) => path.join(dotConfig(machine), "opencode", name)),
    projectFiles: ["opencode.json", "opencode.jsonc"],
    keys: [["mcp"]],
    remote: remote(openCodeBraces, { type: "remote" }),
    command: ({ command, args, env }) => toJson({ type: "local", command: [command, ...args], environment: env }),
  },
  {
    id: "crush",
    title: "Crush",
    checked: CHECKED,
    format: "json",
    userFiles: (machine) => [path.join(dotConfig(machine), "crush", "crush.json")],
    projectFiles: [".crush.json", "crush.json"],
    keys: [["mcp"]],
    bareVariables: true,
    remote: remote(dollar, { type: "http" }),
    command: typedCommand,
  },
  {
    id: "kiro",
    title: "Kiro",
    checked: CHECKED,
    format: "json",
    userFiles: ({ home }) => [path.join(home, ".kiro", "settings", "mcp.json")],
    projectFiles: [".kiro/settings/mcp.json"],
    keys: [["mcpServers"]],
    remote: remote(braces),
    command: plainCommand,
  },
  {
    id: "cline",
    title: "Cline",
    checked: CHECKED,
    format: "json",
    userFiles: (machine) => [
      path.join(codeFolder(machine), "globalStorage", "saoudrizwan.claude-dev", "settings", "cline_mcp_settings.json"),
    ],
    projectFiles: [],
    keys: [["mcpServers"]],
    remote: undefined,
    command: plainCommand,
  },
  {
    id: "lm-studio",
    title: "LM Studio",
    checked: CHECKED,
    format: "json",
    userFiles: ({ home }) => [path.join(home, ".lmstudio", "mcp.json")],
    projectFiles: [],
    keys: [["mcpServers"]],
    remote: undefined,
    command: plainCommand,
  },
  {
    id: "amazon-q",
    title: "Amazon Q",
    checked: CHECKED,
    format: "json",
    userFiles: ({ home }) => [path.join(home, ".aws", "amazonq", "mcp.json")],
    projectFiles: [".amazonq/mcp.json"],
    keys: [["mcpServers"]],
    remote: undefined,
    command: plainCommand,
  },
  {
    id: "continue",
    title: "Continue",
    checked: CHECKED,
    format: "yaml",
    userFiles: ({ home }) => [path.join(home, ".continue", "config.yaml")],
    projectFiles: [],
    keys: [["mcpServers"]],
    remote: undefined,
    command: plainCommand,
  },
  {
    id: "goose",
    title: "Goose",
    checked: CHECKED,
    format: "yaml",
    userFiles: (machine) => [
      machine.platform === "win32"
        ? path.join(settingsFolder(machine), "Block", "goose", "config", "config.yaml")
        : path.join(dotConfig(machine), "goose", "config.yaml"),
    ],
    projectFiles: [],
    keys: [["extensions"]],
    remote: undefined,
    command: ({ command, args, env }) => toJson({ type: "stdio", cmd: command, args, envs: env }),
  },
];

/** Keys under which any client keeps its servers, for a file of which nobody said whose it is. */
export const ANY_KEYS: readonly (readonly string[])[] = [
  ["mcpServers"],
  ["servers"],
  ["context_servers"],
  ["mcp_servers"],
  ["mcp", "servers"],
  ["mcp"],
  ["extensions"],
  ["projects", "*", "mcpServers"],
];

export function findClient(id: string): Client | undefined {
  return CLIENTS.find((client) => client.id === id);
}
