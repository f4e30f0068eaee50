/**
 * Clients that log in: what the configuration says of it becomes what tokens are held against, with the issuer's keys
 * fetched through the address guard. A changed entry has every token judged anew, what is under way included.
 */
import type { Config, LoginConfig } from "./config/config.ts";
import type { DataFolder } from "./data-folder.ts";
import type { Endpoint } from "./gateway/desk.ts";
import type { SignIn } from "./gateway/protected-resource.ts";
import { createIssuerKeys, type IssuerKeys, KEYS_TIMEOUT_MS } from "./identity/issuer-keys.ts";
import type { Log } from "./observe/log.ts";
import { bumpGeneration } from "./store/generation.ts";
import { createAddressGuard, resolveBySystem } from "./upstream/address-guard.ts";
import { createGuardedFetch, fetchJson } from "./upstream/guarded-fetch.ts";

export interface Login {
  /** Undefined: nobody logs in. */
  readonly signIn: SignIn | undefined;
  /** `url`: where the gateway listens, which is its public address where the configuration gives none. */
  apply(config: Config | undefined, url: string): Promise<void>;
}

/** `endpoints`: by name and by id, as they are served at any time. */
export function createLogin(folder: DataFolder, endpoints: ReadonlyMap<string, Endpoint>, log: Log): Login {
  const nameOf = (server: string): string | undefined => endpoints.get(server)?.name;
  let signIn: SignIn | undefined;
  let applied = "";
  return {
    get signIn() {
      return signIn;
    },
    async apply(config, url) {
      const login = config?.login;
      const base = (config?.listen.publicUrl ?? url).replace(/\/+$/, "");
      const key = login ? JSON.stringify([base, login]) : "";
      if (key === applied) return;
      signIn = login && { issuer: login.issuer, scopes: login.scopes, base };
      folder.logins.use(login && { config: login, base, nameOf, keys: openKeys(login, folder, log) });
      // Whoever was judged by the old entry, is judged again before anything of theirs is forwarded.
      await folder.store.write(bumpGeneration);
      applied = key;
    },
  };
}

function openKeys(config: LoginConfig, folder: DataFolder, log: Log): IssuerKeys {
  const guard = createAddressGuard({ allow: config.networkAllow, resolve: resolveBySystem });
  // Keys stand on many a site as a plain file, of whatever kind it says.
  const fetch = createGuardedFetch({ guard, timeoutMs: KEYS_TIMEOUT_MS, anyKind: true });
  const keys = createIssuerKeys({
    issuer: config.issuer,
    jwksUri: config.jwksUri,
    fetchJson: (address, signal) => fetchJson(fetch, address, signal),
    say: (words) => log.warn("login.keys", words),
  });
  // Asked for now, so that the first call need not wait and a wrong address is told at once.
  keys.check(folder.clock.now());
  return keys;
}
