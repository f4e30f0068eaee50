/**
 * A whole gateway in this process, in front of raw servers: one data folder, one configuration, and requests written by
 * hand. What it logs, keeps and answers can be looked at afterwards.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type RunningApp, startApp } from "../../src/app.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { type DataFolder, openDataFolder } from "../../src/data-folder.ts";
import { createLog } from "../../src/observe/log.ts";
import { type HeaderList, type RawAnswer, sendHttp } from "./raw-http.ts";
import { type RawUpstream, type RawUpstreamOptions, startRawUpstream } from "./raw-upstream.ts";

export const TOKEN = "the-token-of-the-first-grant";

export interface ServerSetup extends RawUpstreamOptions {
  readonly policy: object | undefined;
  /** Members of its entry in the configuration, besides the address. */
  readonly entry?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** The path and query of its address. */
  readonly path?: string;
}

export interface GatewaySetup {
  readonly servers: Readonly<Record<string, ServerSetup>>;
  /** Besides `TOKEN`, which is the first server's. */
  readonly grants?: Readonly<Record<string, unknown>>;
  readonly grant?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
}

export interface Post {
  readonly server?: string;
  /** null: no credential. */
  readonly token?: string | null;
  readonly headers?: HeaderList;
  readonly contentType?: string | null;
  readonly host?: string | null;
  readonly method?: string;
}

export interface Entry {
  readonly [member: string]: unknown;
  readonly id: string;
  readonly time: string;
  readonly kind: string;
}

export interface RawGateway {
  readonly app: RunningApp;
  readonly port: number;
  readonly dir: string;
  readonly upstreams: Readonly<Record<string, RawUpstream>>;
  /** The first server's. */
  readonly upstream: RawUpstream;
  /** Lines of the program's own log. */
  readonly said: string[];
  /** The data folder, opened a second time, as a command would. */
  folder(): Promise<DataFolder>;
  post(body: string | Uint8Array, how?: Post): Promise<RawAnswer>;
  /** `args` is JSON text. */
  call(name: string, args?: string, how?: Post): Promise<RawAnswer>;
  /** Entries of the log, oldest first. */
  entries(): Promise<Entry[]>;
  /** Entries that come while `act` runs, and until `expected` of them are there. */
  during(act: () => Promise<unknown>, expected?: number): Promise<Entry[]>;
  /** Every byte that is kept on disk, and everything that was said. */
  kept(): Buffer;
  rewriteConfig(change: (config: Record<string, never>) => unknown): void;
  stop(): Promise<void>;
}

export async function startGateway(setup: GatewaySetup): Promise<RawGateway> {
  const dir = mkdtempSync(path.join(tmpdir(), "gateway-test-"));
  const dataDir = path.join(dir, "data");
  const configFile = path.join(dir, "sallyport.json");
  const upstreams: Record<string, RawUpstream> = {};
  const servers: Record<string, unknown> = {};
  const policies: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(setup.servers)) {
    const upstream = await startRawUpstream(one);
    upstreams[name] = upstream;
    const url = `http://127.0.0.1:${upstream.port}${one.path ?? "/mcp"}`;
    servers[name] = { upstream: { url, headers: one.headers ?? {} }, network: { allow: ["127.0.0.1/32"] }, ...one.entry };
    if (one.policy) policies[`${name}-policy`] = { server: name, document: one.policy };
  }
  const first = Object.keys(setup.servers)[0] as string;
  const policy = setup.servers[first]?.policy ? { policy: `${first}-policy` } : {};
  const grants = { first: { server: first, ...policy, identity: "first@example.com", token: TOKEN, ...setup.grant }, ...setup.grants };
  const config = { servers, policies, grants, ...setup.config };
  writeFileSync(configFile, JSON.stringify(config));
  mkdirSync(dataDir);
  const said: string[] = [];
  const log = createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() });
  const app = await startApp({ configFile, dataDir, host: "127.0.0.1", port: 0, env: {}, log });
  const port = Number(new URL(app.url).port);
  let opened: Promise<DataFolder> | undefined;
  let nextId = 1;

  const gateway: RawGateway = {
    app,
    port,
    dir,
    upstreams,
    upstream: upstreams[first] as RawUpstream,
    said,
    folder: () => (opened ??= openDataFolder({ dir: dataDir, env: {} })),
    post: (body, how = {}) => {
      const { server = first, token = TOKEN, host = `127.0.0.1:${port}`, contentType = "application/json" } = how;
      const headers: (readonly [string, string])[] = [];
      if (host !== null) headers.push(["Host", host]);
      if (token !== null) headers.push(["Authorization", `Bearer ${token}`]);
      if (contentType !== null) headers.push(["Content-Type", contentType]);
      headers.push(["Connection", "close"], ...(how.headers ?? []));
      return sendHttp(port, { method: how.method ?? "POST", path: `/mcp/${server}`, headers, body });
    },
    call: (name, args = "{}", how = {}) =>
      gateway.post(
        `{"jsonrpc":"2.0","id":${nextId++},"method":"tools/call","params":{"name":${JSON.stringify(name)},"arguments":${args}}}`,
        how,
      ),
    entries: async () => {
      const { store } = await gateway.folder();
      const all: Entry[] = [];
      for (let before: string | undefined; ; ) {
        const page = await searchEntries(store, {}, { limit: 1000, before });
        all.push(...page.entries.map(({ line }) => JSON.parse(line) as Entry));
        if (page.next === undefined) return all.reverse();
        before = page.next;
      }
    },
    during: async (act, expected = 0) => {
      const before = (await gateway.entries()).length;
      await act();
      for (let round = 0; ; round++) {
        const after = (await gateway.entries()).slice(before);
        if (after.length >= expected || round >= 200) return after;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    kept: () => Buffer.concat([...listFiles(dataDir).map((file) => readFileSync(file)), Buffer.from(said.join(""))]),
    rewriteConfig: (change) => writeFileSync(configFile, JSON.stringify(change(JSON.parse(readFileSync(configFile, "utf8")) as never))),
    stop: async () => {
      await (await opened)?.close();
      await app.stop();
      await Promise.all(Object.values(upstreams).map((upstream) => upstream.stop()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return gateway;
}

function listFiles(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const file = path.join(dir, name);
    return statSync(file).isDirectory() ? listFiles(file) : [file];
  });
}
