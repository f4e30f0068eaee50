/**
 * What PostgreSQL's errors are called here: a name that is taken is a `conflict`, everything else `storage_unavailable`. The
 * server's own words are never told, as they may quote a value; its five-character code is.
 */
import { Bug } from "../../kernel/assert.ts";
import { type Failure, FailureError } from "../../kernel/failure.ts";

const WORDS: Readonly<Record<string, string>> = {
  "25006": "The database can't be written: it is a standby or read-only.",
  "25P02": "An earlier statement of the same group failed.",
  "25P03": "The database gave up a group that was held open for too long.",
  "26000": "The database forgot a prepared statement: the address is a pooler that shares connections between transactions.",
  "28000": "The database refused the user.",
  "28P01": "The database refused the user or the password.",
  "3D000": "There is no database of that name on the server.",
  "3F000": "The user has no schema that tables could be made in.",
  "40001": "The database undid a group in favour of another.",
  "40P01": "The database undid a group in favour of another.",
  "42501": "The user may not read or write the tables.",
  "42P01": "A table is missing: the database is not the one that this gateway opened, or was emptied.",
  "53100": "The disk of the database is full.",
  "53200": "The database has not enough memory, or no room for more locks.",
  "53300": "The database has no connection left for us.",
  "55P03": "Another process holds the database for too long.",
  "57014": "The database took too long.",
  "57P01": "The database was stopped.",
  "57P02": "The database was stopped.",
  "57P03": "The database is not ready yet.",
};

const NETWORK_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Nobody listens at the address of the database.",
  ECONNRESET: "The connection to the database broke.",
  EPIPE: "The connection to the database broke.",
  ENOENT: "There is no socket of the database in that folder.",
  ENOTFOUND: "The name of the database's host is unknown.",
  EAI_AGAIN: "The name of the database's host can't be looked up.",
  EHOSTUNREACH: "The database's host can't be reached.",
  ENETUNREACH: "The database's host can't be reached.",
  ETIMEDOUT: "The database did not answer in time.",
  EACCES: "The socket of the database may not be used.",
};

const STATE = /^[0-9A-Z]{5}$/;

/** The error to throw on for one that came out of the driver. */
export function toPostgresError(error: unknown): Error {
  if (error instanceof FailureError || error instanceof Bug) return error;
  const failure = new FailureError(describe(error));
  failure.cause = error;
  return failure;
}

function describe(error: unknown): Failure {
  const { code } = error as { code?: unknown };
  if (typeof code === "string") {
    if (code === "23505") return { code: "conflict", message: "Another object has that name." };
    if (code.startsWith("23")) return { code: "conflict", message: "The change does not fit what the database holds." };
    const words = WORDS[code] ?? NETWORK_WORDS[code];
    if (words !== undefined) return { code: "storage_unavailable", message: words };
    if (STATE.test(code)) return { code: "storage_unavailable", message: `The database refused a statement (${code}).` };
    if (/^(?:ERR_TLS|ERR_SSL|CERT|UNABLE|DEPTH|SELF_SIGNED|HOSTNAME)/.test(code)) {
      return { code: "storage_unavailable", message: `The database's certificate can't be trusted (${code}).` };
    }
  }
  const message = error instanceof Error ? error.message : "";
  if (/SSL/.test(message)) return { code: "storage_unavailable", message: "The database does not speak TLS." };
  if (/timeout/.test(message)) return { code: "storage_unavailable", message: "The database did not answer in time." };
  return { code: "storage_unavailable", message: "The connection to the database broke." };
}

export function refusal(message: string, cause?: unknown): FailureError {
  const failure = new FailureError({ code: "storage_unavailable", message });
  failure.cause = cause;
  return failure;
}
