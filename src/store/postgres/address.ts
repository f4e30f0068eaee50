/** An address of PostgreSQL as it is used: read or refused as a whole, and what the driver is told of TLS. */
import { readFileSync } from "node:fs";
import { FailureError } from "../../kernel/failure.ts";
import { type PostgresAddress, readPostgresUrl } from "../../kernel/postgres-url.ts";

export function parsePostgresUrl(text: string): PostgresAddress {
  const read = readPostgresUrl(text);
  if (typeof read === "string") throw new FailureError({ code: "invalid_config", message: read });
  return read;
}

export interface TlsOptions {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly checkServerIdentity?: () => undefined;
}

/** What the driver is told of TLS; false: none. */
export function tlsOptions({ tls, caFile }: PostgresAddress): TlsOptions | false {
  if (tls === "disable") return false;
  if (tls === "require") return { rejectUnauthorized: false };
  const ca = caFile === undefined ? {} : { ca: readAuthority(caFile) };
  return { rejectUnauthorized: true, ...ca, ...(tls === "verify-ca" ? { checkServerIdentity: () => undefined } : {}) };
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new FailureError({ code: "invalid_config", message: `The certificates in \`${file}\` (\`sslrootcert\`) can't be read.` });
  }
}
