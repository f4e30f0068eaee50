/**
 * Keys that another parser might take for one of the protocol's: decoders that ignore case, fold compatibility letters,
 * stop at NUL, trim blanks or accept another naming style. A key that is such a variant is refused, never guessed at.
 */

const UNSEEN = /[\p{White_Space}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}_-]+/gu;

/** One text for all keys that some decoder reads alike. */
export function foldKey(key: string): string {
  // To upper case and back: the long s, the Kelvin sign and the dotless i have no other common ground.
  return key.normalize("NFKC").replace(UNSEEN, "").toUpperCase().toLowerCase();
}

export interface KeyTable {
  readonly exact: ReadonlySet<string>;
  readonly folded: ReadonlySet<string>;
}

export function createKeyTable(...keys: readonly string[]): KeyTable {
  return { exact: new Set(keys), folded: new Set(keys.map(foldKey)) };
}

const LETTERS = /^[a-zA-Z]*$/;

/** Whether the key is not one of the table's but could be read as one. */
export function isVariant(table: KeyTable, key: string): boolean {
  if (table.exact.has(key)) return false;
  if (LETTERS.test(key)) return table.folded.has(key.toLowerCase());
  // A decoder that works with C's texts sees nothing behind a NUL.
  const end = key.indexOf("\0");
  return table.folded.has(foldKey(key)) || (end > 0 && table.folded.has(foldKey(key.slice(0, end))));
}

/** The members of a message itself. */
export const ENVELOPE_KEYS: KeyTable = createKeyTable("jsonrpc", "id", "method", "params", "result", "error");

/** Members of `params` that this gateway or a server acts upon. */
export const PARAM_KEYS: KeyTable = createKeyTable(
  "name",
  "uri",
  "arguments",
  "cursor",
  "taskId",
  "task",
  "_meta",
  "requestState",
  "inputResponses",
  "ref",
  "argument",
  "context",
  "level",
  "notifications",
  "protocolVersion",
  "capabilities",
  "clientInfo",
  "requestId",
  "progressToken",
);

export const META_KEYS: KeyTable = createKeyTable(
  "progressToken",
  "traceparent",
  "tracestate",
  "baggage",
  "io.modelcontextprotocol/protocolVersion",
  "io.modelcontextprotocol/clientCapabilities",
  "io.modelcontextprotocol/clientInfo",
  "io.modelcontextprotocol/logLevel",
);

/** Members of a completion's `ref` and `argument`. */
export const REFERENCE_KEYS: KeyTable = createKeyTable("type", "name", "uri", "value");

/** Members of a subscription's filter. */
export const FILTER_KEYS: KeyTable = createKeyTable(
  "toolsListChanged",
  "promptsListChanged",
  "resourcesListChanged",
  "resourceSubscriptions",
);

/** Members of results that decide what a client makes of them. `_meta` is none: servers do send a `meta` of their own. */
export const RESULT_KEYS: KeyTable = createKeyTable(
  "content",
  "structuredContent",
  "isError",
  "resultType",
  "inputRequests",
  "requestState",
  "tools",
  "prompts",
  "resources",
  "resourceTemplates",
  "contents",
  "messages",
  "nextCursor",
  "ttlMs",
  "cacheScope",
);
