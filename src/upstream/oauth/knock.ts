/**
 * Knocks at a server without a credential, to be refused: the refusal may say where its metadata is and which scopes it
 * wants. Servers that let everybody begin refuse what comes after, so a list is asked for too. Nothing of what is
 * answered besides is used, and a session that was opened by it is ended.
 */

import { META } from "../../mcp/meta.ts";
import { LATEST_LEGACY, LATEST_MODERN } from "../../mcp/revisions.ts";
import type { GuardedFetch } from "../guarded-fetch.ts";
import { type Challenge, NO_CHALLENGE, readChallenge } from "./challenge.ts";

const CLIENT_INFO = { name: "sallyport", version: "0" };
const MODERN_META = {
  [META.protocolVersion]: LATEST_MODERN,
  [META.clientCapabilities]: {},
  [META.clientInfo]: CLIENT_INFO,
};
const MODERN_HEADERS = { "mcp-protocol-version": LATEST_MODERN, "mcp-method": "tools/list" };

/** Rejects with a `FailureError` where the server can't be asked at all. */
export async function knock(url: string, ask: GuardedFetch): Promise<Challenge> {
  const post = (method: string, params: object, more: Readonly<Record<string, string>>): Promise<Response> => {
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", ...more };
    return ask(url, { method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", id: "sallyport-login", method, params }) });
  };
  /** What comes after an opening only may help: a server that does not answer it well is asked nothing more. */
  const list = (params: object, more: Readonly<Record<string, string>>): Promise<Challenge> =>
    post("tools/list", params, more).then(challengeOf, () => NO_CHALLENGE);

  const opening = await post("initialize", { protocolVersion: LATEST_LEGACY, capabilities: {}, clientInfo: CLIENT_INFO }, {});
  if (opening.status === 401) return challengeOf(opening);
  if (!opening.ok) return await list({ _meta: MODERN_META }, MODERN_HEADERS);
  const id = opening.headers.get("mcp-session-id");
  if (id === null) return await list({}, {});
  const session = { "mcp-session-id": id };
  const challenge = await list({}, session);
  await ask(url, { method: "DELETE", headers: session }).catch(() => undefined);
  return challenge;
}

function challengeOf(answer: Response): Challenge {
  return readChallenge(answer.status === 401 ? answer.headers.get("www-authenticate") : undefined);
}
