/**
 * A server's questions on record: which server asked what of whose client, and whether it passed. Of the question itself
 * a keyed digest. What passes is on record before the client sees it.
 */
import { digestArguments } from "../audit/describe-arguments.ts";
import type { GrantRecord } from "../identity/grant.ts";
import { printCanonicalJson } from "../kernel/canonical-json.ts";
import { createJsonObject, type Json, type JsonObject } from "../kernel/json.ts";
import type { AskFault, AskKind } from "./asks.ts";
import { ASK_WORDS } from "./asks.ts";
import type { Desk, Endpoint } from "./desk.ts";
import type { Session } from "./session.ts";
import { wordsOf } from "./spend.ts";
import { termsOfRecord } from "./write-terms.ts";

export interface AskedBy {
  readonly endpoint: Endpoint;
  readonly session: Session | undefined;
  readonly grant?: GrantRecord | undefined;
}

/** False: it could not be put on record, and must not go on. */
export async function recordAsk(
  desk: Desk,
  by: AskedBy,
  method: string,
  params: JsonObject | undefined,
  fault: AskFault | undefined,
): Promise<boolean> {
  const { endpoint, session, grant } = by;
  try {
    await desk.store.write(async (batch) => {
      desk.audit.append(batch, {
        kind: fault === undefined ? "intent" : "denial",
        server: endpoint.name,
        grant: grant?.label,
        grantId: grant?.id ?? session?.grantId,
        identity: grant?.identity,
        session: session?.id.slice(0, 12),
        method,
        decision: fault === undefined ? "allow" : "deny",
        code: fault,
        message: fault && ASK_WORDS[fault],
        actor: "server",
        argumentDigest: digestAsk(desk, params ?? createJsonObject()),
      });
    }, termsOfRecord());
    return true;
  } catch (error) {
    desk.say(`A question of the server ${endpoint.name} could not be put on record: ${wordsOf(error)}`);
    return false;
  }
}

export function digestAsk(desk: Desk, asked: Json): string {
  return digestArguments(desk.argumentKey, printCanonicalJson(asked));
}

export function countAsk(desk: Desk, endpoint: Endpoint, kind: AskKind | "other", result: AskFault | "passed"): void {
  desk.meter.server(endpoint.name).asked.at(kind).add(result);
}
