/**
 * Reads one plain request off the bytes of a connection: a POST to a path, every field by the grammar, one Content-Length,
 * the whole body. It takes only what every reader of HTTP/1.1 takes in the same way; anything else is `other`, and is for
 * Node's own reader to serve or to refuse. Never decides that a request is bad.
 */
import { CR, LF, SP } from "./octets.ts";
import { FieldReader } from "./read-fields.ts";
import type { KnownFields, WholeRequest } from "./request.ts";

export const MAX_TARGET_BYTES = 1_024;
export const MAX_FIELDS_BYTES: number = 16 * 1024;
export const MAX_FIELDS = 64;
/** A larger body is for the reader that can tell a stranger so before it has come. */
export const MAX_WHOLE_BODY_BYTES: number = 64 * 1024;

export interface ReadRequest {
  readonly request: WholeRequest;
  /** Where the next request begins. */
  readonly length: number;
  /** The client wants the connection to end with the reply. */
  readonly closes: boolean;
}

/** What has come so far: too little to say, nothing for the quick way, or a request. */
export type Reading = "partial" | "other" | ReadRequest;

const METHOD = Buffer.from("POST ");
const VERSION = Buffer.from(" HTTP/1.1\r\n");
/** Path and query of an origin-form target, without what one reader or another would take for something else. */
const TARGET_OCTETS = Uint8Array.from({ length: 256 }, (_, octet) =>
  /[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]/.test(String.fromCharCode(octet)) ? 1 : 0,
);
const SLASH = 0x2f;
const LENGTH = /^(?:0|[1-9][0-9]{0,4})$/;

export function createRequestReader(): FieldReader {
  return new FieldReader({ maxBytes: MAX_FIELDS_BYTES, maxFields: MAX_FIELDS });
}

/** `fields` is used anew for every request and kept by none. */
export function readRequest(fields: FieldReader, bytes: Buffer, socket: WholeRequest["socket"]): Reading {
  const begin = matchAt(bytes, 0, METHOD);
  if (begin !== "match") return begin;
  const targetEnd = findTargetEnd(bytes, METHOD.length);
  if (typeof targetEnd === "string") return targetEnd;
  const version = matchAt(bytes, targetEnd, VERSION);
  if (version !== "match") return version;
  const start = targetEnd + VERSION.length;
  fields.reset();
  const read = fields.read(bytes, start, bytes.length);
  if (read !== "done") return read === "more" ? "partial" : "other";
  const rawHeaders = fields.rawPairs();
  const known = sortFields(fields, rawHeaders);
  if (known === undefined) return "other";
  const { headers, closes } = known;
  const told = headers["content-length"];
  if (headers.host === undefined || told === undefined || !LENGTH.test(told)) return "other";
  const bodyLength = Number(told);
  if (bodyLength > MAX_WHOLE_BODY_BYTES) return "other";
  const bodyStart = start + fields.length;
  const length = bodyStart + bodyLength;
  if (bytes.length < length) return "partial";
  const url = bytes.toString("latin1", METHOD.length, targetEnd);
  const body = bytes.subarray(bodyStart, length);
  return { request: { method: "POST", url, headers, rawHeaders, complete: true, socket, body }, length, closes };
}

function matchAt(bytes: Buffer, at: number, wanted: Buffer): "match" | "partial" | "other" {
  for (let index = 0; index < wanted.length; index++) {
    if (at + index === bytes.length) return "partial";
    if (bytes[at + index] !== wanted[index]) return "other";
  }
  return "match";
}

function findTargetEnd(bytes: Buffer, start: number): number | "partial" | "other" {
  if (bytes.length > start && bytes[start] !== SLASH) return "other";
  const limit = Math.min(bytes.length, start + MAX_TARGET_BYTES);
  for (let at = start; at < limit; at++) {
    const octet = bytes[at] as number;
    if (octet === SP) return at;
    if (TARGET_OCTETS[octet] === 0) return "other";
  }
  return limit === bytes.length ? "partial" : "other";
}

interface Sorted {
  readonly headers: KnownFields;
  readonly closes: boolean;
}

/** Undefined: a field says that this is no plain request, or one that stands once stands twice. */
function sortFields(fields: FieldReader, pairs: readonly string[]): Sorted | undefined {
  const headers: KnownFields = {
    host: undefined,
    authorization: undefined,
    origin: undefined,
    accept: undefined,
    "content-type": undefined,
    "content-length": undefined,
    "content-encoding": undefined,
  };
  let connection: string | undefined;
  for (let index = 0; index < pairs.length; index += 2) {
    const spelt = pairs[index] as string;
    // Most names that do not matter here are told by their length alone.
    if (spelt.length > LONGEST_NAME || NAME_LENGTHS[spelt.length] === 0) continue;
    const name = SPELLINGS.get(spelt) ?? spelt.toLowerCase();
    switch (name) {
      case "host":
      case "origin":
      case "accept":
      case "content-type":
      case "content-length":
      case "content-encoding":
        if (headers[name] !== undefined) return undefined;
        headers[name] = pairs[index + 1] as string;
        break;
      case "authorization":
        if (headers.authorization !== undefined) return undefined;
        // A text of its own: it is kept as long as a stream is held for it, and must not keep all fields with it.
        headers.authorization = fields.valueAt(index >> 1);
        break;
      case "connection":
        if (connection !== undefined) return undefined;
        connection = (pairs[index + 1] as string).toLowerCase();
        if (connection !== "keep-alive" && connection !== "close") return undefined;
        break;
      case "transfer-encoding":
      case "expect":
      case "upgrade":
      case "proxy-connection":
      case "te":
      case "trailer":
        return undefined;
    }
  }
  return { headers, closes: connection === "close" };
}

const NOTED_NAMES: readonly string[] = [
  ...["host", "authorization", "origin", "accept", "content-type", "content-length", "content-encoding", "connection"],
  ...["transfer-encoding", "expect", "upgrade", "proxy-connection", "te", "trailer"],
];
const LONGEST_NAME = Math.max(...NOTED_NAMES.map((name) => name.length));
const NAME_LENGTHS: Uint8Array = Uint8Array.from({ length: LONGEST_NAME + 1 }, (_, length) =>
  NOTED_NAMES.some((name) => name.length === length) ? 1 : 0,
);

/** The usual spellings of names, for speed alone: any other one is turned into lower case. */
const SPELLINGS: ReadonlyMap<string, string> = new Map(
  [...NOTED_NAMES, "user-agent", "mcp-method", "mcp-session-id", "accept-language", "accept-encoding", "sec-fetch-mode"].flatMap((name) => [
    [name, name],
    [name.replaceAll(/(?:^|-)[a-z]/g, (start) => start.toUpperCase()), name],
  ]),
);

/** Whether a line has ended in a way that only a lenient reader takes: nothing to wait for. */
export function hasLooseLineEnd(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (at === 0 || bytes[at - 1] !== CR) return true;
    // The end of the head: what follows is a body, which may hold anything.
    if (at >= 3 && bytes[at - 2] === LF && bytes[at - 3] === CR) return false;
  }
  return false;
}
