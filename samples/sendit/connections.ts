/**
 * The connections held: one JSON file, readable by its owner only, replaced as a whole on every change, so that a crash
 * leaves the old file or the new one. Secrets stand in it sealed; a removed row takes its ciphertext along. One process
 * at a time works on a folder.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import path from "node:path";
import type { Kind } from "./connectors.ts";
import { isObject } from "./messages.ts";
import type { Sealer } from "./seal.ts";

export const MAX_CONNECTIONS = 1000;
/** How long an attempt that led to nothing can still be asked about. */
const ATTEMPT_KEPT_MS = 60 * 60 * 1000;
const FORMAT = 1;
const CHECK_ROW = "check";

/** An OAuth2 attempt that waits for a person: what the callback needs. */
export interface Attempt {
  /** Of the one-use state, which itself is only in the authorization URL; undefined once used. */
  readonly stateHash: string | undefined;
  readonly redirectUri: string;
  readonly tokenEndpoint: string;
  readonly issuer: string | undefined;
  readonly issuerRequired: boolean;
  readonly expiresAt: number;
}

export interface Connection {
  readonly id: string;
  readonly connector: string;
  readonly kind: Kind;
  readonly status: "pending" | "connected" | "failed";
  readonly reason?: string;
  readonly shown?: string;
  readonly fingerprint?: string;
  readonly scopes?: readonly string[];
  readonly createdAt: number;
  readonly connectedAt?: number;
  readonly attempt?: Attempt;
  readonly sealed?: string;
}

export interface Connections {
  list(): readonly Connection[];
  /** False, and nothing changed, where there is no room left. */
  insert(connection: Connection): boolean;
  /** False where the connection was removed meanwhile. */
  update(connection: Connection): boolean;
  /** How many connections of the connector went. */
  remove(connector: string): number;
}

export function openConnections(dir: string, sealer: Sealer, now: () => number): Connections {
  const file = path.join(dir, "connections.json");
  let rows = load(file, sealer);
  const replace = (next: readonly Connection[]): void => {
    const kept = next.filter((row) => row.status === "connected" || now() - row.createdAt < ATTEMPT_KEPT_MS);
    write(file, JSON.stringify({ format: FORMAT, check: sealer.seal(CHECK_ROW, CHECK_ROW), connections: kept }));
    rows = kept;
  };
  return {
    list: () => rows,
    insert: (connection) => {
      if (rows.length >= MAX_CONNECTIONS) return false;
      replace([...rows, connection]);
      return true;
    },
    update: (connection) => {
      if (!rows.some((row) => row.id === connection.id)) return false;
      replace(rows.map((row) => (row.id === connection.id ? connection : row)));
      return true;
    },
    remove: (connector) => {
      const kept = rows.filter((row) => row.connector !== connector);
      const removed = rows.length - kept.length;
      if (removed > 0) replace(kept);
      return removed;
    },
  };
}

function load(file: string, sealer: Sealer): readonly Connection[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const value: unknown = JSON.parse(text);
  if (!isObject(value) || value["format"] !== FORMAT || !Array.isArray(value["connections"]) || typeof value["check"] !== "string") {
    throw new Error(`${file} is not a file of this version.`);
  }
  if (value["connections"].length === 0) return [];
  try {
    sealer.unseal(value["check"], CHECK_ROW);
  } catch {
    throw new Error(`${file} was sealed with another key: start with the SENDIT_KEY or the key file it was made with.`);
  }
  return value["connections"] as unknown as readonly Connection[];
}

function write(file: string, text: string): void {
  const draft = `${file}.new`;
  const fd = openSync(draft, "w", 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, file);
}
