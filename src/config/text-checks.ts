/**
 * What single texts of the configuration must look like. Each check gives a sentence that says what is wanted and never
 * quotes the text: a password may stand in an address, a token in the wrong line.
 */
import { isIP } from "node:net";
import { isPostgresUrl, readPostgresUrl } from "../kernel/postgres-url.ts";
import { parseDuration } from "../policy/window.ts";
import type { TextCheck } from "./shape.ts";

export const NAME_PATTERN = "^[a-z0-9-]{1,32}$";
export const MIN_TOKEN_CHARACTERS = 16;
export const MAX_TOKEN_CHARACTERS = 1024;
const MAX_TEXT_CHARACTERS = 256;
const MAX_HEADER_VALUE_CHARACTERS = 8192;

/** Headers that the gateway sets by itself, or that belong to one connection alone. */
export const OWN_HEADERS: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "last-event-id",
  "mcp-method",
  "mcp-name",
  "mcp-protocol-version",
  "mcp-session-id",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const byPattern =
  (pattern: RegExp, message: string): TextCheck =>
  (text) =>
    pattern.test(text) ? undefined : message;

export const checkName: TextCheck = byPattern(
  new RegExp(NAME_PATTERN),
  "Names are 1 to 32 characters of `a` to `z`, `0` to `9` and the hyphen.",
);

export const checkPlainText: TextCheck = (text) => {
  if (text.trim() === "") return "This must not be empty.";
  if (text.length > MAX_TEXT_CHARACTERS) return `This may hold at most ${MAX_TEXT_CHARACTERS} characters.`;
  return /\p{Cc}/u.test(text) ? "Control characters can't stand here." : undefined;
};

export const checkPath: TextCheck = (text) => (text === "" || text.includes("\0") ? "This must be a path." : undefined);

/** Whole months go, so less than a day would promise what is not kept; beyond a hundred years is for ever. */
const MIN_RETENTION_MS = 86_400_000;
const MAX_RETENTION_MS = 36_525 * MIN_RETENTION_MS;

export const checkRetention: TextCheck = (text) => {
  const ms = parseDuration(text) ?? 0;
  return ms >= MIN_RETENTION_MS && ms <= MAX_RETENTION_MS
    ? undefined
    : "This must be a duration of at least a day, such as `400d`; without it entries are kept for ever.";
};

/** What a process can be given as an argument or a variable. */
export const checkProcessText: TextCheck = (text) => (text.includes("\0") ? "A NUL character can't stand here." : undefined);

export const checkVariableName: TextCheck = byPattern(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "This can't be the name of a variable.");

export const checkEmail: TextCheck = byPattern(/^[^\s@<>,;:"()[\]\\]{1,64}@[^\s@<>,;:"()[\]\\]{1,190}$/, "This must be an e-mail address.");

export const checkToken: TextCheck = (text) => {
  const { length } = Array.from(text);
  if (length < MIN_TOKEN_CHARACTERS) return `A token needs at least ${MIN_TOKEN_CHARACTERS} characters; this one has ${length}.`;
  if (length > MAX_TOKEN_CHARACTERS) return `A token has at most ${MAX_TOKEN_CHARACTERS} characters.`;
  if (!/^[\x20-\x7e]*$/.test(text) || text.trim() !== text) {
    return "A token is printable ASCII without blanks at its ends, since it travels in a header.";
  }
  return undefined;
};

const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

export const checkTimestamp: TextCheck = (text) => {
  const message = "This must be a time with its zone, such as `2027-01-01T00:00:00Z`.";
  const match = TIMESTAMP.exec(text);
  if (!match || Number.isNaN(Date.parse(text))) return message;
  // `Date.parse` turns the 30th of February into March.
  const days = new Date(Date.UTC(Number(match[1]), Number(match[2]), 0)).getUTCDate();
  return Number(match[3]) >= 1 && Number(match[3]) <= days ? undefined : message;
};

export const checkCidr: TextCheck = (text) => {
  const message = "This must be an address range, such as `127.0.0.1/32` or `fd00::/8`.";
  const match = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(text);
  const family = match ? isIP(match[1] as string) : 0;
  if (family === 0) return message;
  return Number(match?.[2] ?? 0) <= (family === 4 ? 32 : 128) ? undefined : message;
};

