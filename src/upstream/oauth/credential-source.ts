/**
 * The credential of one server: answers at once while its token is good, and renews it before its time is over, once for
 * all processes on the database. The new refresh token is stored before it is used for anything; until then the old one
 * stands. A renewal that is refused for good ends the connection, one that fails in passing is tried again later and
 * later: never a tight loop. Tells every secret that it knows, and knew lately, to whoever searches answers for them.
 */
import { setTimeout as pause } from "node:timers/promises";
import { BoundedMap } from "../../kernel/bounded-map.ts";
import { createId } from "../../kernel/id.ts";
import { releaseLease, takeLease } from "../../store/lease.ts";
import type { Batch, Store } from "../../store/store.ts";
import type { OpenKeyring } from "../../vault/keyring.ts";
import type { GuardedFetch } from "../guarded-fetch.ts";
import { takeScopes } from "./challenge.ts";
import { isResourceOf } from "./discover.ts";
import { type Connection, type ConnectionSecrets, type FormerToken, readConnection, writeConnection } from "./tables.ts";
import { refreshTokens, revokeToken, type TokenResult, type Tokens } from "./tokens.ts";

/** How long before its end a token is renewed, at most; less for one that lives shortly. */
export const RENEW_MARGIN_MS = 60_000;
/** A token is used so long after it came, whatever it says of its time: renewals come no faster. */
export const MIN_TOKEN_USE_MS = 5_000;
/** A token that lives shorter is renewed when it is needed, not ahead. */
const MIN_LIFE_AHEAD_MS = 30_000;
/** After a token was renewed, a refusal of it is believed so long, or for half of its life, before it is renewed again. */
export const REFUSED_PAUSE_MS = 30_000;
export const LEASE_MS = 45_000;
const LEASE_POLL_MS = 100;
/** How long a request waits for another process's renewal. */
const RENEW_WAIT_MS = 30_000;
const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 300_000;
/** Attempts to write what an authorization server gave: losing it would cost the connection. */
const KEEP_ATTEMPTS = 20;
const KEEP_PAUSE_MS = 250;
/** How long answers are searched for a token that was replaced. */
export const FORMER_TOKEN_MS: number = 24 * 60 * 60 * 1000;
export const MAX_FORMER_TOKENS = 8;
/** Secrets of one connection that answers are searched for: each makes every answer a little slower. */
export const MAX_KNOWN_SECRETS = 16;
const SCOPES_PAUSE_MS = 10_000;

export type Credential =
  | { readonly kind: "ready"; readonly authorization: string; readonly version: number }
  /** Its time is over: ask `renew`. */
  | { readonly kind: "stale" }
  /** `unavailable`: there is a connection, but the authorization server can't be asked now. */
  | { readonly kind: "absent"; readonly reason: "not_connected" | "needs_login" | "unavailable" };

export interface ConnectionEvent {
  readonly action: "connection.made" | "connection.renewed" | "connection.lost" | "connection.failed" | "connection.scopes_wanted";
  readonly actor: string;
  readonly detail: Readonly<Record<string, string>>;
}

export interface CredentialPorts {
  readonly serverId: string;
  /** Where the server is now: a token for another place is never sent there. */
  readonly url: string;
  readonly store: Store;
  readonly openKeyring: OpenKeyring;
  readonly fetch: GuardedFetch;
  readonly now: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  /** Puts an entry on record, with the batch's group. */
  readonly record: (batch: Batch, event: ConnectionEvent) => void;
  /** Words for people. */
  readonly tell: (level: "info" | "warn" | "error", event: string, words: string) => void;
  /** What answers are searched for from now on. */
  readonly onSecrets: (secrets: readonly string[]) => void;
  /** The connection is good, and was not before. */
  readonly onConnected: () => void;
}

type Step =
  | { readonly kind: "changed"; readonly row: Connection | undefined }
  | { readonly kind: "ours"; readonly row: Connection }
  | { readonly kind: "busy" };

const GATEWAY = "gateway";

export class CredentialSource {
  readonly #ports: CredentialPorts;
  #held: Connection | undefined;
  #isForServer = false;
  #renewAtMs = Number.POSITIVE_INFINITY;
  #retryAtMs = 0;
  #failures = 0;
  #scopesAtMs = 0;
  #renewing: Promise<void> | undefined;
  #isUnread = false;
  #closed = false;
  /** Searched for even where another process has thrown them away. */
  readonly #known = new BoundedMap<string, number>(MAX_KNOWN_SECRETS);

