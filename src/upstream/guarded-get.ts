/**
 * Gets one JSON document from an address that was configured or told by one that was: TLS, an address that the guard lets
 * through, no redirect, bounded in size and time, strict JSON. Sends no credential and keeps no connection.
 */
import { isUtf8 } from "node:buffer";
import { Client } from "undici";
import type { Json } from "../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../kernel/strict-json.ts";
import { type AddressGuard, AddressRefused } from "./address-guard.ts";

export const MAX_DOCUMENT_BYTES: number = 256 * 1024;
export const DOCUMENT_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;
const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

export interface GuardedGetOptions {
  readonly guard: AddressGuard;
  /** PEM of certificate authorities in place of the system's. */
  readonly ca?: string | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Rejects with words that name no more than the address's origin. */
export async function getJson(address: string, signal: AbortSignal, options: GuardedGetOptions): Promise<Json> {
  const url = URL.parse(address);
  // Plain text only to this machine, and there only where the guard is told to let it.
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && LOOPBACK_HOST.test(url.hostname));
  if (url === null || !isSafe || url.username !== "" || url.password !== "") throw new Error("an address is not one with `https://`");
  const timeoutMs = options.timeoutMs ?? DOCUMENT_TIMEOUT_MS;
  const client = new Client(url.origin, {
    connect: options.guard.createConnector({ timeoutMs: CONNECT_TIMEOUT_MS, ca: options.ca }),
    maxResponseSize: MAX_DOCUMENT_BYTES,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    allowH2: false,
  });
  try {
    return await read(client, url, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
  } catch (error) {
    throw new Error(`${url.origin} ${describe(error)}`, { cause: error });
  } finally {
    await client.destroy();
  }
}

class Unusable extends Error {}

async function read(client: Client, url: URL, signal: AbortSignal): Promise<Json> {
  const headers = { accept: "application/json" };
  const { statusCode, headers: said, body } = await client.request({ method: "GET", path: url.pathname + url.search, headers, signal });
  // What is not read to its end breaks off, which is nobody's fault any more.
  body.on("error", () => undefined);
  if (statusCode !== 200) throw new Unusable(`answered ${statusCode}`);
  if (said["content-encoding"] !== undefined) throw new Unusable("answered in an encoding that was not asked for");
  const bytes = Buffer.from(await body.arrayBuffer());
  if (bytes.length > MAX_DOCUMENT_BYTES) throw new Unusable("answered more than the bound");
  const parsed = isUtf8(bytes) ? parseStrictJson(bytes.toString("utf8")) : undefined;
  if (parsed === undefined || isJsonFault(parsed)) throw new Unusable("did not answer with JSON");
  return parsed.value;
}

function describe(error: unknown): string {
  if (error instanceof Unusable) return error.message;
  if (error instanceof AddressRefused) return "has an address that may not be connected to";
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown };
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") return "answered more than the bound";
  return name === "TimeoutError" || name === "AbortError" ? "did not answer in time" : "can't be reached";
}
