/**
 * One data folder, opened: the database, the keys, the clock, the log, the counters and the indexes over them. Used by the
 * gateway and by every command that works on the folder while a gateway runs or none does.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import { auditMigrations } from "./audit/migrations.ts";
import { createAudit } from "./audit/writer.ts";
import { classifyDefinition } from "./catalog/classify-definition.ts";
import { CLASSIFIER_VERSION } from "./catalog/verdict.ts";
import type { OpenFolder } from "./cli/ports.ts";
import type { Config } from "./config/config.ts";
import { findDataFolder } from "./config/find-data-folder.ts";
import { createAccess } from "./gateway/access.ts";
import { createGrantIndex } from "./identity/grant-index.ts";
import { createLoginIndex } from "./identity/login-index.ts";
import { identityMigrations } from "./identity/migrations.ts";
import { ensureOrganisation } from "./identity/organisation.ts";
import { createStoreClock } from "./kernel/clock.ts";
import { FailureError } from "./kernel/failure.ts";
import { limitMigrations } from "./limit/counter-table.ts";
import { createLimits } from "./limit/create-limits.ts";
import { revisionMigrations } from "./revision/migrations.ts";
import { createRevisionIndex } from "./revision/revision-index.ts";
import { openStore } from "./store/open-store.ts";
import { recordChanges } from "./sync-config.ts";
import { connectionMigrations } from "./upstream/oauth/tables.ts";
import { canRaiseClasses, raiseClasses } from "./upstream/reclassify.ts";
import { upstreamMigrations } from "./upstream/tables.ts";
import { checkKeys, keyCheckMigrations } from "./vault/key-check.ts";
import { createKeyringOpener, keyringMigrations } from "./vault/keyring.ts";
import { openKeys, TOKEN_PURPOSE } from "./vault/keys.ts";

export const DATABASE_FILE = "sallyport.db";
export const KEY_FILE = "master.key";

export type DataFolder = OpenFolder;

export interface OpenDataFolder {
  readonly dir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Says where database and key are, where they are not in the folder. */
  readonly config?: Pick<Config, "storeFile" | "storeUrl" | "keyFile" | "audit"> | undefined;
}

export async function openDataFolder(options: OpenDataFolder): Promise<DataFolder> {
  const { dir, env, config } = options;
  const clock = createStoreClock();
  const store = await openStore({
    ...(config?.storeUrl === undefined ? { file: config?.storeFile ?? path.join(dir, DATABASE_FILE) } : { url: config.storeUrl }),
    clock,
    durability: config?.audit.durability ?? "process",
    migrations: [
      keyCheckMigrations,
      keyringMigrations,
      identityMigrations,
      revisionMigrations,
      upstreamMigrations,
      connectionMigrations,
      limitMigrations,
      auditMigrations,
    ],
  });
  try {
    const masterKey = env["SALLYPORT_MASTER_KEY"];
    const source = masterKey === undefined ? { keyFile: config?.keyFile ?? path.join(dir, KEY_FILE) } : { masterKey };
    const opened = await openKeys({ source, create: true, randomBytes });
    if (!opened.ok) throw new FailureError(opened.failures);
    const keys = opened.value;
    const checked = await store.write((batch) => checkKeys(batch, keys));
    if (!checked.ok) throw new FailureError(checked.failures);
    if (await canRaiseClasses(store.query, classifyDefinition, CLASSIFIER_VERSION)) {
      await store.write((batch) => raiseClasses(batch, classifyDefinition, CLASSIFIER_VERSION, clock.now()));
    }
    const organisation = await store.write((batch) => ensureOrganisation(batch, "default", clock.now()));
    const tokenKey = keys.deriveKey(TOKEN_PURPOSE);
    const audit = createAudit({ clock, keys, chains: store.isShared === true ? "own" : "shared" });
    const logins = createLoginIndex({
      grants: createGrantIndex(store, tokenKey),
      store,
      now: () => clock.now(),
      record: (batch, change) => recordChanges({ audit }, batch, [change]),
    });
    const access = createAccess(store, logins, createRevisionIndex(store));
    return {
      dir,
      store,
      keys,
      clock,
      audit,
      limits: createLimits({ clock, store }),
      access,
      logins,
      organisation: organisation.id,
      tokenKey,
      openKeyring: createKeyringOpener({ keys, randomBytes, now: () => clock.now() }),
      close: async () => {
        // A chain that can't be given back now is free when its lease is over.
        if (audit.holdsChain) await store.write((batch) => audit.release(batch)).catch(() => undefined);
        await store.close();
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

export interface CommandFolder {
  readonly dataDir: string | undefined;
  readonly config?: OpenDataFolder["config"];
  readonly mustExist?: boolean | undefined;
  readonly env: OpenDataFolder["env"];
}

export function findCommandFolder(dataDir: string | undefined, env: OpenDataFolder["env"]): string {
  const demo = path.resolve(".sallyport");
  return path.resolve(dataDir ?? (existsSync(path.join(demo, DATABASE_FILE)) ? demo : findDataFolder(env)));
}

/** For commands: the folder that they name, else the checkout's demo where there is one, else the platform's. */
export async function openCommandFolder(choice: CommandFolder): Promise<DataFolder> {
  const dir = findCommandFolder(choice.dataDir, choice.env);
  const file = choice.config?.storeFile ?? path.join(dir, DATABASE_FILE);
  if (choice.mustExist === true && choice.config?.storeUrl === undefined && !existsSync(file)) {
    throw new FailureError({
      code: "not_found",
      message: `There is no data in \`${dir}\`.`,
      hint: "Name the folder with `--data DIR`, or start a gateway on it first: `sallyport start --data DIR`.",
    });
  }
  return await openDataFolder({ dir, env: choice.env, config: choice.config });
}
