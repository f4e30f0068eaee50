/**
 * Bearer → grant, for tokens of grants and for those of the issuer that clients log in with. A verified token is
 * remembered by its digest until it ends, so that a call costs a look into a map; what is remembered falls with a change
 * by anybody, with another configuration and with a key that the issuer took away. A text that is a grant's token goes
 * before, whatever it looks like.
 */
import { hash } from "node:crypto";
import type { LoginConfig } from "../config/config.ts";
import { BoundedMap } from "../kernel/bounded-map.ts";
import type { Batch, Store } from "../store/store.ts";
import type { AdminChange } from "./admin-change.ts";
import { type GrantRecord, readGrant } from "./grant.ts";
import { type FoundGrant, type GrantIndex, judge, type NoGrantReason } from "./grant-index.ts";
import type { IssuerKeys } from "./issuer-keys.ts";
import { ensureLoginGrant } from "./login-grants.ts";
import { type Admission, type LoginMatch, matchLogin, readAdmission } from "./match-login.ts";
import { hasLoginForm, MAX_LOGIN_TOKEN_CHARACTERS, readLogin } from "./read-login.ts";

export const MAX_REMEMBERED_LOGINS = 20_000;
/** Tokens that are verified at the same time; one more is told to come back. */
export const MAX_VERIFICATIONS = 512;

/** What tokens are held against. */
export interface LoginSettings {
  readonly config: LoginConfig;
  /** The gateway's public address, without a slash at its end. */
  readonly base: string;
  readonly keys: IssuerKeys;
  /** The name of a server by what stands in its address, a name or an id; undefined: there is none. */
  readonly nameOf: (server: string) => string | undefined;
}

export interface LoginIndex extends GrantIndex {
  /** From now on; undefined: nobody logs in. */
  use(settings: LoginSettings | undefined): void;
}

export interface LoginIndexOptions {
  /** Of the grants' own tokens. */
  readonly grants: GrantIndex;
  readonly store: Store;
  readonly now: () => number;
  /** Puts a change on record, in the transaction that makes it. */
  readonly record: (batch: Batch, change: AdminChange) => void;
}

/** What a token says, for as long as settings and keys stand. */
interface Pass {
  readonly settings: LoginSettings;
  readonly keysEpoch: number;
  readonly subject: string;
  readonly endsMs: number;
  readonly admission: Admission;
  readonly hasScopes: boolean;
  readonly match: LoginMatch | undefined;
}

interface Remembered {
  readonly pass: Pass;
  /** Of everything that administrators decide, when the grant was read. */
  readonly version: number;
  readonly grant: GrantRecord | undefined;
}

const refuse = (reason: NoGrantReason, admission?: Admission): FoundGrant => ({
  grant: undefined,
  reason,
  ...(admission && { admission }),
});

class StoredLoginIndex implements LoginIndex {
  readonly #options: LoginIndexOptions;
  readonly #remembered = new BoundedMap<string, Remembered>(MAX_REMEMBERED_LOGINS);
  #settings: LoginSettings | undefined;
  #version: number | undefined;
  #loading = new Map<string, Promise<FoundGrant>>();
  #verifying = 0;

  constructor(options: LoginIndexOptions) {
    this.#options = options;
  }

  use(settings: LoginSettings | undefined): void {
    this.#settings = settings;
    this.#remembered.clear();
    this.#loading = new Map();
  }

  refresh(generation?: number): number | Promise<number> {
    const version = this.#options.grants.refresh(generation);
    return typeof version === "number" ? this.#take(version) : version.then((later) => this.#take(later));
  }

  #take(version: number): number {
    // Who asks after a change must not share what was read before it.
    if (version !== this.#version) this.#loading = new Map();
    this.#version = version;
    return version;
  }

