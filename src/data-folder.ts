/**
 * One data folder, opened: the database, the keys, the clock, the log, the counters and the indexes over them. Used by the
 * gateway and by every command that works on the folder while a gateway runs or none does.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { auditMigrations } from "./audit/migrations.ts";
import { createAudit } from "./audit/writer.ts";
import { classifyDefinition } from "./catalog/classify-definition.ts";
import { CLASSIFIER_VERSION } from "./catalog/verdict.ts";
import type { OpenFolder } from "./cli/ports.ts";
import type { Config } from "./config/config.ts";
import { createAccess } from "./gateway/access.ts";
import { createGrantIndex } from "./identity/grant-index.ts";
import { createLoginIndex } from "./identity/login-index.ts";
import { identityMigrations } from "./identity/migrations.ts";
import { ensureOrganisation } from "./identity/organisation.ts";
import { createSteadyClock } from "./kernel/clock.ts";
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
  readonly config?: Pick<Config, "storeFile" | "keyFile" | "audit"> | undefined;
}

/** Where data lives when nobody says so: the platform's own place. */
export function findDataFolder(env: Readonly<Record<string, string | undefined>>): string {
  if (process.platform === "win32") return path.join(env["LOCALAPPDATA"] ?? os.homedir(), "Sallyport");
  if (process.platform === "darwin") return path.join(os.homedir(), "Library", "Application Support", "Sallyport");
  return path.join(env["XDG_DATA_HOME"] ?? path.join(os.homedir(), ".local", "share"), "sallyport");
}

export async function openDataFolder(options: OpenDataFolder): Promise<DataFolder> {
  const { dir, env, config } = options;
  const clock = createSteadyClock();
  const store = await openStore({
    file: config?.storeFile ?? path.join(dir, DATABASE_FILE),
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
    const audit = createAudit({ clock, keys });
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
      limits: createLimits({ clock }),
      access,
      logins,
      organisation: organisation.id,
      tokenKey,
      openKeyring: createKeyringOpener({ keys, randomBytes, now: () => clock.now() }),
      close: () => store.close(),
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
  if (choice.mustExist === true && !existsSync(file)) {
    throw new FailureError({
      code: "not_found",
      message: `There is no data in \`${dir}\`.`,
      hint: "Name the folder with `--data DIR`, or start a gateway on it first: `sallyport start --data DIR`.",
    });
  }
  return await openDataFolder({ dir, env: choice.env, config: choice.config });
}
