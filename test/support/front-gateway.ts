/**
 * A real gateway in this process whose one server stands behind a front of the test's choosing: the rooms of the product,
 * joined as its own start joins them, with the front put between the journey and the server's connection.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createFailureCounter } from "../../src/audit/count-failures.ts";
import { searchEntries } from "../../src/audit/search.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { createDesk } from "../../src/create-desk.ts";
import { type DataFolder, openDataFolder } from "../../src/data-folder.ts";
import { ASK_KINDS } from "../../src/gateway/asks.ts";
import type { Endpoint } from "../../src/gateway/desk.ts";
import { watchHolds } from "../../src/gateway/holds.ts";
import { createListener, listen } from "../../src/http-server.ts";
import { revokeGrant } from "../../src/identity/change-grants.ts";
import { createLog, type Log } from "../../src/observe/log.ts";
import { loadOperators } from "../../src/policy/operators/registry.ts";
import { EndpointTable } from "../../src/serve-endpoints.ts";
import { syncConfig } from "../../src/sync-config.ts";
import { createAddressGuard } from "../../src/upstream/address-guard.ts";
import { createHttpUpstream, type HttpUpstream } from "../../src/upstream/http-upstream.ts";
import type { LegacyFrontBounds } from "../../src/upstream/legacy-front/bounds.ts";
import { createLegacyFront } from "../../src/upstream/legacy-front.ts";
import { ConnectionDesk } from "../../src/upstream/oauth/connection-desk.ts";
import type { LogEntry } from "./gateway.ts";
import { waitUntil } from "./gateway.ts";

export const CLIENT_INFO = { name: "sallyport", version: "0.0.0" } as const;
const SERVER = "behind";

export interface FrontGateway<Front extends HttpUpstream> {
  readonly url: URL;
  readonly front: Front;
  readonly said: readonly string[];
  readLog(): Promise<readonly LogEntry[]>;
  revoke(label: string): Promise<void>;
  stop(): Promise<void>;
}

/** What a front is made of: the connection to the server, what is known of its tools, and who is told what it drops. */
export interface FrontParts {
  readonly upstream: HttpUpstream;
  readonly tools: Endpoint["tools"];
  readonly onDropped: (reason: string) => void;
}

export interface FrontGatewayOptions<Front extends HttpUpstream> {
  /** The server's own address. */
  readonly server: string;
  /** Over what allows everything. */
  readonly policy: Readonly<Record<string, unknown>>;
  /** Label → token. */
  readonly grants: Readonly<Record<string, string>>;
  /** What stands before a server's own words when it asks the person; left out: nothing. */
  readonly label?: string;
  readonly open: (parts: FrontParts) => Front;
}

/** For `open`: a modern server as a legacy one. */
export function openLegacyFront(bounds: Partial<LegacyFrontBounds> = {}): (parts: FrontParts) => ReturnType<typeof createLegacyFront> {
  return ({ upstream, tools, onDropped }) =>
    createLegacyFront({
      upstream,
      clientInfo: CLIENT_INFO,
      paramHeadersOf: (tool) => tools.current()?.tools.get(tool)?.paramHeaders ?? [],
      onDropped,
      bounds,
    });
}

export async function startFrontGateway<Front extends HttpUpstream>(options: FrontGatewayOptions<Front>): Promise<FrontGateway<Front>> {
  await loadOperators();
  const dataDir = mkdtempSync(path.join(os.tmpdir(), "sallyport-front-"));
  const said: string[] = [];
  const log = createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() });
  const { folder, table } = await openRooms(dataDir, options, log);
  const endpoint = table.endpoints.get(SERVER);
  if (!endpoint) throw new Error("the server is not there");
  const direct = openLoopback(options.server);
  const onDropped = (reason: string): void => void said.push(`The front dropped a message: ${reason}.`);
  const front = options.open({ upstream: direct, tools: endpoint.tools, onDropped });
  const fronted = { ...endpoint, upstream: front, asks: { ...endpoint.asks, label: options.label } };
  table.endpoints.set(endpoint.id, fronted);
  table.endpoints.set(endpoint.name, fronted);
  const desk = createDesk(folder, folder.access, log);
  const failures = createFailureCounter({ clock: folder.clock, store: folder.store, audit: folder.audit });
  const stopHolds = watchHolds(desk.holds, desk.sessions, folder.access, () => folder.clock.now());
  const gate = { hosts: new Set(["127.0.0.1"]), endpoints: table.endpoints };
  const server = createListener({ desk, gate, failures }, async () => undefined, []);
  const port = await listen(server, "127.0.0.1", 0);
  await waitUntil(() => said.some((line) => line.includes(`\`${SERVER}\``)));
  return {
    url: new URL(`http://127.0.0.1:${port}/mcp/${SERVER}`),
    front,
    said,
    async readLog() {
      const { entries } = await searchEntries(folder.store, {}, { limit: 1000 });
      return entries.map(({ line }) => JSON.parse(line) as LogEntry).reverse();
    },
    async revoke(label) {
      const done = await folder.store.write((batch) => revokeGrant(batch, label, { by: "test", nowMs: folder.clock.now() }));
      if (!done.ok) throw new Error(JSON.stringify(done.failures));
    },
    async stop() {
      stopHolds();
      desk.holds.closeAll();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await front.close();
      await Promise.all([direct.close(), table.close()]);
      await folder.store.write(async () => undefined);
      await folder.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function openLoopback(url: string): HttpUpstream {
  const guard = createAddressGuard({ allow: ["127.0.0.1/32"], resolve: () => Promise.resolve(["127.0.0.1"]) });
  return createHttpUpstream({ url, headers: {}, guard });
}

async function openRooms(
  dataDir: string,
  options: Pick<FrontGatewayOptions<HttpUpstream>, "server" | "policy" | "grants">,
  log: Log,
): Promise<{ readonly folder: DataFolder; readonly table: EndpointTable }> {
  const file = path.join(dataDir, "sallyport.json");
  writeFileSync(file, printConfig(options));
  const loaded = await loadConfig({ file, env: {} });
  if (!loaded.ok) throw new Error(loaded.failures.map(({ message }) => message).join(" "));
  const folder = await openDataFolder({ dir: dataDir, env: {}, config: loaded.value });
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
  return { folder, table };
}

function printConfig({ server, policy, grants }: Pick<FrontGatewayOptions<HttpUpstream>, "server" | "policy" | "grants">): string {
  const entry = { upstream: { url: server }, network: { allow: ["127.0.0.1/32"] }, asks: ASK_KINDS, meta: ["example.com/kept"] };
  const labelled = Object.entries(grants).map(([label, token]) => [
    label,
    { servers: { [SERVER]: "all" }, token, identity: `${label}@example.com` },
  ]);
  return JSON.stringify({
    servers: { [SERVER]: entry },
    policies: { all: { server: SERVER, document: { version: "1", default: "allow", ...policy } } },
    grants: Object.fromEntries(labelled),
  });
}
