/**
 * The servers of the matrix: one row each, with the names of what it has. A feature that a row does not name is one that
 * the server lacks, and is asked of nobody.
 */
import { startFixture } from "../../conformance/fixture/start-fixture.ts";
import { startEverything } from "../everything.ts";
import type { Listening } from "../listen.ts";
import type { Era } from "./clients.ts";

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

export interface MatrixServer {
  readonly name: string;
  readonly over: "HTTP" | "stdio";
  readonly eras: readonly Era[];
  readonly offer: Offer;
  start(): Promise<Listening>;
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

export const SERVERS: readonly MatrixServer[] = [
  {
    name: "server-everything",
    over: "HTTP",
    eras: ["legacy"],
    start: startEverything,
    offer: {
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
    },
  },
  { name: "fixture up to 2025-11-25", over: "HTTP", eras: ["legacy"], start: () => startFixture("legacy"), offer: FIXTURE },
  { name: "fixture of 2026-07-28", over: "HTTP", eras: ["modern"], start: () => startFixture("modern"), offer: FIXTURE },
  { name: "fixture of both", over: "HTTP", eras: ["legacy", "modern"], start: () => startFixture("dual"), offer: FIXTURE },
];
