/**
 * The gateway's side of connecting servers: takes up what `server connect` asks for, sends the browser that brings the
 * ticket to the authorization server, and makes a connection of what it comes back with. Watches the database a few times
 * a second, so that a connection made or taken away by a command holds at once.
 */
import { randomBytes } from "node:crypto";
import type { OAuthConfig } from "../../config/config.ts";
import { type Failure, type Result, succeed } from "../../kernel/failure.ts";
import type { Batch, Store } from "../../store/store.ts";
import type { OpenKeyring } from "../../vault/keyring.ts";
import type { AddressGuard } from "../address-guard.ts";
import type { GuardedFetch } from "../guarded-fetch.ts";
import { type Ask, claimAsks, endAsk, hasAsk, hashSecret, markReady, openWithTicket, readAsk, takePlan } from "./asks.ts";
import { type LoginPlan, planLogin, redeemLogin } from "./authorize.ts";
import { type ConnectionEvent, type CredentialSource, listFormer } from "./credential-source.ts";
import { type Connection, listConnections, readConnection, readRegistration, writeConnection, writeRegistration } from "./tables.ts";
import { revokeToken, type Tokens } from "./tokens.ts";

/** How often the database is asked, in microseconds each time, whether somebody else has changed it. */
export const WATCH_MS = 250;
export const CONNECT_PATH = "/connect";
const BROWSER_BYTES = 32;
const MAX_PARAMETER_CHARACTERS = 8192;

/** One server that the gateway signs in to. */
export interface ConnectableServer {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly config: OAuthConfig;
  readonly guard: AddressGuard;
  readonly fetch: GuardedFetch;
  readonly source: CredentialSource;
}

export interface ConnectionDeskPorts {
  readonly store: Store;
  readonly openKeyring: OpenKeyring;
  readonly now: () => number;
  /** Where people reach the gateway, without a slash at its end; known once it listens. */
  readonly baseUrl: () => string;
  readonly record: (batch: Batch, server: string, event: ConnectionEvent) => void;
  readonly tell: (level: "info" | "warn" | "error", event: string, words: string) => void;
}

/** What became of a browser that came back. */
export interface Landing {
  readonly ok: boolean;
  /** Told to the person; of a failure, no word of the other side's. */
  readonly words: string;
}

