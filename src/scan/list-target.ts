/**
 * Asks one server for its tools, by the same ways as the gateway asks servers, and leaves nothing behind: the process that
 * was started is gone and every connection closed when it settles. Never calls a tool. Never rejects.
 */
import type { IncomingHttpHeaders } from "node:http";
import { parseIp } from "../kernel/ip.ts";
import { createLog, type Log } from "../observe/log.ts";
import { createAddressGuard, resolveBySystem } from "../upstream/address-guard.ts";
import { createMask } from "../upstream/channel/mask-secrets.ts";
import { createStdioServer } from "../upstream/channel/server.ts";
import { createSseServer } from "../upstream/channel/sse-server.ts";
import type { ToolDefinition } from "../upstream/definition.ts";
import { createEitherTransport } from "../upstream/either-transport.ts";
import { createHttpUpstream, type HttpUpstream } from "../upstream/http-upstream.ts";
import { listServerTools, type ServerListing } from "../upstream/list-tools.ts";
import { findUnusableHeader } from "../upstream/upstream-headers.ts";
import type { CommandTarget, Target, UrlTarget } from "./target.ts";

/** One server, from the start of its process to the end of its list. */
export const SCAN_TIMEOUT_MS = 60_000;
/** A process that was only looked at is not waited for as long as one that served. */
const STOP_INPUT_MS = 1_000;
const STOP_TERM_MS = 2_000;
/** Of what a server that failed has said. */
const MAX_TOLD_LINES = 3;
const MAX_TOLD_CHARACTERS = 300;

export interface ListOptions {
  readonly clientInfo: { readonly name: string; readonly version: string };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly nowMs: number;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type Listed =
  | {
      readonly kind: "listed";
      readonly tools: readonly ToolDefinition[];
      readonly revision: string | undefined;
      readonly serverName: string | undefined;
      readonly instructions: string | undefined;
    }
  | { readonly kind: "failed"; readonly needsLogin: boolean; readonly reason: string };

export async function listTarget(target: Target, options: ListOptions): Promise<Listed> {
  if (target.kind === "none") return { kind: "failed", needsLogin: false, reason: target.reason };
  if (target.kind === "list") {
    return { kind: "listed", tools: target.tools, revision: undefined, serverName: undefined, instructions: undefined };
  }
  const said: string[] = [];
  const log = createLog({ form: "words", write: () => undefined, now: () => options.nowMs });
  const keep = (words: string): void => {
    said.push(words);
    if (said.length > MAX_TOLD_LINES) said.shift();
  };
  const mask = createMask(target.secrets);
  const telling: Log = { ...log, info: (_, words) => keep(words), warn: (_, words) => keep(words) };
  try {
    const watched =
      target.kind === "url" ? openUrl(target, telling) : { server: openCommand(target, options, telling), answered: undefined };
    try {
      const { clientInfo, nowMs, timeoutMs = SCAN_TIMEOUT_MS, signal } = options;
      const listing = await listServerTools({ upstream: watched.server, clientInfo, nowMs, timeoutMs, signal });
      if (listing.ok) return describeListing(listing.value);
      const failure = listing.failures[0];
      const refused = watched.answered?.();
      if (refused?.status === 401 || refused?.status === 403) return describeLogin(refused);
      const words = [failure?.message ?? "it can't be listed", ...said.map(omitGatewayWords)].filter((line) => line !== "");
      return { kind: "failed", needsLogin: false, reason: mask(words.join("; ")).slice(0, MAX_TOLD_CHARACTERS) };
    } finally {
      await watched.server.close();
    }
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return { kind: "failed", needsLogin: false, reason: mask(words).slice(0, MAX_TOLD_CHARACTERS) };
  }
}

/** What is said of a process that a gateway keeps: nothing of this one is started again, and no key of a file is meant. */
function omitGatewayWords(line: string): string {
  return line
    .replace(/ `upstream\.command` is looked for in PATH and run without a shell:[^.]*\./, "")
    .replace(/ It is started again in [\d.]+ s\./, "")
    .replace("; what it said before is above.", "")
    .trim()
    .replace(/\.$/, "");
}

function describeListing({ verdict, introduction, tools }: ServerListing): Listed {
  const name = introduction.serverInfo?.["name"];
  return {
    kind: "listed",
    tools,
    revision: verdict.revision,
    serverName: typeof name === "string" ? name : undefined,
    instructions: introduction.instructions,
  };
}

function describeLogin({ status, headers }: Answered): Listed {
  const how = /\bbearer\b/i.test(headers["www-authenticate"] ?? "") ? " (a bearer token, or a login by OAuth)" : "";
  const reason =
    status === 401 ? `it wants a login${how}: give a credential with --header` : "its answer is that the credential may not do this";
  return { kind: "failed", needsLogin: status === 401, reason };
}

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

interface WatchedServer {
  readonly server: HttpUpstream;
  /** The last answer's status and headers. */
  readonly answered: () => Answered | undefined;
}

/** Every address but a metadata service's, which only a person may name. */
function createGuard(target: UrlTarget): ReturnType<typeof createAddressGuard> {
  const host = new URL(target.url).hostname.replace(/^\[|\]$/g, "");
  const exact = target.from === "named" && parseIp(host) !== undefined ? [host] : [];
  return createAddressGuard({ allow: ["0.0.0.0/0", "::/0", ...exact], resolve: resolveBySystem });
}

function openUrl(target: UrlTarget, log: Log): WatchedServer {
  const { url, headers, name } = target;
  const unusable = findUnusableHeader(headers);
  if (unusable !== undefined) throw new Error("one of its headers can't be sent");
  const guard = createGuard(target);
  let last: Answered | undefined;
  const watch = (upstream: HttpUpstream): HttpUpstream => ({
    exchange: (request, sink) =>
      upstream.exchange(request, {
        onStart(status, given) {
          last = { status, headers: given };
          sink.onStart(status, given);
        },
        onData: (chunk) => sink.onData(chunk),
        onEnd: () => sink.onEnd(),
        onFault: (fault) => sink.onFault(fault),
      }),
    waiting: 0,
    close: () => upstream.close(),
  });
  const http = watch(createHttpUpstream({ url, headers, guard }));
  const now = (): number => performance.now();
  const server = createEitherTransport({ http, createSse: () => createSseServer({ name, url, server: http, log, now }), now });
  return { server, answered: () => last };
}

function openCommand(target: CommandTarget, options: ListOptions, log: Log): HttpUpstream {
  const { name, command, args, env, cwd, secrets } = target;
  return createStdioServer({
    name,
    command,
    args,
    env,
    ownEnv: options.env,
    cwd,
    process: "server",
    secrets,
    clientInfo: options.clientInfo,
    log,
    bounds: { child: { stopInputMs: STOP_INPUT_MS, stopTermMs: STOP_TERM_MS } },
  });
}
