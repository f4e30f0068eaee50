/**
 * The servers of a configuration as the gateway serves them. A changed entry is opened anew; what did not change keeps its
 * connections and processes, and what is gone is closed in the background.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { ServerConfig } from "./config/config.ts";
import type { Endpoint } from "./gateway/desk.ts";
import { FAILED_LOOK_PAUSE_MS } from "./gateway/served-tools.ts";
import { wordsOf } from "./gateway/spend.ts";
import { type EndpointParts, type OpenedEndpoint, openEndpoint } from "./open-endpoint.ts";
import { listServers } from "./revision/server.ts";

/** How often a server that was just connected is asked for its tools. */
const CONNECTED_LOOKS = 5;

interface Served extends OpenedEndpoint {
  readonly key: string;
}

export class EndpointTable {
  /** By name and by id. */
  readonly endpoints: Map<string, Endpoint> = new Map();
  readonly #parts: EndpointParts;
  #served = new Map<string, Served>();
  /** Connections, processes and renewals of entries that are gone, on their way out. */
  readonly #closing = new Set<Promise<void>>();

  constructor(parts: EndpointParts) {
    this.#parts = parts;
  }

  /** Makes what is served equal to the configuration; a server that is new is looked at in the background. */
  async apply(servers: readonly ServerConfig[]): Promise<void> {
    const records = new Map((await listServers(this.#parts.folder.store.query)).map((record) => [record.name, record]));
    const next = new Map<string, Served>();
    for (const config of servers) {
      const record = records.get(config.name);
      if (!record) continue;
      const key = JSON.stringify([record.id, config]);
      const before = this.#served.get(config.name);
      next.set(config.name, before?.key === key ? before : { key, ...this.#open(record.id, config) });
    }
    const { connections } = this.#parts;
    const closing = [...this.#served.values()].filter((served) => next.get(served.endpoint.name) !== served);
    for (const { connection } of closing) if (connection) this.#waitFor(connections.remove(connection));
    await Promise.all([...next.values()].flatMap(({ connection }) => (connection ? [connections.add(connection)] : [])));
    this.#served = next;
    this.endpoints.clear();
    for (const { endpoint } of next.values()) this.endpoints.set(endpoint.id, endpoint);
    for (const { endpoint } of next.values()) this.endpoints.set(endpoint.name, endpoint);
    for (const { endpoint } of closing) this.#close(endpoint);
    for (const { endpoint, connection } of next.values()) {
      if (connection?.source.current().kind === "absent") this.#askForPerson(endpoint);
      else void this.#lookAt(endpoint);
    }
  }

  #open(id: string, config: ServerConfig): OpenedEndpoint {
    return openEndpoint(this.#parts, id, config, () => void this.#lookWhenConnected(config.name));
  }

  #askForPerson({ name }: Endpoint): void {
    const words = `The gateway is not signed in to \`${name}\`. Connect it: sallyport server connect ${name}`;
    this.#parts.log.warn("connection.missing", words, { server: name });
  }

  /** A look that failed is not repeated at once, so this one waits for its turn. */
  async #lookWhenConnected(name: string): Promise<void> {
    for (let attempt = 0; attempt < CONNECTED_LOOKS; attempt++) {
      const endpoint = this.#served.get(name)?.endpoint;
      if (endpoint === undefined) return;
      await this.#lookAt(endpoint);
      if (endpoint.tools.era !== undefined) return;
      await pause(FAILED_LOOK_PAUSE_MS, undefined, { ref: false });
    }
  }

  /** Never rejects: nobody waits for it, and the first call looks again. */
  async #lookAt({ name, tools }: Endpoint): Promise<void> {
    try {
      await tools.sync(this.#parts.folder.access.version);
      if (tools.era === undefined) await tools.refresh();
    } catch (error) {
      this.#parts.log.warn("tools.unread", `The tools of \`${name}\` could not be read: ${wordsOf(error)}`, { server: name });
    }
  }

  #close(endpoint: Endpoint): void {
    endpoint.tools.close();
    this.#waitFor(endpoint.upstream.close());
  }

  #waitFor(ending: Promise<void>): void {
    const closing = ending.finally(() => void this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async close(): Promise<void> {
    for (const { endpoint, connection } of this.#served.values()) {
      endpoint.tools.close();
      if (connection) this.#waitFor(this.#parts.connections.remove(connection));
    }
    await Promise.all([...[...this.#served.values()].map(({ endpoint }) => endpoint.upstream.close()), ...this.#closing]);
  }
}
