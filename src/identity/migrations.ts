/**
 * The tables of who may call: the organisation, its grants, and the servers that each grant is for. A grant is never
 * deleted: its label stays taken, and one that was revoked stays so. Tokens stand here as keyed hashes alone.
 */
import type { Migrations } from "../store/store.ts";

export const identityMigrations: Migrations = {
  "0001-identity": async (batch) => {
    await batch.run("CREATE TABLE organisation (id text NOT NULL PRIMARY KEY, name text NOT NULL, created_ms bigint NOT NULL)");
    // 0 and '' stand for what is not there.
    await batch.run(`CREATE TABLE access_grant (
      id text NOT NULL PRIMARY KEY,
      label text NOT NULL UNIQUE,
      identity text NOT NULL,
      owner text NOT NULL,
      tags text NOT NULL,
      expires_ms bigint NOT NULL,
      origin text NOT NULL,
      present integer NOT NULL,
      token_id text NOT NULL,
      token_hash text NOT NULL,
      created_ms bigint NOT NULL,
      created_by text NOT NULL,
      rotated_ms bigint NOT NULL,
      rotated_by text NOT NULL,
      revoked_ms bigint NOT NULL,
      revoked_by text NOT NULL
    )`);
    await batch.run("CREATE UNIQUE INDEX access_grant_token ON access_grant (token_hash) WHERE token_hash <> ''");
    await batch.run(`CREATE TABLE access_grant_server (
      grant_id text NOT NULL REFERENCES access_grant (id),
      server text NOT NULL,
      policy text NOT NULL,
      PRIMARY KEY (grant_id, server)
    )`);
    await batch.run("CREATE INDEX access_grant_server_policy ON access_grant_server (policy)");
  },
  "0002-login": async (batch) => {
    await batch.run(`CREATE TABLE access_login (
      grant_id text NOT NULL PRIMARY KEY REFERENCES access_grant (id),
      issuer text NOT NULL,
      subject text NOT NULL,
      UNIQUE (issuer, subject)
    )`);
  },
};
