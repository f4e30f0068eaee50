/**
 * The calls of a storm: callers that never rest, each call with a number of its own that the server and the log see too,
 * and everything that was asked, arrived and answered, with times of one machine.
 */
import { codeOf } from "../gateway-process.ts";
import { sendHttp } from "../raw-http.ts";
import type { Respond } from "../raw-upstream.ts";
import type { Chance } from "./seed.ts";

const MAX_REST_MS = 60;
/** Every third call of this tool fails, and is given back. */
export const FAILING_TOOL = "tried";
const FAILED = '{"resultType":"complete","isError":true,"content":[{"type":"text","text":"no"}]}';

export interface Asked {
  readonly number: number;
  readonly tool: string;
  readonly grant: string;
  /** The process that was asked; each start of a gateway is another one. */
  readonly gateway: number;
  readonly startedMs: number;
  told: string;
}

export interface Reached {
  readonly number: number;
  readonly tool: string;
  readonly atMs: number;
  readonly failed: boolean;
}

export interface Target {
  /** Undefined: it is not there just now. */
  place(): { readonly port: number; readonly gateway: number } | undefined;
}

export interface Load {
  readonly asked: readonly Asked[];
  readonly reached: readonly Reached[];
  readonly respond: Respond;
  /** Calls, one after the other, until the stop. */
  run(target: Target, tools: readonly string[], chance: Chance): Promise<void>;
  call(target: Target, tool: string, grant: string): Promise<Asked | undefined>;
  stop(): void;
}

export function createLoad(tokens: ReadonlyMap<string, string>): Load {
  const asked: Asked[] = [];
  const reached: Reached[] = [];
  const state = { isOver: false };

  async function call(target: Target, tool: string, grant: string): Promise<Asked | undefined> {
    const place = target.place();
    if (!place) return undefined;
    const { port, gateway } = place;
    const one: Asked = { number: asked.length + 1, tool, grant, gateway, startedMs: Date.now(), told: "nothing" };
    asked.push(one);
    const params = { name: tool, arguments: { number: one.number } };
    try {
      const answer = await sendHttp(port, {
        path: "/mcp/alpha",
        headers: [
          ["Host", `127.0.0.1:${port}`],
          ["Authorization", `Bearer ${tokens.get(grant) ?? ""}`],
          ["Content-Type", "application/json"],
          ["Connection", "close"],
        ],
        body: JSON.stringify({ jsonrpc: "2.0", id: one.number, method: "tools/call", params }),
      });
      one.told = codeOf(answer);
    } catch {
      one.told = "cut";
    }
    return one;
  }

  return {
    asked,
    reached,
    respond: (_arrived, message) => {
      if (message.method !== "tools/call") return undefined;
      const { name, arguments: args } = message.params as { name: string; arguments: { number: number } };
      const failed = name === FAILING_TOOL && args.number % 3 === 0;
      reached.push({ number: args.number, tool: name, atMs: Date.now(), failed });
      return failed ? { result: FAILED } : undefined;
    },
    call,
    async run(target, tools, chance) {
      while (!state.isOver) {
        await call(target, chance.pick(tools), chance.pick([...tokens.keys()]));
        await new Promise((resolve) => setTimeout(resolve, chance.between(1, MAX_REST_MS)));
      }
    },
    stop: () => void (state.isOver = true),
  };
}
