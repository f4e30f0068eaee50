/**
 * Writes the heads of requests to one server: method, host and the server's own headers are put together once, what
 * differs from call to call is checked and put behind them. What could end its line, or stand for another header, is not
 * written: the request is not sendable then.
 */
import { isForwarded } from "../upstream-headers.ts";

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FORBIDDEN_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
/** Lines that are remembered, the last one of a name, for the next request's are mostly the same. */
const MAX_REMEMBERED_LINES = 32;
const PATH = /^\/[\x21-\x7e]*$/;

export interface HeadSource {
  readonly method: "POST" | "GET" | "DELETE";
  readonly path?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly authorization?: string | undefined;
  readonly body?: Buffer | undefined;
}

/** One character an octet; undefined where the request can't be sent. */
export type WriteHead = (request: HeadSource) => string | undefined;

export function createHeadWriter(url: URL, own: Readonly<Record<string, string>>): WriteHead {
  const ownNames = new Set(Object.keys(own).map((name) => name.toLowerCase()));
  const ownLines = Object.entries(own).map(([name, value]) => `${name}: ${value}\r\n`);
  const always = ` HTTP/1.1\r\nhost: ${url.host}\r\nconnection: keep-alive\r\naccept-encoding: identity\r\n${ownLines.join("")}`;
  const ownPath = `${url.pathname}${url.search}`;
  const lines = new Map<string, { value: string; line: string }>();
  const posted = `POST ${ownPath}${always}`;

  return ({ method, path, headers, authorization, body }) => {
    if (path !== undefined && !PATH.test(path)) return undefined;
    let head = method === "POST" && path === undefined ? posted : `${method} ${path ?? ownPath}${always}`;
    for (const name in headers) {
      const value = headers[name] as string;
      const known = lines.get(name);
      if (known !== undefined && known.value === value) {
        head += known.line;
        continue;
      }
      if (ownNames.has(name) || !isForwarded(name)) continue;
      if (!NAME.test(name) || FORBIDDEN_IN_VALUE.test(value)) return undefined;
      const line = `${name}: ${value}\r\n`;
      if (known !== undefined || lines.size < MAX_REMEMBERED_LINES) lines.set(name, { value, line });
      head += line;
    }
    if (authorization !== undefined) {
      if (FORBIDDEN_IN_VALUE.test(authorization)) return undefined;
      head += `authorization: ${authorization}\r\n`;
    }
    const length = body?.length ?? 0;
    return length > 0 || method === "POST" ? `${head}content-length: ${length}\r\n\r\n` : `${head}\r\n`;
  };
}
