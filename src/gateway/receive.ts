/**
 * Step *receive*: one body, bounded, of the right type and without an encoding, read as one strict message. What it
 * refuses it answers in the protocol's words and puts on record.
 */
import type { IncomingMessage } from "node:http";
import type { HttpRequest } from "../http/request.ts";
import { GatheredBody } from "../mcp/gathered-body.ts";
import { DEFAULT_BODY_LIMIT_BYTES, type Message, readMessage } from "../mcp/message.ts";
import { ERROR_CODES, type Refusal, refuse } from "../mcp/refusal.ts";

/** How long a client may take to send its body. */
export const BODY_TIMEOUT_MS = 30_000;

export type BodyLimit = { readonly bodyLimitBytes: number };

/** What is wrong with the headers of the body; undefined: nothing. */
export function checkBodyHeaders(request: HttpRequest, limit: BodyLimit): Refusal | undefined {
  const { headers } = request;
  const told = headers["content-type"] ?? "";
  if (told !== "application/json") {
    const refused = checkMediaType(told);
    if (refused) return refused;
  }
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    return refuse(ERROR_CODES.invalidRequest, 415, "Invalid Request: the body must not be encoded", "content_encoding", undefined);
  }
  if (Number(headers["content-length"] ?? 0) > limit.bodyLimitBytes) return tooLarge();
  return undefined;
}

function checkMediaType(told: string): Refusal | undefined {
  const type = told.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    return refuse(ERROR_CODES.invalidRequest, 415, "Invalid Request: the body must be application/json", "media_type", undefined);
  }
  const charset = /charset\s*=\s*"?([^";\s]+)/i.exec(told)?.[1];
  if (charset !== undefined && charset.toLowerCase() !== "utf-8") {
    return refuse(ERROR_CODES.invalidRequest, 415, "Invalid Request: the body must be UTF-8", "charset", undefined);
  }
  return undefined;
}

function tooLarge(): Refusal {
  return refuse(ERROR_CODES.invalidRequest, 413, "Invalid Request: the message is too large", "too_large", undefined);
}

/** The body; undefined where the client hung up before its end. */
export function readBody(request: IncomingMessage, limit: BodyLimit): Promise<Buffer | Refusal | undefined> {
  return new Promise((resolve) => {
    const body = new GatheredBody();
    let isOver = false;
    const timer = setTimeout(() => finish(undefined), BODY_TIMEOUT_MS);
    const finish = (value: Buffer | Refusal | undefined): void => {
      clearTimeout(timer);
      resolve(value);
    };
    request.on("data", (chunk: Buffer) => {
      if (isOver) return;
      isOver = body.length + chunk.length > limit.bodyLimitBytes;
      if (!isOver) return body.append(chunk);
      body.clear();
      finish(tooLarge());
    });
    request.on("end", () => finish(body.take()));
    request.on("error", () => finish(undefined));
    request.on("close", () => finish(undefined));
  });
}

const USUAL_LIMIT: BodyLimit = { bodyLimitBytes: DEFAULT_BODY_LIMIT_BYTES };

/** At once where the request has its body with it. */
export function receive(
  request: HttpRequest,
  limit: BodyLimit = USUAL_LIMIT,
): Message | Refusal | undefined | Promise<Message | Refusal | undefined> {
  const refused = checkBodyHeaders(request, limit);
  if (refused) return refused;
  if ("body" in request) return readMessage(request.body, limit);
  return readBody(request, limit).then((body) =>
    body === undefined || "kind" in body ? (body as Refusal | undefined) : readMessage(body, limit),
  );
}
