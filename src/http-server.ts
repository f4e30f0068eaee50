/**
 * The one listener: `/mcp/<server>` and `/mcp` go to the gateway, `/healthz` says that the process lives, `/readyz` whether
 * it can decide, pages answer for themselves. Bounded in headers and time; a stop closes what is idle and waits for what is
 * not.
 */
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { sendJson } from "./gateway/http-channel.ts";
import { type HttpFace, sendProblem, serveHttp } from "./gateway/http-face.ts";
import { METADATA_PATH, serveMetadata } from "./gateway/protected-resource.ts";
import { serveAll } from "./gateway/several/serve-all.ts";
import { FrontServer } from "./http/front-server.ts";
import type { Serve } from "./http/request.ts";
import { FailureError } from "./kernel/failure.ts";
import type { ServePage } from "./pages/connect-pages.ts";

export const MAX_HEADER_BYTES: number = 32 * 1024;
export const HEADERS_TIMEOUT_MS = 15_000;
export const REQUEST_TIMEOUT_MS = 60_000;
export const IDLE_TIMEOUT_MS = 75_000;

/** Why the gateway can't decide now; undefined: it can. */
export type FindObstacle = () => Promise<string | undefined>;

const GATEWAY_PATH = /^\/mcp(?:\/([A-Za-z0-9-]{1,64}))?\/?(?:\?.*)?$/;

export function createListener(face: HttpFace, findObstacle: FindObstacle, pages: readonly ServePage[]): Server {
  const options = { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS };
  const find = (target: string): Serve | undefined => {
    const path = GATEWAY_PATH.exec(target);
    const server = path?.[1];
    if (server !== undefined) return (request, reply) => void serveHttp(face, server, request, reply);
    return path ? (request, reply) => void serveAll(face, request, reply) : undefined;
  };
  const otherwise: RequestListener = (request, response) => {
    const url = request.url ?? "/";
    const serve = find(url);
    if (serve) return serve(request, response);
    const described = METADATA_PATH.exec(url);
    if (described) return describeServer(face, described[1], request, response);
    if (!pages.some((page) => page(request, response))) serveHealth(request, response, findObstacle);
  };
  return new FrontServer({ node: { ...options, keepAliveTimeout: IDLE_TIMEOUT_MS }, find, otherwise });
}

function describeServer(face: HttpFace, server: string | undefined, request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const refused = serveMetadata(face.gate, server, request, response);
  if (refused !== undefined) sendProblem(response, refused, refused === 405 ? { allow: "GET, HEAD" } : {});
}

function serveHealth(request: IncomingMessage, response: ServerResponse, findObstacle: FindObstacle): void {
  const path = (request.url ?? "/").split("?")[0];
  const known = path === "/healthz" || path === "/readyz";
  request.resume();
  if (!known) return sendProblem(response, 404);
  if (request.method !== "GET" && request.method !== "HEAD") return sendProblem(response, 405, { allow: "GET, HEAD" });
  if (path === "/healthz") return sendJson(response, 200, Buffer.from('{"status":"alive"}'));
  findObstacle().then(
    (obstacle) => {
      const body = obstacle === undefined ? { status: "ready" } : { status: "not ready", reason: obstacle };
      sendJson(response, obstacle === undefined ? 200 : 503, Buffer.from(JSON.stringify(body)));
    },
    () => sendJson(response, 503, Buffer.from('{"status":"not ready"}')),
  );
}

export async function listen(server: Server, host: string, port: number): Promise<number> {
  return await new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = error.code === "EADDRINUSE";
      const message = taken
        ? `Port ${port} of ${host} is taken by another program.`
        : `The gateway can't listen on ${host}:${port}: ${error.message}`;
      reject(new FailureError({ code: "invalid_config", message, hint: "Choose another one with `--port`; 0 takes a free one." }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : port);
    });
  });
}