export class ConnectionDesk {
  readonly #ports: ConnectionDeskPorts;
  readonly #servers = new Map<string, ConnectableServer>();
  #epoch = -1;
  /** A connection could not be read: the next look reads again, whatever the epoch says. */
  #isBehind = false;
  #looking = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(ports: ConnectionDeskPorts) {
    this.#ports = ports;
  }

  get baseUrl(): string {
    return this.#ports.baseUrl();
  }

  pageOf(serverName: string): string {
    return `${this.baseUrl}${CONNECT_PATH}/${serverName}`;
  }

  /** Serves the server from now on; one of the same id takes its place. */
  async add(server: ConnectableServer): Promise<void> {
    if (this.#servers.get(server.id) === server) return;
    this.#servers.set(server.id, server);
    await this.#load(server);
  }

  /** Settles when nothing of it is under way any more. */
  remove(server: Pick<ConnectableServer, "id" | "source">): Promise<void> {
    if (this.#servers.get(server.id)?.source === server.source) this.#servers.delete(server.id);
    return server.source.close();
  }

  start(): () => void {
    this.#timer = setInterval(() => void this.look(), WATCH_MS);
    this.#timer.unref();
    return () => clearInterval(this.#timer);
  }

  /** One look: renews ahead, takes up what was asked, reads what changed. Never rejects. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      for (const { source } of this.#servers.values()) source.tick();
      const epoch = this.#ports.store.readEpoch();
      if (epoch === this.#epoch && !this.#isBehind) return;
      this.#isBehind = false;
      await this.#readChanges();
      await this.#takeUpAsks();
      this.#epoch = epoch;
    } catch {
      // A database that can't be asked now is asked again with the next look.
      this.#isBehind = true;
    } finally {
      this.#looking = false;
    }
  }

  async #readChanges(): Promise<void> {
    const versions = new Map((await listConnections(this.#ports.store.query)).map(({ serverId, version }) => [serverId, version]));
    for (const server of this.#servers.values()) if (server.source.version !== versions.get(server.id)) await this.#load(server);
  }

  async #load({ source }: ConnectableServer): Promise<void> {
    if (!(await source.load())) this.#isBehind = true;
  }

  async #takeUpAsks(): Promise<void> {
    const { store, now } = this.#ports;
    if (!(await hasAsk(store.query, "state", "asked"))) return;
    const asks = await store.write((batch) => claimAsks(batch, now()));
    for (const ask of asks) void this.#prepare(ask);
  }

  async #prepare(ask: Ask): Promise<void> {
    const server = this.#servers.get(ask.serverId);
    if (server === undefined) {
      const message = "The running gateway does not sign in to this server: its entry in the configuration has no `upstream.oauth`.";
      return await this.#end(ask, undefined, message);
    }
    try {
      const planned = await this.#plan(server);
      if (!planned.ok) return await this.#end(ask, server, describe(planned.failures));
      const page = this.pageOf(server.name);
      await this.#ports.store.write(async (batch) => markReady(batch, await this.#ports.openKeyring(batch), ask.id, planned.value, page));
    } catch (error) {
      await this.#end(ask, server, "The gateway could not prepare the sign-in.");
      this.#ports.tell("error", "connection.fault", error instanceof Error ? error.message : "unknown fault");
    }
  }

  async #plan(server: ConnectableServer): Promise<Result<LoginPlan>> {
    const { store, openKeyring, now } = this.#ports;
    const kept = await store.write(async (batch) => readRegistration(batch, await openKeyring(batch), server.id));
    const { url, config, guard, fetch, source } = server;
    const { wantedScopes: wanted, askedBefore: before } = source;
    const planned = await planLogin({ url, config, guard, fetch, baseUrl: this.baseUrl, kept, wanted, before, nowMs: now() });
    if (!planned.ok) return planned;
    const { plan, registration } = planned.value;
    if (registration) await store.write(async (batch) => writeRegistration(batch, await openKeyring(batch), server.id, registration));
    return succeed(plan);
  }

  /** Ends an ask that failed, on record. */
  async #end(ask: Ask, server: ConnectableServer | undefined, message: string): Promise<void> {
    const { store, record, tell } = this.#ports;
    await store
      .write(async (batch) => {
        await endAsk(batch, ask.id, "failed", message);
        if (server) record(batch, server.name, { action: "connection.failed", actor: ask.askedBy, detail: { reason: message } });
      })
      .catch(() => undefined);
    if (server) tell("warn", "connection.failed", `\`${server.name}\` could not be connected: ${message}`);
  }

  /** A browser brings a ticket: where to send it, and what it must show when it comes back. */
  async begin(
    serverName: string,
    ticket: string,
    browser: string | undefined,
  ): Promise<{ readonly url: string; readonly browser: string } | undefined> {
    const server = [...this.#servers.values()].find(({ name }) => name === serverName);
    if (server === undefined || ticket.length > MAX_PARAMETER_CHARACTERS) return undefined;
    const { store, openKeyring, now } = this.#ports;
    // Anybody may come with anything: only what is known is worth a transaction.
    if (!(await hasAsk(store.query, "ticket_hash", hashSecret(ticket)))) return undefined;
    const fresh = randomBytes(BROWSER_BYTES).toString("base64url");
    const coming = { ticket, shown: browser, fresh, serverId: server.id, nowMs: now() };
    return await store.write(async (batch) => openWithTicket(batch, await openKeyring(batch), coming));
  }

  /** A browser comes back from an authorization server. What it brings works once, and only for the one that left. */
  async finish(parameters: URLSearchParams, browser: string | undefined): Promise<Landing> {
    const state = parameters.get("state");
    if (state === null || state.length > MAX_PARAMETER_CHARACTERS || browser === undefined) return UNKNOWN_LANDING;
    const { store, openKeyring, now } = this.#ports;
    if (!(await hasAsk(store.query, "state_hash", hashSecret(state)))) return UNKNOWN_LANDING;
    const coming = { state, browser, nowMs: now() };
    const taken = await store.write(async (batch) => takePlan(batch, await openKeyring(batch), coming));
    const server = taken && this.#servers.get(taken.ask.serverId);
    if (taken === undefined) return UNKNOWN_LANDING;
    if (server === undefined) {
      await this.#end(taken.ask, undefined, "The server is not served any more.");
      return UNKNOWN_LANDING;
    }
    const redeemed = await redeemLogin(taken.plan, parameters, server.fetch, now());
    if (redeemed.ok) {
      if (await this.#connect(server, taken.ask, taken.plan, redeemed.value)) {
        return { ok: true, words: `The gateway is signed in to ${server.name}.` };
      }
      // Nobody wants it any more: what was given is given back.
      const { refresh, access } = redeemed.value;
      void revokeToken(taken.plan.terms, refresh ?? access, refresh === undefined ? "access_token" : "refresh_token", server.fetch);
      return { ok: false, words: `The gateway is not signed in to ${server.name}: it was called off meanwhile.` };
    }
    const message = describe(redeemed.failures);
    await this.#end(taken.ask, server, message);
    return { ok: false, words: `The gateway is not signed in to ${server.name}. ${message}` };
  }

  /** False: the ask was ended while the code was redeemed. */
  async #connect(server: ConnectableServer, ask: Ask, plan: LoginPlan, tokens: Tokens): Promise<boolean> {
    const { store, openKeyring, now, record, tell } = this.#ports;
    const isWanted = await store.write(async (batch) => {
      if ((await readAsk(batch, ask.id))?.state !== "redeeming") return false;
      const keyring = await openKeyring(batch);
      const before = await readConnection(batch, keyring, server.id);
      const nowMs = now();
      const previous = before.ok ? before.value : undefined;
      const connection: Connection = {
        serverId: server.id,
        state: "connected",
        // A time too: a row that was removed in between must not come back with a version that was seen before.
        version: Math.max((previous?.version ?? 0) + 1, nowMs),
        issuer: plan.terms.server.issuer,
        expiresMs: tokens.expiresMs,
        connectedMs: nowMs,
        connectedBy: ask.askedBy,
        wantedScopes: [],
        secrets: {
          terms: plan.terms,
          tokens,
          sinceMs: nowMs,
          former: previous === undefined ? [] : listFormer(previous.secrets, tokens, nowMs),
        },
      };
      await writeConnection(batch, keyring, connection, nowMs);
      await endAsk(batch, ask.id, "done", "");
      const detail = { issuer: connection.issuer, scopes: plan.terms.scopes.join(" ") };
      record(batch, server.name, { action: "connection.made", actor: ask.askedBy, detail });
      return true;
    });
    if (!isWanted) return false;
    await this.#load(server);
    tell("info", "connection.made", `\`${server.name}\` is connected.`);
    return true;
  }
}

const UNKNOWN_LANDING: Landing = {
  ok: false,
  words: "Nothing is waiting for this answer: its time may be over, it was used before, or another browser began it.",
};

function describe(failures: readonly Failure[]): string {
  return failures.map(({ message, hint }) => (hint === undefined ? message : `${message} ${hint}`)).join(" ");
}
