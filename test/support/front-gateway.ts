/**
 * A real gateway for tests whose servers are seen through the legacy front: the rooms of the product, joined as its own
 * start joins them, with the front put between the journey and each server's connection.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createFailureCounter } from "../../src/audit/count-failures.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { createDesk } from "../../src/create-desk.ts";
import { openDataFolder } from "../../src/data-folder.ts";
import { watchHolds } from "../../src/gateway/holds.ts";
import { createListener, listen } from "../../src/http-server.ts";
import { createLog } from "../../src/observe/log.ts";
import { loadOperators } from "../../src/policy/operators/registry.ts";
import { EndpointTable } from "../../src/serve-endpoints.ts";
import { syncConfig } from "../../src/sync-config.ts";
import type { LegacyFrontBounds } from "../../src/upstream/legacy-front/bounds.ts";
import { createLegacyFront } from "../../src/upstream/legacy-front.ts";
import { ConnectionDesk } from "../../src/upstream/oauth/connection-desk.ts";
import type { LogEntry } from "./gateway.ts";
import { waitUntil } from "./gateway.ts";

export interface FrontGateway {
  readonly said: readonly string[];
  addressOf(server: string): URL;
  readLog(): Promise<readonly LogEntry[]>;
  stop(): Promise<void>;
}

export interface FrontGatewayOptions {
  /** Name → address. */
  readonly servers: Readonly<Record<string, string>>;
  /** Of every server. */
  readonly policy: Readonly<Record<string, unknown>>;
  readonly tokens: Readonly<Record<string, string>>;
  readonly bounds?: Partial<LegacyFrontBounds>;
}

export async function startFrontGateway(options: FrontGatewayOptions): Promise<FrontGateway> {
  await loadOperators();
  const dataDir = mkdtempSync(path.join(os.tmpdir(), "sallyport-front-"));
  const file = path.join(dataDir, "sallyport.json");
  writeFileSync(file, printConfig(options));
  const loaded = await loadConfig({ file, env: {} });
  if (!loaded.ok) throw new Error(loaded.failures.map(({ message }) => message).join(" "));
  const folder = await openDataFolder({ dir: dataDir, env: {}, config: loaded.value });
  const said: string[] = [];
  const log = createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() });
  const synced = await syncConfig(folder, loaded.value);
  if (!synced.ok) throw new Error(synced.failures.map(({ message }) => message).join(" "));
  const connections = new ConnectionDesk({
    store: folder.store,
    openKeyring: folder.openKeyring,
    now: () => folder.clock.now(),
    baseUrl: () => "http://127.0.0.1",
    record: () => undefined,
    tell: () => undefined,
  });
  const table = new EndpointTable({ folder, version: "0.0.0", log, env: {}, connections });
  await folder.access.look();
  await table.apply(loaded.value.servers);
  const fronts = Object.keys(options.servers).map((name) => {
    const endpoint = table.endpoints.get(name);
    if (!endpoint) throw new Error(`no server ${name}`);
    const front = createLegacyFront({
      upstream: endpoint.upstream,
      clientInfo: { name: "sallyport", version: "0.0.0" },
      paramHeadersOf: (tool) => endpoint.tools.current()?.tools.get(tool)?.paramHeaders ?? [],
      onDropped: (reason) => void said.push(`The front dropped a message: ${reason}.`),
      bounds: options.bounds,
    });
    const fronted = { ...endpoint, tools: endpoint.tools, upstream: front };
    table.endpoints.set(endpoint.id, fronted);
    table.endpoints.set(endpoint.name, fronted);
    return front;
  });
  const desk = createDesk(folder, folder.access, log);
  const failures = createFailureCounter({ clock: folder.clock, store: folder.store, audit: folder.audit });
  const stopHolds = watchHolds(desk.holds, desk.sessions, folder.access, () => folder.clock.now());
  const server = createListener(
    { desk, gate: { hosts: new Set(["127.0.0.1"]), endpoints: table.endpoints }, failures },
    async () => undefined,
    [],
  );
  const port = await listen(server, "127.0.0.1", 0);
  await waitUntil(() => Object.keys(options.servers).every((name) => said.some((line) => line.includes(`\`${name}\``))));
  return {
    said,
    addressOf: (name) => new URL(`http://127.0.0.1:${port}/mcp/${name}`),
    async readLog() {
      const { entries } = await searchEntries(folder.store, {}, { limit: 1000 });
      return entries.map(({ line }) => JSON.parse(line) as LogEntry).reverse();
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      stopHolds();
      await Promise.all(fronts.map((front) => front.close()));
      await folder.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function printConfig({ servers, policy, tokens }: FrontGatewayOptions): string {
  const names = Object.keys(servers);
  const entries = Object.entries(servers).map(([name, url]) => [
    name,
    { upstream: { url }, network: { allow: ["127.0.0.1/32"] }, asks: ["sampling", "elicitation", "roots"] },
  ]);
  const policies = names.map((name) => [name, { server: name, document: { version: "1", default: "allow", ...policy } }]);
  const allowed = Object.fromEntries(names.map((name) => [name, name]));
  const grants = Object.entries(tokens).map(([label, token]) => [label, { servers: allowed, token, identity: `${label}@example.com` }]);
  return JSON.stringify({
    servers: Object.fromEntries(entries),
    policies: Object.fromEntries(policies),
    grants: Object.fromEntries(grants),
  });
}
