/**
 * The one way out: a request with a time limit, a bounded answer, no redirects followed, no shared connections, and, if
 * given, the address to connect to. What went wrong comes back in words that hold nothing of the URL.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Address } from "./addresses.ts";

const MAX_ANSWER_BYTES = 64 * 1024;

export interface Outgoing {
  readonly url: URL;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The pinned address; undefined: looked up. */
  readonly address?: Address;
  readonly timeoutMs: number;
  /** Whether the answer's body is wanted. */
  readonly read: boolean;
}

export type Sent = { readonly ok: true; readonly status: number; readonly text: string } | { readonly ok: false; readonly reason: string };
export type Send = (outgoing: Outgoing) => Promise<Sent>;

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was closed without an answer",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the host's name could not be looked up",
  ABORT_ERR: "there was no answer in time",
  ETIMEDOUT: "there was no answer in time",
  EHOSTUNREACH: "the host can't be reached",
  ENETUNREACH: "the host can't be reached",
  EPROTO: "the other side does not speak TLS",
};

export function describeError(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (/CERT|SIGNATURE|ISSUER|ALTNAME/.test(code)) return "its certificate is not trusted";
  if (code.startsWith("ERR_SSL")) return "the other side does not speak TLS";
  return REASONS[code] ?? "the connection failed";
}

export async function send(outgoing: Outgoing): Promise<Sent> {
  const signal = AbortSignal.timeout(outgoing.timeoutMs);
  try {
    const answer = await open(outgoing, signal);
    const text = outgoing.read ? await readText(answer, signal) : "";
    answer.destroy();
    return text === undefined
      ? { ok: false, reason: "the answer was longer than 64 KiB" }
      : { ok: true, status: answer.statusCode ?? 0, text };
  } catch (error) {
    return { ok: false, reason: signal.aborted ? "there was no answer in time" : describeError(error) };
  }
}

function open({ url, method, headers, body, address }: Outgoing, signal: AbortSignal): Promise<IncomingMessage> {
  const options: RequestOptions = { method, headers, agent: false, signal };
  if (address !== undefined) options.lookup = pin(address);
  return new Promise((resolve, reject) => {
    const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, options, resolve);
    request.on("error", reject);
    request.end(body);
  });
}

function pin({ address, family }: Address): NonNullable<RequestOptions["lookup"]> {
  return (_host, options, callback) => {
    if (options.all) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

async function readText(answer: IncomingMessage, signal: AbortSignal): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_ANSWER_BYTES) return undefined;
    parts.push(part);
  }
  signal.throwIfAborted();
  return Buffer.concat(parts).toString("utf8");
}
