/**
 * Builds every room in order, starts them, and stops them in reverse. One call of `startApp` is one running gateway on
 * one data folder.
 */
import path from "node:path";
import { createFailureCounter } from "./audit/count-failures.ts";
import { startUpkeep } from "./audit/upkeep.ts";
import type { Config } from "./config/config.ts";
import { findDataFolder } from "./config/find-data-folder.ts";
import { loadConfig } from "./config/load-config.ts";
import { watchConfig } from "./config/watch-config.ts";
import { createDesk } from "./create-desk.ts";
import { createLogin } from "./create-login.ts";
import { type DataFolder, type OpenDataFolder, openDataFolder } from "./data-folder.ts";
import { type Demo, startDemo } from "./demo.ts";
import { finishRotation } from "./finish-rotation.ts";
import { watchChanges } from "./gateway/changes.ts";
import type { Desk } from "./gateway/desk.ts";
import { watchHolds } from "./gateway/holds.ts";
import type { Gate } from "./gateway/identify.ts";
import { wordsOf } from "./gateway/spend.ts";
import { createListener, listen } from "./http-server.ts";
import { FailureError, formatFailure } from "./kernel/failure.ts";
import { createMetrics } from "./list-metrics.ts";
import { createExposition } from "./observe/exposition.ts";
import type { Log } from "./observe/log.ts";
import { recordConnection } from "./open-connection.ts";
import { openLimits } from "./open-limits.ts";
import { createConnectPages, type ServePage } from "./pages/connect-pages.ts";
import { loadOperators } from "./policy/operators/registry.ts";
import { createCataloguePages } from "./serve-catalogue.ts";
import { EndpointTable } from "./serve-endpoints.ts";
import { createMetricsPage, readAdminToken } from "./serve-metrics.ts";
import { acquireFolder } from "./store/folder-lock.ts";
import { startSweep } from "./store/once.ts";
import { syncConfig } from "./sync-config.ts";
import { ConnectionDesk } from "./upstream/oauth/connection-desk.ts";
import { VERSION } from "./version.ts";

export const DEFAULT_HOST = "127.0.0.1";
export const DEFAULT_PORT = 8420;
/** How long a stop waits for calls in flight. */
export const DRAIN_TIMEOUT_MS = 20_000;

export interface StartOptions {
  readonly configFile?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly demo?: boolean | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** Opens the data folder; left out: as it is. For programs that measure the gateway without a part of it: no flag leads here. */
  readonly openFolder?: ((options: OpenDataFolder) => Promise<DataFolder>) | undefined;
}

export interface RunningApp {
  readonly url: string;
  readonly dataDir: string;
  readonly demo: Demo | undefined;
  readonly servers: readonly string[];
  /** Lets calls in flight end, then closes everything. Settles when nothing is left. */
  stop(): Promise<void>;
}

type Stopper = () => void | Promise<void>;

export async function startApp(options: StartOptions): Promise<RunningApp> {
  const { env, log } = options;
  const stoppers: Stopper[] = [];
  const stopAll = async (): Promise<void> => {
    for (const stop of stoppers.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        // What can't be ended well must not keep the rest from ending.
        log.error("stop.fault", wordsOf(error));
      }
    }
  };
  try {
    await loadOperators();
    const fromFile = options.configFile === undefined ? undefined : await readConfig(options.configFile, env);
    const dataDir = path.resolve(options.dataDir ?? (options.demo ? ".sallyport" : findDataFolder(env)));
    const lock = acquireFolder(dataDir, { pid: process.pid, nowMs: Date.now() });
    stoppers.push(() => lock.release());
    const opened = await (options.openFolder ?? openDataFolder)({ dir: dataDir, env, config: fromFile });
    stoppers.push(() => opened.close());
    const { limits, close } = await openLimits(opened, fromFile, log);
    stoppers.push(close);
    const folder = { ...opened, limits };
    const demo = options.demo ? await startDemo({ folder, env, log }) : undefined;
    if (demo) stoppers.push(() => demo.stop());
    const config = fromFile ?? demo?.config;
    return await serve({ options, folder, config, demo, stoppers, stopAll });
  } catch (error) {
    await stopAll();
    throw error;
  }
}

async function readConfig(file: string, env: StartOptions["env"]): Promise<Config> {
  const loaded = await loadConfig({ file, env });
  if (!loaded.ok) throw new FailureError(loaded.failures);
  return loaded.value;
}

interface Parts {
  readonly options: StartOptions;
  readonly folder: DataFolder;
  readonly config: Config | undefined;
  readonly demo: Demo | undefined;
  readonly stoppers: Stopper[];
  readonly stopAll: () => Promise<void>;
}

