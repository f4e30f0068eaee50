/**
 * HTTP on 127.0.0.1: who may ask (Host, Origin), how much (body bound), and where to (`/mcp`, `/callback`). Answers are
 * plain JSON; there is no stream, so GET and DELETE on `/mcp` are not allowed.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Calls } from "./calls.ts";
import { answerPost } from "./endpoint.ts";
import { createError, INVALID_REQUEST, type Reply } from "./messages.ts";
import type { OAuth } from "./oauth.ts";
import { createPage, PAGE_HEADERS } from "./page.ts";

const MAX_BODY_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 256;
const MAX_QUERY_CHARACTERS = 8192;
const REQUEST_TIMEOUT_MS = 15_000;
const DRAIN_MS = 1_000;
const LOOPBACK = "127.0.0.1";

export interface HttpServer {
  readonly origin: string;
  /** Lets calls in flight end, for a moment. */
  stop(): Promise<void>;
}

export interface HttpPorts {
  readonly calls: Calls;
  readonly oauth: OAuth;
}

export async function startHttp(port: number, ports: HttpPorts): Promise<HttpServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, LOOPBACK, resolve));
  const at = (server.address() as AddressInfo).port;
  const hosts = [`${LOOPBACK}:${at}`, `localhost:${at}`];
  server.on("request", (request, response) => {
    route(request, response, hosts, ports).catch(() => response.destroy());
  });
  return { origin: `http://${LOOPBACK}:${at}`, stop: () => stopHttp(server) };
}

async function stopHttp(server: Server): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(timer);
}

async function route(request: IncomingMessage, response: ServerResponse, hosts: readonly string[], ports: HttpPorts): Promise<void> {
  const { host, origin } = request.headers;
  if (host === undefined || !hosts.includes(host.toLowerCase()))
    return sendJson(response, refuse(403, "This host name is not served here."));
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const [path, query] = mark === -1 ? [url, ""] : [url.slice(0, mark), url.slice(mark + 1)];
  if (path === "/callback") return await answerCallback(request, response, query, ports.oauth);
  if (path !== "/mcp") return sendJson(response, refuse(404, "There is nothing here; the endpoint is /mcp."));
  if (origin !== undefined && !hosts.some((one) => origin === `http://${one}`))
    return sendJson(response, refuse(403, "This origin may not call."));
  if (request.method !== "POST") {
    response.setHeader("allow", "POST");
    return sendJson(response, refuse(405, "Only POST is answered here: there are no streams and no sessions."));
  }
  const refused = checkMediaTypes(request);
  if (refused !== undefined) return sendJson(response, refused);
  const body = await readBody(request);
  if (body === undefined) {
    response.setHeader("connection", "close");
    return sendJson(response, refuse(413, "The body is longer than 64 KiB."));
  }
  sendJson(response, await answerPost(body, request.headers, ports.calls));
}

function checkMediaTypes({ headers }: IncomingMessage): Reply | undefined {
  const type = (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json" || headers["content-encoding"] !== undefined)
    return refuse(415, "The body must be plain application/json.");
  const accept = headers.accept ?? "*/*";
  return /application\/json|application\/\*|\*\/\*/i.test(accept) ? undefined : refuse(406, "Answers are application/json.");
}

/** Undefined where the body is past its bound. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) return undefined;
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function answerCallback(request: IncomingMessage, response: ServerResponse, query: string, oauth: OAuth): Promise<void> {
  const isRead = request.method === "GET" && query.length <= MAX_QUERY_CHARACTERS;
  const outcome = isRead
    ? await oauth.finish(new URLSearchParams(query))
    : { status: request.method === "GET" ? 414 : 405, title: "Not connected", text: "This address is for the provider's answer only." };
  response.writeHead(outcome.status, { ...PAGE_HEADERS, ...(outcome.status === 405 ? { allow: "GET" } : {}) }).end(createPage(outcome));
}

function refuse(status: number, message: string): Reply {
  return createError(status, undefined, INVALID_REQUEST, message);
}

function sendJson(response: ServerResponse, { status, body }: Reply): void {
  if (body === undefined) {
    response.writeHead(status).end();
    return;
  }
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(text);
}