export const checkHost: TextCheck = byPattern(
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/,
  "This must be a host name, with its port where one counts.",
);

export const checkListenHost: TextCheck = (text) =>
  isIP(text) !== 0 || /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})$/.test(text) ? undefined : "This must be a host name or an IP address.";

function readWebUrl(text: string): URL | string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:"))
    return "This must be an address with `http://` or `https://`.";
  if (url.username !== "" || url.password !== "") return "Credentials can't stand in an address; they go into `headers`.";
  if (text.includes("#")) return "An address can't have a part after `#` here.";
  return url;
}

export const checkUpstreamUrl: TextCheck = (text) => {
  const url = readWebUrl(text);
  return typeof url === "string" ? url : undefined;
};

export const checkPublicUrl: TextCheck = (text) => {
  const url = readWebUrl(text);
  if (typeof url === "string") return url;
  return url.search === "" ? undefined : "The public address can't have a query.";
};

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Of an address that what we trust comes from: TLS, but for a program on this machine. */
function readTrustedUrl(text: string): URL | string {
  const url = readWebUrl(text);
  if (typeof url === "string") return url;
  if (url.protocol === "https:" || LOOPBACK_HOST.test(url.hostname)) return url;
  return "This must be an address with `https://`; plain `http://` is for this machine alone.";
}

export const checkIssuerUrl: TextCheck = (text) => {
  const url = readTrustedUrl(text);
  if (typeof url === "string") return url;
  return text.includes("?") ? "An issuer's address can't have a query." : undefined;
};

export const checkKeysUrl: TextCheck = (text) => {
  const url = readTrustedUrl(text);
  return typeof url === "string" ? url : undefined;
};

export const checkScope: TextCheck = byPattern(
  /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/,
  "A scope is printable ASCII without blanks, quotes and backslashes.",
);

/** Ids, secrets and scopes: what can stand in a form without being read as something else. */
export const checkVisible: TextCheck = (text) =>
  /^[\x21-\x7e]{1,2048}$/.test(text) ? undefined : "This must be up to 2048 visible ASCII characters, without spaces.";

export const checkStoreUrl: TextCheck = (text) => {
  if (isPostgresUrl(text)) {
    const read = readPostgresUrl(text);
    return typeof read === "string" ? read : undefined;
  }
  const path = /^sqlite:(.+)$/s.exec(text)?.[1];
  const usable = path !== undefined && !path.includes("\0") && path !== ":memory:" && !/^\/\/[^/]/.test(path) && !/[?#]/.test(path);
  return usable ? undefined : "This must be `sqlite:` and the path of a file, or `postgres://user:password@host/database`.";
};

export const checkLimitsUrl: TextCheck = (text) => {
  const url = /^(?:rediss?|valkeys?):\/\/[^/]/i.test(text) ? URL.parse(text) : null;
  if (url === null || url.hostname === "" || !/^(?:\/\d{0,5})?$/.test(url.pathname)) {
    return "This must be an address such as `redis://user:password@host:6379/0`, with `rediss:` for TLS.";
  }
  if (url.search !== "" || url.hash !== "") return "The address of the counters can't have a part after `?` or `#`.";
  return [url.username, url.password].every(isPercentDecodable) ? undefined : "A `%` in a name or password is written `%25`.";
};

function isPercentDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

export const checkHeaderName: TextCheck = (text) => {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(text)) return "This can't be the name of a header.";
  return OWN_HEADERS.has(text.toLowerCase()) ? "The gateway sets this header by itself." : undefined;
};

export const checkHeaderValue: TextCheck = (text) => {
  if (text.trim() === "") return "A header needs a value.";
  if (text.length > MAX_HEADER_VALUE_CHARACTERS) return `A header's value has at most ${MAX_HEADER_VALUE_CHARACTERS} characters.`;
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text) ? undefined : "Control characters and characters beyond Latin-1 can't stand in a header.";
};

export const checkMetaKey: TextCheck = (text) => {
  if (
    !/^(?:[A-Za-z](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text) ||
    text.length > MAX_TEXT_CHARACTERS
  ) {
    return "This must be a key of `_meta`, such as `example.com/tenant`.";
  }
  return text.startsWith("sallyport/") ? "Keys that begin with `sallyport/` are the gateway's own." : undefined;
};
