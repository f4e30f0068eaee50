/** The messages that the bench sends: one `tools/call` of ordinary size, and what opens a session. */

/** Calls without a session may all have one id; in a session each has its own, in this place. */
export const CALL_ID = 1_000_000;

/** A call whose `note` has so many characters. */
export function writeCall(noteCharacters = 240): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id: CALL_ID,
    method: "tools/call",
    params: {
      name: "echo",
      arguments: { text: "a text of ordinary length, said again", note: "n".repeat(noteCharacters) },
      _meta: { progressToken: 7 },
    },
  });
}

export const CALL_BODY: string = writeCall();

/** The text before and after the id. */
export function splitAtId(body: string): readonly [string, string] {
  const at = body.indexOf(String(CALL_ID));
  return [body.slice(0, at), body.slice(at + String(CALL_ID).length)];
}

export const INITIALIZE_BODY: string = JSON.stringify({
  jsonrpc: "2.0",
  id: 0,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } },
});

export const INITIALIZED_BODY: string = JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" });
export const SESSION_REVISION = "2025-11-25";
/** What a good answer holds. */
export const GOOD_ANSWER = '"isError":false';
