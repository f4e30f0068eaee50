/**
 * The servers of the matrix: one row each, with the names of what it has. A feature that a row does not name is one that
 * the server lacks, and is asked of nobody.
 */
import path from "node:path";
import { startFixture } from "../../conformance/fixture/start-fixture.ts";
import { startEverything } from "../everything.ts";
import type { Listening } from "../listen.ts";

export interface ToolUse {
  readonly name: string;
  readonly args?: Readonly<Record<string, unknown>>;
  /** What its text holds. */
  readonly says?: string;
}

export interface Offer {
  readonly tools: ToolUse;
  /** A tool that the policy of the matrix denies. */
  readonly denial: string;
  readonly progress?: ToolUse & { readonly steps: number };
  readonly errors?: ToolUse;
  readonly resources?: string;
  /** A URI of one of its templates. */
  readonly templates?: string;
  readonly prompts?: string;
  readonly completion?: { readonly prompt: string; readonly argument: string };
  readonly elicitation?: ToolUse;
  readonly sampling?: ToolUse;
  readonly roots?: ToolUse;
  /** A tool that makes its server say that its tools changed. */
  readonly changes?: string;
}

interface MatrixRow {
  readonly name: string;
  readonly over: "HTTP" | "HTTP+SSE" | "stdio";
  readonly offer: Offer;
}

/** A server that the test starts, or one that the gateway does. */
export type MatrixServer = MatrixRow & ({ start(): Promise<Listening> } | { readonly upstream: Readonly<Record<string, unknown>> });

const MODULES = path.resolve(import.meta.dirname, "../../../node_modules/@modelcontextprotocol");

/** A process for each session, so that the server can ask its client. */
function byCommand(name: string, ...args: string[]): { readonly upstream: Readonly<Record<string, unknown>> } {
  const script = path.join(MODULES, name, "dist/index.js");
  return { upstream: { command: process.execPath, args: [script, ...args], process: "session" } };
}

const FIXTURE: Offer = {
  tools: { name: "test_simple_text", says: "This is a simple text response" },
  denial: "test_image_content",
  progress: { name: "test_tool_with_progress", steps: 3 },
  errors: { name: "test_error_handling", says: "intentionally returns an error" },
  resources: "test://static-text",
  templates: "test://template/7/data",
  prompts: "test_simple_prompt",
  completion: { prompt: "test_prompt_with_arguments", argument: "arg1" },
  elicitation: { name: "test_elicitation", args: { message: "Who?" } },
  sampling: { name: "test_sampling", args: { prompt: "Say." } },
  roots: { name: "test_input_required_result_list_roots" },
  changes: "test_trigger_tool_change",
};

const EVERYTHING: Offer = {
  tools: { name: "echo", args: { message: "hi" }, says: "Echo: hi" },
  denial: "get-env",
  progress: { name: "trigger-long-running-operation", args: { duration: 0.2, steps: 3 }, steps: 3 },
  resources: "demo://resource/static/document/features.md",
  templates: "demo://resource/dynamic/text/1",
  prompts: "simple-prompt",
  completion: { prompt: "completable-prompt", argument: "department" },
  elicitation: { name: "trigger-elicitation-request" },
  sampling: { name: "trigger-sampling-request", args: { prompt: "say", maxTokens: 10 } },
  roots: { name: "get-roots-list" },
};

export const SERVERS: readonly MatrixServer[] = [
  {
    name: "server-everything",
    over: "HTTP",
    start: startEverything,
    offer: EVERYTHING,
  },
  { name: "fixture up to 2025-11-25", over: "HTTP", start: () => startFixture("legacy"), offer: FIXTURE },
  { name: "fixture of 2026-07-28", over: "HTTP", start: () => startFixture("modern"), offer: FIXTURE },
  { name: "fixture of both", over: "HTTP", start: () => startFixture("dual"), offer: FIXTURE },
  { name: "server-everything", over: "stdio", ...byCommand("server-everything", "stdio"), offer: EVERYTHING },
  {
    name: "server-filesystem",
    over: "stdio",
    ...byCommand("server-filesystem", import.meta.dirname),
    offer: {
      tools: { name: "list_directory", args: { path: import.meta.dirname }, says: "servers.ts" },
      denial: "write_file",
      errors: { name: "read_text_file", args: { path: "/etc/hosts" }, says: "outside allowed directories" },
    },
  },
  {
    name: "server-memory",
    over: "stdio",
    ...byCommand("server-memory"),
    offer: { tools: { name: "search_nodes", args: { query: "nobody" }, says: "entities" }, denial: "delete_entities" },
  },
];
