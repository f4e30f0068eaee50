/**
 * One request to an address that somebody else has named: metadata, registration, tokens, revocation, keys. Only https,
 * save to this computer; only addresses that the guard lets pass; no redirect is followed; bounded in time, size and kind
 * of the answer. Each request has a connection of its own, made to an address that was judged for it, and leaves none.
 */
import { isUtf8 } from "node:buffer";
import { Client } from "undici";
import { type Failure, FailureError } from "../kernel/failure.ts";
import { parseIp, specialRangeOf } from "../kernel/ip.ts";
import type { Json } from "../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import { type AddressGuard, AddressRefused } from "./address-guard.ts";

export const GUARDED_TIMEOUT_MS = 15_000;
export const MAX_GUARDED_ANSWER_BYTES: number = 256 * 1024;
export const MAX_GUARDED_URL_CHARACTERS = 4096;
const MAX_HEADER_BYTES = 32 * 1024;
const JSON_TYPE = /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json$/;

/** As much of a request as is made here; what `oauth4webapi` and `jose` hand over fits. */
export interface GuardedRequest {
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | Headers | undefined;
  readonly body?: string | URLSearchParams | null | undefined;
  readonly signal?: AbortSignal | null | undefined;
}

/**
 * Rejects with a `FailureError` where there is no whole answer. An answer of another kind than JSON comes without its
 * body, where nobody said to have a use for it.
 */
export type GuardedFetch = (url: string | URL, request?: GuardedRequest) => Promise<Response>;

export interface GuardedFetchOptions {
  readonly guard: AddressGuard;
  /** PEM of certificate authorities in place of the system's. */
  readonly ca?: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly maxAnswerBytes?: number | undefined;
  /** Takes the body of an answer of any kind: for who judges it by what it holds. */
  readonly anyKind?: boolean | undefined;
}

export function createGuardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const timeoutMs = options.timeoutMs ?? GUARDED_TIMEOUT_MS;
  const taking = { maxBytes: options.maxAnswerBytes ?? MAX_GUARDED_ANSWER_BYTES, anyKind: options.anyKind === true };
  return async (target, request = {}) => {
    const url = parseGuardedUrl(target);
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = request.signal ? AbortSignal.any([deadline, request.signal]) : deadline;
    const client = new Client(url.origin, {
      connect: options.guard.createConnector({ timeoutMs, ca: options.ca }),
      maxHeaderSize: MAX_HEADER_BYTES,
      pipelining: 1,
      allowH2: false,
    });
    try {
      return await send(client, url, { ...request, signal }, taking);
    } catch (error) {
      throw explain(error, url);
    } finally {
      await client.destroy();
    }
  };
}

/** The address, if it may be asked at all: its host is judged when it is connected to. Throws a `FailureError`. */
export function parseGuardedUrl(target: string | URL): URL {
  const text = String(target);
  if (text.length > MAX_GUARDED_URL_CHARACTERS || !URL.canParse(text)) throw refuse("an address can't be read");
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") throw refuse("an address holds a user or a password");
  if (url.protocol === "https:") return url;
  if (url.protocol === "http:" && isThisComputer(url.hostname)) return url;
  throw refuse(`the address of \`${url.hostname}\` is not one of https`);
}

/** One JSON document as it is there, read strictly. Rejects with a `FailureError` that names the host alone. */
export async function fetchJson(ask: GuardedFetch, address: string, signal: AbortSignal): Promise<Json> {
  const answer = await ask(address, { headers: { accept: "application/json" }, signal });
  if (answer.status !== 200) throw unavailable(new URL(address), `it answered ${answer.status}`);
  const bytes = Buffer.from(await answer.arrayBuffer());
  const parsed = isUtf8(bytes) ? parseStrictJson(bytes.toString("utf8")) : undefined;
  if (parsed === undefined || isJsonFault(parsed)) throw unavailable(new URL(address), "it did not answer with JSON");
  return parsed.value;
}

interface Taking {
  readonly maxBytes: number;
  readonly anyKind: boolean;
}

async function send(client: Client, url: URL, request: GuardedRequest, { maxBytes, anyKind }: Taking): Promise<Response> {
  const { body, signal } = request;
  const answer = await client.request({
    path: `${url.pathname}${url.search}`,
    method: (request.method ?? "GET") as "GET",
    headers: { ...Object.fromEntries(new Headers(request.headers).entries()), "accept-encoding": "identity" },
    body: body instanceof URLSearchParams ? body.toString() : (body ?? null),
    signal: signal ?? null,
  });
  const { statusCode, headers } = answer;
  if (statusCode >= 300 && statusCode < 400) throw unavailable(url, "it answered with a redirect, and none is followed");
  if (statusCode < 200 || statusCode > 599) throw unavailable(url, "its status can't be read");
  const told = new Headers();
  for (const [name, value] of Object.entries(headers)) for (const one of [value ?? []].flat()) told.append(name, one);
  const type = (told.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  const encoding = told.get("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (encoding !== "identity") throw unavailable(url, "its answer is encoded in a way that was not asked for");
  const isEmpty = !(anyKind || JSON_TYPE.test(type)) || statusCode === 204 || statusCode === 205;
  if (isEmpty) {
    // What is not read is not waited for either; the connection ends with this request.
    answer.body.on("error", () => undefined).destroy();
    return new Response(null, { status: statusCode, headers: told });
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw unavailable(url, "its answer is too large");
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: statusCode, headers: told });
}

/** By its name or its address; whether that is allowed is the guard's to say. */
function isThisComputer(hostname: string): boolean {
  if (/^(?:[a-z0-9-]+\.)*localhost$/.test(hostname)) return true;
  const ip = parseIp(hostname.replace(/^\[(.*)\]$/, "$1"));
  return ip !== undefined && specialRangeOf(ip)?.name === "loopback";
}

function refuse(message: string): FailureError {
  return new FailureError({ code: "address_refused", message });
}

function unavailable(url: URL, reason: string): FailureError {
  return new FailureError({ code: "upstream_unavailable", message: `\`${url.host}\` could not be asked: ${reason}` });
}

/** Names the host alone: the rest of an address may hold a secret. */
function explain(error: unknown, url: URL): FailureError {
  if (error instanceof FailureError) return error;
  if (error instanceof AddressRefused) return new FailureError(error.failure satisfies Failure);
  const name = (error as Error | undefined)?.name;
  if (name === "TimeoutError" || name === "ConnectTimeoutError") return unavailable(url, "it did not answer in time");
  if (name === "AbortError") return unavailable(url, "it was given up");
  return unavailable(url, "no connection could be made, or it broke");
}