  constructor(ports: CredentialPorts) {
    this.#ports = ports;
  }

  /** Version of the row that is held; undefined: none. */
  get version(): number | undefined {
    return this.#held?.version;
  }

  get wantedScopes(): readonly string[] {
    return this.#held?.wantedScopes ?? [];
  }

  /** What the last sign-in asked for, and of whom. */
  get askedBefore(): { readonly issuer: string; readonly scopes: readonly string[] } | undefined {
    return this.#held && { issuer: this.#held.issuer, scopes: this.#held.secrets.terms.scopes };
  }

  current(): Credential {
    const held = this.#held;
    if (held === undefined) return { kind: "absent", reason: "not_connected" };
    if (held.state !== "connected" || !this.#isForServer) return { kind: "absent", reason: "needs_login" };
    const { tokens, sinceMs } = held.secrets;
    const nowMs = this.#ports.now();
    if (nowMs < Math.max(tokens.expiresMs ?? Number.POSITIVE_INFINITY, sinceMs + MIN_TOKEN_USE_MS)) {
      return { kind: "ready", authorization: `Bearer ${tokens.access}`, version: held.version };
    }
    if (tokens.refresh === undefined) return { kind: "absent", reason: "needs_login" };
    return nowMs < this.#retryAtMs ? { kind: "absent", reason: "unavailable" } : { kind: "stale" };
  }

  /** Reads the row again, as another process may have changed it; false: it could not be asked for. Never rejects. */
  async load(): Promise<boolean> {
    try {
      const { store, openKeyring, serverId } = this.#ports;
      const read = await store.write(async (batch) => await readConnection(batch, await openKeyring(batch), serverId));
      this.#isUnread = false;
      if (read.ok) this.#adopt(read.value);
      else this.#ports.tell("error", "connection.unreadable", read.failures.map(({ message }) => message).join(" "));
      return true;
    } catch {
      // It is tried again and again, and told once.
      if (!this.#isUnread) this.#ports.tell("warn", "connection.unread", "A connection could not be read; what was known of it stays.");
      this.#isUnread = true;
      return false;
    }
  }

  /** Renews what is stale; gives what there is then. Never rejects. */
  async renew(): Promise<Credential> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
    const current = this.current();
    return current.kind === "stale" ? { kind: "absent", reason: "unavailable" } : current;
  }

  /** The server refused a credential of that version: another one, where there is one or one can be had. */
  async replace(version: number): Promise<Credential> {
    const held = this.#held;
    const isUsable = held?.version === version && held.state === "connected" && this.#isForServer;
    if (held === undefined || !isUsable) return this.current();
    const { tokens, sinceMs } = held.secrets;
    const nowMs = this.#ports.now();
    // Just renewed and refused all the same: renewing again would change nothing.
    const lifeMs = (tokens.expiresMs ?? Number.POSITIVE_INFINITY) - sinceMs;
    const pauseMs = Math.max(Math.min(REFUSED_PAUSE_MS, lifeMs / 2), MIN_TOKEN_USE_MS);
    if (nowMs < sinceMs + pauseMs) return { kind: "absent", reason: "needs_login" };
    if (tokens.refresh === undefined) await this.#lose(version, "The server refused the token, and there is none to renew it with.");
    else if (nowMs >= this.#retryAtMs) await this.renew();
    const next = this.current();
    // The same one again is none: it was refused.
    return next.kind === "ready" && next.version === version ? { kind: "absent", reason: "needs_login" } : next;
  }

  /** Called a few times a second: renews ahead of time. */
  tick(): void {
    const held = this.#held;
    if (this.#closed || held?.state !== "connected" || !this.#isForServer || this.#renewing) return;
    const { tokens, sinceMs } = held.secrets;
    const nowMs = this.#ports.now();
    if (tokens.expiresMs === undefined || nowMs < this.#renewAtMs || nowMs < this.#retryAtMs) return;
    if (tokens.refresh === undefined) {
      if (nowMs >= tokens.expiresMs) void this.#lose(held.version, "The token's time is over, and there is none to renew it with.");
    } else if (tokens.expiresMs - sinceMs >= MIN_LIFE_AHEAD_MS) void this.renew();
  }

  /** Remembers scopes that the server asked for: the next sign-in asks for them too. Bounded in number and in time. */
  wantScopes(scopes: readonly string[]): void {
    const nowMs = this.#ports.now();
    const held = this.#held;
    if (held === undefined || nowMs < this.#scopesAtMs) return;
    const known = [...held.secrets.terms.scopes, ...held.wantedScopes];
    if (scopes.every((scope) => known.includes(scope))) return;
    this.#scopesAtMs = nowMs + SCOPES_PAUSE_MS;
    const change = (row: Connection): Connection => {
      const wanted = [...row.wantedScopes, ...scopes.filter((scope) => !row.secrets.terms.scopes.includes(scope))];
      return { ...row, version: row.version + 1, wantedScopes: takeScopes(wanted) };
    };
    const event: ConnectionEvent = { action: "connection.scopes_wanted", actor: GATEWAY, detail: { scopes: scopes.join(" ") } };
    void this.#change(held.version, change, event);
  }

  /** Settles when a renewal under way has stored what came of it, for that is given once. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#renewing;
  }

  async #renew(): Promise<void> {
    const { now, store, tell } = this.#ports;
    const holder = createId(now());
    const endMs = performance.now() + RENEW_WAIT_MS;
    try {
      while (!this.#closed) {
        const step = await store.write((batch) => this.#begin(batch, holder));
        if (step.kind === "ours") return await this.#refresh(step.row, holder);
        if (step.kind === "changed") return this.#adopt(step.row);
        if (performance.now() > endMs) return;
        await pause(LEASE_POLL_MS, undefined, { ref: false });
      }
    } catch {
      this.#postpone();
      tell("warn", "connection.unread", "A connection could not be renewed, for the database could not be used.");
    }
  }

  async #begin(batch: Batch, holder: string): Promise<Step> {
    const { serverId, openKeyring, now } = this.#ports;
    const read = await readConnection(batch, await openKeyring(batch), serverId);
    const row = read.ok ? read.value : undefined;
    const isSame = row !== undefined && row.version === this.#held?.version && row.state === "connected";
    if (!isSame || row.secrets.tokens.refresh === undefined) return { kind: "changed", row };
    const nowMs = now();
    const terms = { name: leaseOf(serverId), holder, nowMs, untilMs: nowMs + LEASE_MS };
    return (await takeLease(batch, terms)) ? { kind: "ours", row } : { kind: "busy" };
  }

  async #refresh(row: Connection, holder: string): Promise<void> {
    const { fetch, now, tell } = this.#ports;
    const result = await refreshTokens(row.secrets.terms, row.secrets.tokens.refresh ?? "", fetch, now());
    const kept = await this.#keep(row, holder, result);
    if (kept === "changed") {
      // Taken away or made anew meanwhile: what came now is nobody's, and is given back.
      if (result.ok) void revokeToken(row.secrets.terms, result.tokens.refresh ?? result.tokens.access, "refresh_token", fetch);
      await this.load();
      return;
    }
    this.#adopt(kept);
    if (result.ok) {
      this.#failures = 0;
      this.#retryAtMs = 0;
      return;
    }
    if (result.kind === "passing") this.#postpone();
    const words = result.kind === "final" ? "A person has to sign in again" : "It is tried again";
    tell("warn", "connection.not_renewed", `A connection could not be renewed: ${result.failure.message} ${words}.`);
  }

  /** Writes the outcome of a renewal; tries for a while, because what was given is given once. */
  async #keep(before: Connection, holder: string, result: TokenResult): Promise<Connection | "changed"> {
    const { store } = this.#ports;
    for (let attempt = 1; ; attempt++) {
      try {
        return await store.write((batch) => this.#settle(batch, before, holder, result));
      } catch (error) {
        if (attempt < KEEP_ATTEMPTS) {
          await pause(KEEP_PAUSE_MS, undefined, { ref: false });
          continue;
        }
        if (!result.ok) throw error;
        this.#ports.tell("error", "connection.not_kept", "Renewed tokens could not be stored; they hold until the gateway stops.");
        return renewed(before, result.tokens, this.#ports.now());
      }
    }
  }

  async #settle(batch: Batch, before: Connection, holder: string, result: TokenResult): Promise<Connection | "changed"> {
    const { serverId, openKeyring, now, record } = this.#ports;
    const keyring = await openKeyring(batch);
    await releaseLease(batch, leaseOf(serverId), holder);
    const read = await readConnection(batch, keyring, serverId);
    const row = read.ok ? read.value : undefined;
    if (row === undefined || row.secrets.sinceMs !== before.secrets.sinceMs || row.state !== "connected") return "changed";
    if (!result.ok && result.kind === "passing") return row;
    const next = result.ok ? renewed(row, result.tokens, now()) : { ...row, state: "needs_login" as const, version: row.version + 1 };
    await writeConnection(batch, keyring, next, now());
    const detail: Record<string, string> = result.ok ? { issuer: row.issuer } : { issuer: row.issuer, reason: result.failure.message };
    record(batch, { action: result.ok ? "connection.renewed" : "connection.lost", actor: GATEWAY, detail });
    return next;
  }

  async #lose(version: number, reason: string): Promise<void> {
    const event: ConnectionEvent = { action: "connection.lost", actor: GATEWAY, detail: { reason } };
    const change = (row: Connection): Connection => ({ ...row, state: "needs_login", version: row.version + 1 });
    if (await this.#change(version, change, event)) this.#ports.tell("warn", "connection.lost", `${reason} A person has to sign in again.`);
  }

  /** Changes the row where it is still of that version; false: it is not, or could not be written. */
  async #change(version: number, change: (row: Connection) => Connection, event: ConnectionEvent): Promise<boolean> {
    const { store, openKeyring, serverId, now, record } = this.#ports;
    try {
      const next = await store.write(async (batch) => {
        const keyring = await openKeyring(batch);
        const read = await readConnection(batch, keyring, serverId);
        if (!read.ok || read.value?.version !== version) return undefined;
        const changed = change(read.value);
        await writeConnection(batch, keyring, changed, now());
        record(batch, event);
        return changed;
      });
      if (next) this.#adopt(next);
      return next !== undefined;
    } catch {
      return false;
    }
  }

  #adopt(row: Connection | undefined): void {
    const wasConnected = this.#held?.state === "connected";
    this.#held = row;
    this.#isForServer = row !== undefined && isResourceOf(row.secrets.terms.resource, new URL(this.#ports.url));
    const nowMs = this.#ports.now();
    if (row) {
      const { tokens, sinceMs, former, terms } = row.secrets;
      for (const { token, untilMs } of former) this.#known.set(token, untilMs);
      for (const secret of [tokens.access, tokens.refresh, terms.client.secret]) {
        if (secret !== undefined) this.#known.set(secret, nowMs + MAX_RETAINED_MS);
      }
      const lifeMs = (tokens.expiresMs ?? Number.POSITIVE_INFINITY) - sinceMs;
      const margin = Math.min(RENEW_MARGIN_MS, lifeMs / 5) * (0.75 + this.#ports.random() / 2);
      this.#renewAtMs = Math.max(sinceMs + lifeMs - margin, sinceMs + MIN_TOKEN_USE_MS);
    }
    for (const [secret, untilMs] of [...this.#known]) if (untilMs <= nowMs) this.#known.delete(secret);
    this.#ports.onSecrets([...this.#known].map(([secret]) => secret));
    if (row?.state === "connected" && this.#isForServer && !wasConnected) this.#ports.onConnected();
  }

  #postpone(): void {
    const waitMs = Math.min(FIRST_RETRY_MS * 2 ** this.#failures, MAX_RETRY_MS) * (0.75 + this.#ports.random() / 2);
    this.#failures++;
    this.#retryAtMs = this.#ports.now() + waitMs;
  }
}

/** A secret in use is searched for as long as it is, and a while longer. */
const MAX_RETAINED_MS: number = 7 * FORMER_TOKEN_MS;

function leaseOf(serverId: string): string {
  return `connection/${serverId}`;
}

function renewed(row: Connection, tokens: Tokens, nowMs: number): Connection {
  const former = listFormer(row.secrets, tokens, nowMs);
  const next: ConnectionSecrets = { ...row.secrets, tokens, sinceMs: nowMs, former };
  return { ...row, version: row.version + 1, expiresMs: tokens.expiresMs, secrets: next };
}

/** The tokens that others replace, and those before them for as long as they are looked for. */
export function listFormer(secrets: ConnectionSecrets, next: Tokens, nowMs: number): FormerToken[] {
  const replaced = [secrets.tokens.access, secrets.tokens.refresh]
    .filter((token) => token !== undefined && token !== next.access && token !== next.refresh)
    .map((token) => ({ token: String(token), untilMs: nowMs + FORMER_TOKEN_MS }));
  return [...secrets.former.filter(({ untilMs }) => untilMs > nowMs), ...replaced].slice(-MAX_FORMER_TOKENS);
}
