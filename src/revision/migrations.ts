/**
 * The tables of what is judged by: servers, policies, and every revision that a policy ever had. Rows are never deleted
 * and revisions never changed, so that the log's references hold; what left its configuration file is marked.
 */
import type { Migrations } from "../store/store.ts";

export const revisionMigrations: Migrations = {
  "0001-revision": async (batch) => {
    // What a server's entry in a configuration file says stays in memory: addresses and headers may hold secrets.
    await batch.run(`CREATE TABLE server (
      id text NOT NULL PRIMARY KEY,
      name text NOT NULL UNIQUE,
      origin text NOT NULL,
      present integer NOT NULL,
      upstream text NOT NULL,
      created_ms bigint NOT NULL
    )`);
    await batch.run(`CREATE TABLE policy (
      id text NOT NULL PRIMARY KEY,
      name text NOT NULL UNIQUE,
      server text NOT NULL,
      origin text NOT NULL,
      present integer NOT NULL,
      active_hash text NOT NULL,
      shares_counters integer NOT NULL,
      created_ms bigint NOT NULL,
      changed_ms bigint NOT NULL
    )`);
    await batch.run(`CREATE TABLE policy_revision (
      policy_id text NOT NULL REFERENCES policy (id),
      hash text NOT NULL,
      document text NOT NULL,
      created_ms bigint NOT NULL,
      created_by text NOT NULL,
      PRIMARY KEY (policy_id, hash)
    )`);
  },
};