async function serve(parts: Parts): Promise<RunningApp> {
  const { options, folder, config, demo, stoppers, stopAll } = parts;
  const { log, env } = options;
  const adminToken = readAdminToken(env);
  if (config) await putIntoForce(folder, config);
  await demo?.issue();
  let baseUrl = "";
  const connections = new ConnectionDesk({
    store: folder.store,
    openKeyring: folder.openKeyring,
    now: () => folder.clock.now(),
    baseUrl: () => baseUrl,
    record: (batch, server, event) => recordConnection(folder, batch, server, event),
    tell: (level, event, words) => log[level](event, words),
  });
  const table = new EndpointTable({ folder, version: VERSION, log, env, connections });
  stoppers.push(() => table.close());
  await folder.access.look();
  await table.apply(config?.servers ?? []);

  const desk = createDesk(folder, folder.access, log);
  stoppers.push(() => desk.late.stop());
  const failures = createFailureCounter({ clock: folder.clock, store: folder.store, audit: folder.audit });
  const { store, audit, clock } = folder;
  let retention = config?.audit.retention;
  const readRetention = () => retention;
  stoppers.push(startUpkeep({ store, audit, clock, readRetention, onFault: (error) => log.warn("audit.upkeep", wordsOf(error)) }));
  stoppers.push(failures.start());
  stoppers.push(startSweep(folder.store, () => folder.clock.now()));
  stoppers.push(watchHolds(desk.holds, desk.sessions, folder.access, () => folder.clock.now()));
  stoppers.push(watchChanges(desk.changes));
  stoppers.push(() => endSessions(desk));

  const host = options.host ?? config?.listen.host ?? DEFAULT_HOST;
  const hosts = new Set((config?.listen.allowedHosts ?? []).map((name) => name.toLowerCase()));
  if (host !== "0.0.0.0" && host !== "::") hosts.add(host.includes(":") ? `[${host}]` : host.toLowerCase());
  if (config?.listen.publicUrl !== undefined) hosts.add(new URL(config.listen.publicUrl).host.toLowerCase());
  let draining = false;
  const login = createLogin(folder, table.endpoints, log);
  const gate: Gate = {
    hosts,
    endpoints: table.endpoints,
    get signIn() {
      return login.signIn;
    },
  };
  const metrics = createMetrics({ desk, folder, endpoints: table.endpoints });
  stoppers.push(() => metrics.stop());
  const findObstacle = async (): Promise<string | undefined> => {
    if (draining) return "the gateway is stopping";
    try {
      await folder.access.look();
      await desk.recording.probe();
      return folder.limits.findObstacle?.();
    } catch (error) {
      // A failure's words are made to be shown; whatever else was thrown may say more than anybody should read.
      return error instanceof FailureError ? error.message : "the database can't be used";
    }
  };
  const metricsPage = createMetricsPage(createExposition(metrics.families), adminToken, gate);
  const catalogue = createCataloguePages({
    dataDir: folder.dir,
    gate,
    baseUrl: () => baseUrl,
    say: (words) => log.warn("catalogue", words),
  });
  stoppers.push(() => catalogue.stop());
  const pages: ServePage[] = [metricsPage, createConnectPages(connections, gate), catalogue.serve];
  const server = createListener({ desk, gate, failures }, findObstacle, pages);
  stoppers.push(() => recordLife(folder, "stop"));
  await recordLife(folder, "start");
  const shown = host.includes(":") ? `[${host}]` : host;
  const wanted = options.port ?? config?.listen.port ?? DEFAULT_PORT;
  // Before the first request: a client whose good token is refused throws it away.
  if (wanted !== 0) await login.apply(config, `http://${shown}:${wanted}`);
  const port = await listen(server, host, wanted);
  const url = `http://${shown}:${port}`;
  baseUrl = config?.listen.publicUrl?.replace(/\/+$/, "") ?? `http://${host === "0.0.0.0" || host === "::" ? DEFAULT_HOST : shown}:${port}`;
  stoppers.push(connections.start());
  stoppers.push(async () => {
    draining = true;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    if (!(await desk.active.drained(DRAIN_TIMEOUT_MS)))
      log.warn("stop.impatient", "Calls were still under way when the time to wait was over.");
    desk.holds.closeAll();
    setTimeout(() => server.closeAllConnections(), 250).unref();
    await closed;
  });
  await login.apply(config, url);
  void finishRotation(folder, log);
  if (config && options.configFile !== undefined) {
    stoppers.push(
      watchConfig({
        config,
        env,
        file: options.configFile,
        onChange: async (changed) => {
          await putIntoForce(folder, changed);
          await folder.access.look();
          await table.apply(changed.servers);
          await login.apply(changed, url);
          retention = changed.audit.retention;
          log.info("config.reloaded", "The changed configuration is in force.");
        },
        onFailure: (found) => {
          for (const failure of found)
            log.error("config.refused", `${formatFailure(failure).replaceAll(/\n\s*/g, " ")} The configuration in force stays.`);
        },
      }),
    );
  }
  return {
    url,
    dataDir: folder.dir,
    demo,
    servers: [...new Set([...table.endpoints.values()].map((endpoint) => endpoint.name))],
    stop: stopAll,
  };
}

async function putIntoForce(folder: DataFolder, config: Config): Promise<void> {
  const synced = await syncConfig(folder, config);
  if (!synced.ok) throw new FailureError(synced.failures);
}

async function recordLife(folder: DataFolder, kind: "start" | "stop"): Promise<void> {
  await folder.store.write(async (batch) => void folder.audit.append(batch, { kind, detail: { version: VERSION, pid: process.pid } }));
}

/** Sessions end with the process; their servers are not asked, for they may be gone too. */
function endSessions(desk: Desk): void {
  for (const grant of [...desk.sessions.grants()]) for (const session of desk.sessions.ofGrant(grant)) desk.sessions.end(session);
}
