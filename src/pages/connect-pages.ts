/**
 * The pages of signing in to servers: `/connect/<server>` tells anybody what an administrator does, and sends on the one
 * browser that comes with the ticket of `server connect`; `/oauth/callback` takes what that browser comes back with, and
 * from no other. Whoever sees a link without its ticket can do nothing with it.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { sendProblem } from "../gateway/http-face.ts";
import { checkSource, type Gate } from "../gateway/identify.ts";
import { CALLBACK_PATH, CLIENT_METADATA_PATH, printClientMetadata } from "../upstream/oauth/client-identity.ts";
import type { ConnectionDesk } from "../upstream/oauth/connection-desk.ts";
import { sendElsewhere, sendPage } from "./page.ts";

const CONNECT_PAGE = /^\/connect\/([a-z0-9-]{1,32})$/;
const COOKIE = "sallyport_connect";
const COOKIE_SECONDS = 600;
const BROWSER = /^[A-Za-z0-9_-]{43}$/;

/** Serves the request, or says that it is none of these pages'. */
export type ServePage = (request: IncomingMessage, response: ServerResponse) => boolean;

export function createConnectPages(desk: Pick<ConnectionDesk, "begin" | "finish" | "baseUrl">, gate: Gate): ServePage {
  return (request, response) => {
    const [path = "", query = ""] = (request.url ?? "/").split(/\?(.*)/s);
    const server = CONNECT_PAGE.exec(path)?.[1];
    if (server === undefined && path !== CALLBACK_PATH && path !== CLIENT_METADATA_PATH) return false;
    request.resume();
    const foreign = checkSource(gate, request);
    if (foreign) sendProblem(response, foreign.status);
    else if (request.method !== "GET") sendProblem(response, 405, { allow: "GET" });
    else if (path === CLIENT_METADATA_PATH) serveMetadata(desk.baseUrl, response);
    else {
      const parameters = new URLSearchParams(query);
      const serving =
        server === undefined ? land(desk, parameters, request, response) : connect(desk, server, parameters, request, response);
      serving.catch(() => {
        if (!response.headersSent) sendProblem(response, 503);
      });
    }
    return true;
  };
}

type Desk = Parameters<typeof createConnectPages>[0];

async function connect(
  desk: Desk,
  server: string,
  parameters: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const ticket = parameters.get("ticket");
  if (ticket === null) return explain(server, response);
  const begun = await desk.begin(server, ticket, readBrowser(desk, request));
  if (begun === undefined) {
    const again = [`Ask for a new one: `, { code: `sallyport server connect ${server}` }];
    const paragraphs = [["Its time is over, it was used by another browser, or there never was one like it."], again];
    return sendPage(response, { status: 400, title: "This link is not good any more", paragraphs });
  }
  sendElsewhere(response, begun.url, { "set-cookie": writeCookie(desk, begun.browser, COOKIE_SECONDS) });
}

/** The same for every name, whether there is such a server or not. */
function explain(server: string, response: ServerResponse): void {
  const paragraphs = [
    ["An agent asked for a server that the gateway has to be signed in to. This page can't do that."],
    [
      "Whoever runs the gateway calls ",
      { code: `sallyport server connect ${server}` },
      " on its computer, and opens the link that it prints.",
    ],
  ];
  sendPage(response, { status: 200, title: `Connecting ${server}`, paragraphs });
}

async function land(desk: Desk, parameters: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const landing = await desk.finish(parameters, readBrowser(desk, request));
  const closing = landing.ok ? "You can close this page." : "Nothing was changed. You can close this page and try again.";
  sendPage(response, {
    status: landing.ok ? 200 : 400,
    title: landing.ok ? "Signed in" : "Not signed in",
    paragraphs: [[landing.words], [closing]],
    headers: landing.ok ? { "set-cookie": writeCookie(desk, "", 0) } : {},
  });
}

/** Only a gateway with a public https address has a document that others can read. */
function serveMetadata(baseUrl: string, response: ServerResponse): void {
  if (!baseUrl.startsWith("https://")) return sendProblem(response, 404);
  const body = Buffer.from(printClientMetadata(baseUrl));
  response.writeHead(200, { "content-type": "application/json", "cache-control": "max-age=300", "content-length": body.length });
  response.end(body);
}

/** A cookie that only this very host could have set, where there is https to say so. */
function nameCookie(desk: Desk): string {
  return desk.baseUrl.startsWith("https://") ? `__Host-${COOKIE}` : COOKIE;
}

function writeCookie(desk: Desk, value: string, seconds: number): string {
  const secure = desk.baseUrl.startsWith("https://") ? "; Secure" : "";
  return `${nameCookie(desk)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure}`;
}

/** Undefined where there is none, or where several claim to be it. */
function readBrowser(desk: Desk, request: IncomingMessage): string | undefined {
  const name = `${nameCookie(desk)}=`;
  const found = (request.headers.cookie ?? "")
    .split(";")
    .map((part) => part.trim())
    .filter((part) => part.startsWith(name));
  const value = found.length === 1 ? found[0]?.slice(name.length) : undefined;
  return value !== undefined && BROWSER.test(value) ? value : undefined;
}