  find(bearer: string, nowMs: number): FoundGrant | Promise<FoundGrant> {
    const settings = this.#settings;
    // A JWT has dots, and a token that is made here has none; whether the rest fits is asked where nothing is remembered.
    if (settings === undefined || !bearer.includes(".")) return this.#options.grants.find(bearer, nowMs);
    if (bearer.length > MAX_LOGIN_TOKEN_CHARACTERS) return refuse("malformed");
    const digest = hash("sha256", bearer, "binary");
    const known = this.#remembered.get(digest);
    if (known && known.version === this.#version && this.#stands(known.pass, settings)) return judgeLogin(known, nowMs);
    if (!hasLoginForm(bearer)) return this.#options.grants.find(bearer, nowMs);
    const loading = this.#loading.get(digest);
    if (loading) return loading;
    if (this.#verifying >= MAX_VERIFICATIONS) return refuse("unavailable");
    const table = this.#loading;
    this.#verifying++;
    const load = this.#load(bearer, digest, settings, nowMs).finally(() => {
      this.#verifying--;
      table.delete(digest);
    });
    table.set(digest, load);
    return load;
  }

  #stands(pass: Pass, settings: LoginSettings): boolean {
    const { keys } = settings;
    return pass.settings === settings && pass.keysEpoch === keys.epoch && keys.check(this.#options.now());
  }

  async #load(bearer: string, digest: string, settings: LoginSettings, nowMs: number): Promise<FoundGrant> {
    const version = this.#version;
    const own = await this.#options.grants.find(bearer, nowMs);
    if (own.grant !== undefined || own.reason !== "unknown") return own;
    const known = this.#remembered.get(digest);
    const pass = known && this.#stands(known.pass, settings) ? known.pass : await this.#verify(bearer, settings);
    if (typeof pass === "string") {
      this.#remembered.delete(digest);
      return refuse(pass);
    }
    const grant = pass.match && pass.hasScopes ? await this.#findGrant(pass, pass.match) : undefined;
    const remembered: Remembered = { pass, version: version ?? 0, grant: grant && narrow(grant, pass.admission) };
    // What was read before a change must not be remembered after it.
    if (version === this.#version && settings === this.#settings) this.#remembered.set(digest, remembered);
    return judgeLogin(remembered, nowMs);
  }

  async #verify(bearer: string, settings: LoginSettings): Promise<Pass | NoGrantReason> {
    const { config, keys } = settings;
    const keysEpoch = keys.epoch;
    const login = await readLogin(bearer, { issuer: config.issuer, keys }, this.#options.now());
    if (typeof login === "string") return login;
    const admission = readAdmission(login.audiences, settings);
    if (admission === undefined) return "misdirected";
    return {
      settings,
      keysEpoch,
      subject: login.subject,
      endsMs: login.endsMs,
      admission,
      hasScopes: config.scopes.every((scope) => login.scopes.has(scope)),
      match: matchLogin(login, config),
    };
  }

  async #findGrant(pass: Pass, match: LoginMatch): Promise<GrantRecord | undefined> {
    const { store, now, record } = this.#options;
    if (match.kind === "named") {
      const grant = await readGrant(store.query, match.label);
      return grant?.origin === "file" ? grant : undefined;
    }
    const holder = { issuer: pass.settings.config.issuer, subject: pass.subject };
    return await ensureLoginGrant(store, holder, match.terms, { nowMs: now(), record });
  }
}

/** The grant without the servers that the token is not for, so that nobody who is handed it can forget to ask. */
function narrow(grant: GrantRecord, { everywhere, servers }: Admission): GrantRecord {
  if (everywhere) return grant;
  return Object.freeze({ ...grant, servers: new Map([...grant.servers].filter(([server]) => servers.has(server))) });
}

function judgeLogin({ pass, grant }: Remembered, nowMs: number): FoundGrant {
  const { admission } = pass;
  if (nowMs >= pass.endsMs) return refuse("expired", admission);
  if (!pass.hasScopes) return refuse("scope", admission);
  return grant === undefined ? refuse("unmapped", admission) : judge({ grant, admission }, nowMs);
}

export function createLoginIndex(options: LoginIndexOptions): LoginIndex {
  return new StoredLoginIndex(options);
}
