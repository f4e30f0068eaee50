/**
 * `/metrics`: for programs of this machine, and for whoever brings the admin's token. A request that came through a proxy is
 * not one of this machine, whatever its socket says, nor one for another Host: a page whose name was made to lead here
 * would read it. With the token any Host will do; says nothing to anybody else.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { sendJson } from "./gateway/http-channel.ts";
import { sendProblem } from "./gateway/http-face.ts";
import { checkSource, type Gate } from "./gateway/identify.ts";
import { FailureError } from "./kernel/failure.ts";
import type { Exposition } from "./observe/exposition.ts";
import type { ServePage } from "./pages/connect-pages.ts";

export const MIN_ADMIN_TOKEN_CHARACTERS = 16;

const METRICS_PATH = /^\/metrics(?:\?.*)?$/;
/** Whatever a proxy, or a page in a browser, would add. */
const HANDED_ON: readonly string[] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "origin"];
const LOOPBACK = /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$|^::1$/;

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** The admin's token, if the environment gives one. */
export function readAdminToken(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const token = env["SALLYPORT_ADMIN_TOKEN"];
  if (token === undefined || token === "") return undefined;
  if (token.length >= MIN_ADMIN_TOKEN_CHARACTERS) return token;
  const message = `\`SALLYPORT_ADMIN_TOKEN\` needs at least ${MIN_ADMIN_TOKEN_CHARACTERS} characters; it has ${token.length}.`;
  throw new FailureError({ code: "invalid_config", message });
}

export function createMetricsPage(exposition: Exposition, adminToken: string | undefined, gate: Gate): ServePage {
  const wanted = adminToken === undefined ? undefined : digest(adminToken);
  const mayRead = (request: IncomingMessage): boolean => {
    const { headers, socket } = request;
    const isDirect = LOOPBACK.test(socket.remoteAddress ?? "") && HANDED_ON.every((name) => headers[name] === undefined);
    if (isDirect && checkSource(gate, request) === undefined) return true;
    const bearer = /^bearer +([\x21-\x7e]+) *$/i.exec(headers.authorization ?? "")?.[1];
    // Two digests are compared, so that neither length nor beginning is told by time.
    return wanted !== undefined && bearer !== undefined && timingSafeEqual(digest(bearer), wanted);
  };
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    request.resume();
    if (request.method !== "GET" && request.method !== "HEAD") return sendProblem(response, 405, { allow: "GET, HEAD" });
    if (!mayRead(request)) return sendProblem(response, 401, { "www-authenticate": 'Bearer realm="sallyport"' });
    exposition.print().then(
      (page) => sendJson(response, 200, Buffer.from(page), { "content-type": exposition.contentType, "cache-control": "no-store" }),
      () => sendProblem(response, 503),
    );
  };
  return (request, response) => {
    if (!METRICS_PATH.test(request.url ?? "/")) return false;
    serve(request, response);
    return true;
  };
}
