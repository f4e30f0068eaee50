/**
 * A real gateway in this process whose one server stands behind a port of the test's choosing, such as a front that shows
 * a server of one era as one of the other: the product's own desk, listener and journey around it.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import os from "node:os";
import path from "node:path";
import { createFailureCounter } from "../../src/audit/count-failures.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { createDesk } from "../../src/create-desk.ts";
import { openDataFolder } from "../../src/data-folder.ts";
import { ASK_KINDS } from "../../src/gateway/asks.ts";
import type { Endpoint } from "../../src/gateway/desk.ts";
import { watchHolds } from "../../src/gateway/holds.ts";
import { NO_CAPS } from "../../src/gateway/result-caps.ts";
import { createServedTools } from "../../src/gateway/served-tools.ts";
import { createListener, listen } from "../../src/http-server.ts";
import { revokeGrant } from "../../src/identity/change-grants.ts";
import { createLog } from "../../src/observe/log.ts";
import { loadOperators } from "../../src/policy/operators/registry.ts";
import { listServers } from "../../src/revision/server.ts";
import { syncConfig } from "../../src/sync-config.ts";
import { createAddressGuard } from "../../src/upstream/address-guard.ts";
import { createHttpUpstream, type HttpUpstream } from "../../src/upstream/http-upstream.ts";
import { listServerTools } from "../../src/upstream/list-tools.ts";
import type { LogEntry } from "../support/gateway.ts";

export interface BridgedGateway<Port extends HttpUpstream> {
  readonly url: URL;
  readonly port: Port;
  readonly said: readonly string[];
  readLog(): Promise<readonly LogEntry[]>;
  revoke(label: string): Promise<void>;
  stop(): Promise<void>;
}

export interface BridgedOptions<Port extends HttpUpstream> {
  /** The server's own address. */
  readonly server: string;
  readonly policy: unknown;
  /** Label → token. */
  readonly grants: Readonly<Record<string, string>>;
  readonly open: (upstream: HttpUpstream) => Port;
}

export const CLIENT_INFO = { name: "sallyport", version: "0.0.0" } as const;

export function openLoopback(url: string): HttpUpstream {
  return createHttpUpstream({
    url,
    headers: {},
    guard: createAddressGuard({ allow: ["127.0.0.1/32"], resolve: () => Promise.resolve(["127.0.0.1"]) }),
  });
}

export async function startBridgedGateway<Port extends HttpUpstream>(options: BridgedOptions<Port>): Promise<BridgedGateway<Port>> {
  await loadOperators();
  const dir = mkdtempSync(path.join(os.tmpdir(), "sallyport-bridged-"));
  const file = path.join(dir, "sallyport.json");
  const grants = Object.entries(options.grants).map(([label, token]) => [
    label,
    { servers: { behind: "all" }, token, identity: `${label}@example.com` },
  ]);
  const config = {
    servers: { behind: { upstream: { url: options.server }, network: { allow: ["127.0.0.1/32"] }, meta: ["example.com/kept"] } },
    policies: { all: { server: "behind", document: options.policy } },
    grants: Object.fromEntries(grants),
  };
  writeFileSync(file, JSON.stringify(config));
  const loaded = await loadConfig({ file, env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failures));
  const folder = await openDataFolder({ dir, env: {} });
  const synced = await syncConfig(folder, loaded.value);
  if (!synced.ok) throw new Error(JSON.stringify(synced.failures));
  await folder.access.look();
  const said: string[] = [];
  const log = createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() });
  const desk = createDesk(folder, folder.access, log);
  const failures = createFailureCounter({ clock: folder.clock, store: folder.store, audit: folder.audit });
  const record = (await listServers(folder.store.query)).find(({ name }) => name === "behind");
  if (!record) throw new Error("the server is not there");
  const direct = openLoopback(options.server);
  const port = options.open(openLoopback(options.server));
  const tools = createServedTools({
    store: folder.store,
    serverId: record.id,
    mode: "accept",
    classes: {},
    now: () => folder.clock.now(),
    list: () => listServerTools({ upstream: direct, clientInfo: CLIENT_INFO, nowMs: folder.clock.now() }),
    onObserved: () => undefined,
    onFailed: (message) => void said.push(message),
  });
  const endpoint: Endpoint = {
    id: record.id,
    name: "behind",
    upstream: port,
    tools,
    scan: undefined,
    extraMeta: ["example.com/kept"],
    recordsValues: false,
    results: NO_CAPS,
    asks: { kinds: new Set(ASK_KINDS), label: undefined },
  };
  await tools.sync(folder.access.version);
  await tools.refresh();
  const endpoints = new Map([["behind", endpoint]]);
  const unwatch = watchHolds(desk.holds, desk.sessions, folder.access, () => folder.clock.now());
  const hosts = new Set(["127.0.0.1"]);
  const listener: Server = createListener({ desk, gate: { hosts, endpoints }, failures }, async () => undefined, []);
  const at = await listen(listener, "127.0.0.1", 0);
  return {
    url: new URL(`http://127.0.0.1:${at}/mcp/behind`),
    port,
    said,
    async readLog() {
      const page = await searchEntries(folder.store, {}, { limit: 1000 });
      return page.entries.map(({ line }) => JSON.parse(line) as LogEntry).reverse();
    },
    async revoke(label) {
      const done = await folder.store.write((batch) => revokeGrant(batch, label, { by: "test", nowMs: folder.clock.now() }));
      if (!done.ok) throw new Error(JSON.stringify(done.failures));
    },
    async stop() {
      unwatch();
      desk.holds.closeAll();
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      listener.closeAllConnections();
      await closed;
      await port.close();
      await direct.close();
      await folder.store.write(async () => undefined);
      await folder.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
