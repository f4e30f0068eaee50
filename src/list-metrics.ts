/**
 * Every metric of the gateway, with what it says and where it is read. Labels are servers and fixed words alone. Reading
 * asks no database: what is told is what this process knows.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { DataFolder } from "./data-folder.ts";
import type { Desk, Endpoint } from "./gateway/desk.ts";
import type { Family, Sample } from "./observe/exposition.ts";
import type { ServerMeter, Tallies } from "./observe/meter.ts";
import { TOOL_STATES } from "./upstream/tables.ts";
import { VERSION } from "./version.ts";

const LAG_RESOLUTION_MS = 20;
const NANOSECONDS = 1e9;

interface Watched {
  readonly desk: Desk;
  readonly folder: Pick<DataFolder, "store" | "audit">;
  /** By name and by id. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
}

export interface Metrics {
  readonly families: readonly Family[];
  stop(): void;
}

export function createMetrics({ desk, folder, endpoints }: Watched): Metrics {
  const { meter } = desk;
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  const number = (name: string, type: "counter" | "gauge", help: string, read: () => number): Family => ({
    name,
    type,
    help,
    labels: [],
    read: () => [{ labels: {}, value: read() }],
  });
  const perServer = (name: string, help: string, labels: readonly string[], read: (server: ServerMeter) => Iterable<Sample>): Family => ({
    name,
    type: "counter",
    help,
    labels: ["server", ...labels],
    *read() {
      for (const [server, counted] of meter.servers) {
        for (const sample of read(counted)) yield { labels: { server, ...sample.labels }, value: sample.value };
      }
    },
  });
  const families: readonly Family[] = [
    perServer(
      "sallyport_exchanges_total",
      "Requests that were judged, by kind, decision and code.",
      ["kind", "decision", "code"],
      ({ decisions }) =>
        listPairs(decisions, "kind", (word) => {
          const [decision = "", code = ""] = word.split(" ");
          return { decision, code };
        }),
    ),
    perServer("sallyport_refused_total", "Messages refused before they were judged, by reason.", ["reason"], function* ({ refused }) {
      for (const [reason, value] of refused) yield { labels: { reason }, value };
    }),
    perServer(
      "sallyport_outcomes_total",
      "How forwarded requests came out, with the code where something went wrong.",
      ["outcome", "code"],
      ({ outcomes }) => listPairs(outcomes, "outcome", (code) => ({ code })),
    ),
    perServer("sallyport_server_asks_total", "What servers asked of clients, and what became of it.", ["ask", "result"], ({ asked }) =>
      listPairs(asked, "ask", (result) => ({ result })),
    ),
    {
      name: "sallyport_upstream_seconds",
      type: "histogram",
      help: "From the sending of a request to its server until the whole answer.",
      labels: ["server"],
      *read() {
        for (const [server, { upstream }] of meter.servers) yield { labels: { server }, durations: upstream };
      },
    },
    {
      name: "sallyport_step_seconds",
      type: "histogram",
      help: "The gateway's own time: `admit` until a request left, `conclude` from its answer until it was handed on.",
      labels: ["step"],
      read: () => [
        { labels: { step: "admit" }, durations: meter.admit },
        { labels: { step: "conclude" }, durations: meter.conclude },
      ],
    },
    {
      name: "sallyport_authentication_failures_total",
      type: "counter",
      help: "Requests turned away before a grant was known, by reason.",
      labels: ["reason"],
      *read() {
        for (const [reason, value] of meter.turnedAway) yield { labels: { reason }, value };
      },
    },
    {
      name: "sallyport_tools",
      type: "gauge",
      help: "Tools of a server's snapshot by state; only `accepted` ones can be called, the others but `missing` are quarantined.",
      labels: ["server", "state"],
      read: () => listToolStates(endpoints),
    },
    number("sallyport_requests_in_flight", "gauge", "Requests under way.", () => desk.active.count),
    number("sallyport_sessions", "gauge", "Protocol sessions.", () => desk.sessions.size),
    number("sallyport_streams", "gauge", "Streams that are held open for clients.", () => desk.holds.size),
    number("sallyport_audit_entries", "gauge", "Entries of the log when this process last wrote to it.", () => folder.audit.size),
    number("sallyport_audit_unsigned_entries", "gauge", "Entries that no checkpoint has signed yet.", () => folder.audit.unsigned),
    number("sallyport_store_groups_total", "counter", "Groups of writes that were committed.", () => folder.store.committed?.groups ?? 0),
    number(
      "sallyport_store_writes_total",
      "counter",
      "Writes in those groups; divided by them, the size of a group.",
      () => folder.store.committed?.writes ?? 0,
    ),
    number("sallyport_store_waiting", "gauge", "Writes that wait for a group.", () => folder.store.waiting),
    {
      name: "sallyport_event_loop_lag_seconds",
      type: "gauge",
      help: "How late the event loop was since the last look at this page.",
      labels: ["quantile"],
      read() {
        const seen = ([50, 99, 100] as const).map((percent) => ({
          labels: { quantile: String(percent / 100) },
          value: Math.max(0, (lag.percentile(percent) || 0) / NANOSECONDS - LAG_RESOLUTION_MS / 1000),
        }));
        lag.reset();
        return seen;
      },
    },
    number("sallyport_process_cpu_seconds_total", "counter", "Processor time of this process.", () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }),
    number("sallyport_process_resident_bytes", "gauge", "Memory of this process.", () => process.memoryUsage.rss()),
    number("sallyport_process_heap_bytes", "gauge", "Memory that JavaScript values take.", () => process.memoryUsage().heapUsed),
    number("sallyport_process_uptime_seconds", "gauge", "Since the start.", () => process.uptime()),
    {
      name: "sallyport_build_info",
      type: "gauge",
      help: "Always 1.",
      labels: ["version"],
      read: () => [{ labels: { version: VERSION }, value: 1 }],
    },
  ];
  return { families, stop: () => void lag.disable() };
}

function* listPairs(tallies: Tallies, first: string, rest: (word: string) => Record<string, string>): Iterable<Sample> {
  for (const [word, tally] of tallies) for (const [second, value] of tally) yield { labels: { [first]: word, ...rest(second) }, value };
}

function* listToolStates(endpoints: ReadonlyMap<string, Endpoint>): Iterable<Sample> {
  for (const [key, endpoint] of endpoints) {
    if (key !== endpoint.name) continue;
    const counts = new Map(TOOL_STATES.map((state) => [state, 0]));
    for (const { state } of endpoint.tools.current()?.tools.values() ?? []) counts.set(state, (counts.get(state) ?? 0) + 1);
    for (const [state, value] of counts) yield { labels: { server: endpoint.name, state }, value };
  }
}
