/**
 * One server as clients of both eras see it. A request of an era that the server speaks goes to it as it is; one of the
 * other era goes to a front that stands before the server and translates. Which eras those are is found out once and
 * again when the verdict has grown old: a modern server is asked for the legacy era by the first legacy `initialize`.
 * Promises that a request which is not an opening reaches the server at most once, whatever is found out on the way.
 */
import { type Era, isModernRevision } from "../mcp/revisions.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamRequest } from "./http-upstream.ts";
import { LateExchange } from "./late-exchange.ts";
import { isOpening, tryOpening } from "./try-opening.ts";

/** After this a server that was seen to speak one era alone is asked again. */
export const ERA_VERDICT_MS: number = 60 * 60 * 1000;

export interface BridgedOptions {
  /** The server itself. */
  readonly server: HttpUpstream;
  /** The era that the server was seen to speak, asking it where nobody has yet; undefined: it could not be asked. */
  readonly findEra: () => Era | undefined | Promise<Era | undefined>;
  /** Shows a modern server as a legacy one; made when first needed. */
  readonly createLegacyFront: () => HttpUpstream;
  /** Shows a legacy server as a modern one; made when first needed. */
  readonly createModernFront: () => HttpUpstream;
  readonly now: () => number;
}

export function createBridgedUpstream(options: BridgedOptions): HttpUpstream {
  const { server, now } = options;
  let legacyFront: HttpUpstream | undefined;
  let modernFront: HttpUpstream | undefined;
  let closed = false;
  /** Whether a modern server takes legacy clients too, and when that was seen. */
  let alsoLegacy: { readonly is: boolean; readonly atMs: number } | undefined;

  const frontForLegacy = (): HttpUpstream => (legacyFront ??= options.createLegacyFront());
  const frontForModern = (): HttpUpstream => (modernFront ??= options.createModernFront());
  const remember = (is: boolean): void => {
    alsoLegacy = { is, atMs: now() };
  };

  function send(era: Era | undefined, request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    if (closed) {
      queueMicrotask(() => sink.onFault({ reason: "closed", sent: "not_sent", detail: "the server's connections are closed" }));
      return NOTHING;
    }
    const asked = eraOf(request);
    // Why a server could not be asked, a missing sign-in for one, it says best itself.
    if (era === undefined || asked === era) return server.exchange(request, sink);
    if (asked === "modern") return frontForModern().exchange(request, sink);
    const isStale = alsoLegacy === undefined || now() - alsoLegacy.atMs >= ERA_VERDICT_MS;
    if (!isStale || !isOpening(request)) {
      // Only an opening can be tried: what follows goes the way that it went, and what came before one has no session yet.
      const isDirect = alsoLegacy?.is ?? request.headers["mcp-session-id"] === undefined;
      return (isDirect ? server : frontForLegacy()).exchange(request, sink);
    }
    return tryOpening(server, request, sink, {
      // Neither a refused credential nor a failing server is a word about eras.
      mayTurn: (status) => status !== 401 && status !== 403 && status < 500,
      onTaken: () => remember(true),
      turn(to) {
        remember(false);
        return frontForLegacy().exchange(request, to);
      },
    });
  }

  return {
    exchange(request, sink) {
      const era = options.findEra();
      if (!(era instanceof Promise)) return send(era, request, sink);
      const later = new LateExchange(request, sink);
      era.then(
        (found) => later.begin(() => send(found, request, sink)),
        () => later.begin(() => send(undefined, request, sink)),
      );
      return later;
    },
    get waiting() {
      return server.waiting;
    },
    endOwner(owner) {
      legacyFront?.endOwner?.(owner);
      modernFront?.endOwner?.(owner);
      server.endOwner?.(owner);
    },
    async close() {
      closed = true;
      await Promise.all([legacyFront?.close(), modernFront?.close()]);
      await server.close();
    },
  };
}

function eraOf(request: UpstreamRequest): Era {
  const version = request.headers["mcp-protocol-version"];
  return version !== undefined && isModernRevision(version) ? "modern" : "legacy";
}

const NOTHING: OpenExchange = { cancel: () => undefined, resume: () => undefined };
