/** A gateway as a process, in front of a raw server of the test, with one policy file and one grant from the file. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { onTestFinished } from "vitest";
import { makeFolder, type Running, startProgram } from "./program.ts";
import { type RawAnswer, sendHttp } from "./raw-http.ts";
import { type RawUpstream, type RawUpstreamOptions, startRawUpstream } from "./raw-upstream.ts";

export const FILE_TOKEN = "the-token-from-the-file-1";

export interface GatewayProcess {
  readonly folder: string;
  readonly data: string;
  readonly config: string;
  readonly policy: string;
  readonly upstream: RawUpstream;
  running: Running;
  port: number;
  start(...more: string[]): Promise<void>;
  call(name: string, args?: string, token?: string): Promise<RawAnswer>;
  get(path: string): Promise<RawAnswer>;
}

export interface GatewayProcessOptions extends RawUpstreamOptions {
  readonly policy: object;
  readonly config?: Readonly<Record<string, unknown>>;
  /** What it runs within, told its data folder. */
  readonly within?: (data: string) => readonly string[];
}

export async function startGatewayProcess(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const folder = makeFolder();
  const upstream = await startRawUpstream(options);
  onTestFinished(() => upstream.stop());
  const at = { data: path.join(folder, "data"), config: path.join(folder, "sallyport.json"), policy: path.join(folder, "policy.json") };
  writeFileSync(at.policy, JSON.stringify(options.policy));
  const config = {
    servers: { alpha: { upstream: { url: upstream.url }, network: { allow: ["127.0.0.1/32"] } } },
    policies: { standard: { server: "alpha", file: "./policy.json" } },
    grants: { filed: { server: "alpha", policy: "standard", identity: "filed@example.com", token: FILE_TOKEN } },
    ...options.config,
  };
  writeFileSync(at.config, JSON.stringify(config, null, 2));
  const gateway: GatewayProcess = {
    folder,
    ...at,
    upstream,
    running: undefined as never,
    port: 0,
    start: async (...more) => {
      gateway.running = startProgram(["start", "--config", at.config, "--data", at.data, "--port", "0", ...more], {
        cwd: folder,
        ...(options.within ? { within: options.within(at.data) } : {}),
      });
      const [, port] = await gateway.running.says(/gateway\s+http:\/\/127\.0\.0\.1:(\d+)/);
      gateway.port = Number(port);
    },
    call: (name, args = "{}", token = FILE_TOKEN) =>
      sendHttp(gateway.port, {
        path: "/mcp/alpha",
        headers: [
          ["Host", `127.0.0.1:${gateway.port}`],
          ["Authorization", `Bearer ${token}`],
          ["Content-Type", "application/json"],
          ["Connection", "close"],
        ],
        body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${JSON.stringify(name)},"arguments":${args}}}`,
      }),
    get: (target) =>
      sendHttp(gateway.port, {
        method: "GET",
        path: target,
        headers: [
          ["Host", "any"],
          ["Connection", "close"],
        ],
      }),
  };
  await gateway.start();
  return gateway;
}

/** The code of a denial; `passed` where there is none. */
export function codeOf(answer: RawAnswer): string {
  if (answer.status !== 200) return String(answer.status);
  return (
    /"sallyport\/decision":\{"id":"[^"]+","code":"(\w+)"/.exec(answer.text)?.[1] ??
    (answer.text.includes('"isError":true') ? "failed" : "passed")
  );
}

/** Asks again until the answer is the one, or the time is up. */
export async function until<T>(ask: () => Promise<T>, wanted: (value: T) => boolean, timeoutMs = 15_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await ask();
    if (wanted(value) || Date.now() > end) return value;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
