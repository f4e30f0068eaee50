/** Several gateways as processes of their own, each with a data folder of its own, on one PostgreSQL and one server. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { onTestFinished } from "vitest";
import { makeFolder, type Running, runProgram, startProgram } from "./program.ts";
import { type HeaderList, type RawAnswer, sendHttp } from "./raw-http.ts";
import { type RawUpstream, type RawUpstreamOptions, startRawUpstream } from "./raw-upstream.ts";

export const FILE_TOKEN = "the-token-from-the-file-1";

export interface Replica {
  readonly running: Running;
  readonly port: number;
  call(name: string, args?: string, token?: string): Promise<RawAnswer>;
  ask(body: string, token?: string, headers?: HeaderList): Promise<RawAnswer>;
  get(path: string): Promise<RawAnswer>;
}

export interface Replicas {
  readonly folder: string;
  readonly config: string;
  readonly policy: string;
  readonly upstream: RawUpstream;
  readonly all: readonly Replica[];
  /** One more, on a data folder of that name. */
  start(name: string, env?: Readonly<Record<string, string>>): Promise<Replica>;
  /** A command of the program on the same store; gives what it printed. */
  command(...args: string[]): Promise<string>;
}

export interface ReplicasOptions extends RawUpstreamOptions {
  readonly url: string;
  readonly policy: object;
  readonly count?: number;
  /** Further parts of the configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Further parts of the server's entry. */
  readonly server?: Readonly<Record<string, unknown>>;
  /** What the environment of the gateway with that number says besides. */
  readonly envOf?: (index: number) => Readonly<Record<string, string>>;
}

export async function startReplicas(options: ReplicasOptions): Promise<Replicas> {
  const folder = makeFolder();
  const upstream = await startRawUpstream(options);
  onTestFinished(() => upstream.stop());
  const [config, policy] = [path.join(folder, "sallyport.json"), path.join(folder, "policy.json")];
  const env: Record<string, string> = {
    ...options.envOf?.(0),
    SALLYPORT_MASTER_KEY: randomBytes(32).toString("base64"),
    STORE_URL: options.url,
  };
  writeFileSync(policy, JSON.stringify(options.policy));
  const document = {
    store: { url: "${STORE_URL}" },
    servers: { alpha: { upstream: { url: upstream.url }, network: { allow: ["127.0.0.1/32"] }, ...options.server } },
    policies: { standard: { server: "alpha", file: "./policy.json" } },
    grants: { filed: { server: "alpha", policy: "standard", identity: "filed@example.com", token: FILE_TOKEN } },
    ...options.config,
  };
  writeFileSync(config, JSON.stringify(document, null, 2));

  async function start(name: string, more: Readonly<Record<string, string>> = {}): Promise<Replica> {
    const args = ["start", "--config", config, "--data", path.join(folder, name), "--port", "0"];
    const running = startProgram(args, { cwd: folder, env: { ...env, ...more } });
    const [, said] = await running.says(/gateway\s+http:\/\/127\.0\.0\.1:(\d+)/);
    const port = Number(said);
    const ask = (body: string, token = FILE_TOKEN, headers: HeaderList = []): Promise<RawAnswer> =>
      sendHttp(port, {
        path: "/mcp/alpha",
        headers: [
          ["Host", `127.0.0.1:${port}`],
          ["Authorization", `Bearer ${token}`],
          ["Content-Type", "application/json"],
          ["Connection", "close"],
          ...headers,
        ],
        body,
      });
    return {
      running,
      port,
      ask,
      call: (tool, given = "{}", token) =>
        ask(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${JSON.stringify(tool)},"arguments":${given}}}`, token),
      get: (target) =>
        sendHttp(port, {
          method: "GET",
          path: target,
          headers: [
            ["Host", "any"],
            ["Connection", "close"],
          ],
        }),
    };
  }

  const all = await Promise.all(Array.from({ length: options.count ?? 2 }, (_, index) => start(`data-${index}`, options.envOf?.(index))));
  return {
    folder,
    config,
    policy,
    upstream,
    all,
    start,
    async command(...args) {
      const ended = await runProgram([...args, "--config", config, "--data", path.join(folder, "data-0")], { cwd: folder, env });
      if (ended.code !== 0) throw new Error(`\`${args.join(" ")}\` ended with ${ended.code}:\n${ended.err}`);
      return ended.out;
    },
  };
}
