/**
 * One server as clients of both eras see it. A request of an era that the server speaks goes to it as it is; one of the
 * other era goes to a front that stands before the server and translates. Which eras those are is found out once and
 * again when the verdict has grown old: a modern server is asked for the legacy era by the first legacy `initialize`.
 * Promises that a request which is not an opening reaches the server at most once, whatever is found out on the way.
 */
import type { IncomingHttpHeaders } from "node:http";
import { skimAnswer } from "../mcp/answer.ts";
import { type Era, isModernRevision } from "../mcp/revisions.ts";
import { SseParser } from "../mcp/sse.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamFault, UpstreamRequest } from "./http-upstream.ts";

/** After this a server that was seen to speak one era alone is asked again. */
export const ERA_VERDICT_MS: number = 60 * 60 * 1000;
/** An answer to an opening is kept so long as it is no longer than this. */
export const OPENING_LIMIT_BYTES: number = 1024 * 1024;

export interface BridgedOptions {
  /** The server itself. */
  readonly server: HttpUpstream;
  /** The era that the server was seen to speak, asking it where nobody has yet; undefined: it can't be asked. */
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
    if (closed || era === undefined) {
      queueMicrotask(() => sink.onFault({ reason: closed ? "closed" : "connect", sent: "not_sent", detail: "its era is not known" }));
      return NOTHING;
    }
    const asked = eraOf(request);
    if (asked === era) return server.exchange(request, sink);
    if (asked === "modern") return frontForModern().exchange(request, sink);
    // Only an opening can be tried; whatever follows goes the way that the last opening went.
    const isStale = alsoLegacy === undefined || now() - alsoLegacy.atMs >= ERA_VERDICT_MS;
    if (!isStale || !isOpening(request)) return (alsoLegacy?.is === true ? server : frontForLegacy()).exchange(request, sink);
    const trial = new TrialOpening(sink, remember, (to) => frontForLegacy().exchange(request, to));
    trial.begin(server.exchange(request, trial));
    return trial;
  }

  return {
    exchange(request, sink) {
      const era = options.findEra();
      if (!(era instanceof Promise)) return send(era, request, sink);
      const later = new LaterExchange(sink);
      era.then(
        (found) => later.begin(() => send(found, request, sink)),
        () => later.begin(() => send(undefined, request, sink)),
      );
      return later;
    },
    get waiting() {
      return server.waiting;
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

/** A request without a session is the one that opens it, or one of a client that has none. */
function isOpening(request: UpstreamRequest): boolean {
  return (
    request.method === "POST" && request.headers["mcp-session-id"] === undefined && request.headers["mcp-protocol-version"] === undefined
  );
}

const NOTHING: OpenExchange = { cancel: () => undefined, resume: () => undefined };

/** An exchange that begins when the era is known. */
class LaterExchange implements OpenExchange {
  readonly #sink: AnswerSink;
  #open: OpenExchange | undefined;
  #cancelled = false;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  begin(open: () => OpenExchange): void {
    if (!this.#cancelled) this.#open = open();
  }

  cancel(): void {
    if (this.#open) return this.#open.cancel();
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#sink.onFault({ reason: "cancelled", sent: "not_sent", detail: "cancelled before it was sent" });
  }

  resume(): void {
    this.#open?.resume();
  }
}

/**
 * A legacy `initialize` that a modern server may understand. A result is passed on; whatever else the server says of it
 * (an error, a status) means the front, which is given the same opening: it has changed nothing at the server. A
 * connection that fails says nothing of eras.
 */
class TrialOpening implements AnswerSink, OpenExchange {
  readonly #sink: AnswerSink;
  readonly #remember: (alsoLegacy: boolean) => void;
  readonly #turn: (sink: AnswerSink) => OpenExchange;
  #open: OpenExchange | undefined;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #passing = false;
  #ended = false;

  constructor(sink: AnswerSink, remember: (alsoLegacy: boolean) => void, turn: (sink: AnswerSink) => OpenExchange) {
    this.#sink = sink;
    this.#remember = remember;
    this.#turn = turn;
  }

  begin(open: OpenExchange): void {
    if (!this.#ended) this.#open = open;
  }

  cancel(): void {
    this.#open?.cancel();
  }

  resume(): void {
    this.#open?.resume();
  }

  onStart(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
  }

  onData(chunk: Buffer): boolean {
    if (this.#passing) return this.#sink.onData(chunk);
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > OPENING_LIMIT_BYTES || this.#holdsResult()) return this.#pass();
    return true;
  }

  onEnd(): void {
    if (this.#passing) return this.#sink.onEnd();
    // Neither a refused credential nor a failing server is a word about eras.
    if (this.#status === 401 || this.#status === 403 || this.#status >= 500) {
      this.#pass();
      return this.#sink.onEnd();
    }
    this.#ended = true;
    this.#remember(false);
    this.#open = this.#turn(this.#sink);
  }

  onFault(fault: UpstreamFault): void {
    this.#ended = true;
    this.#sink.onFault(fault);
  }

  /** What came so far, and from now on what comes. */
  #pass(): boolean {
    this.#passing = true;
    this.#sink.onStart(this.#status, this.#headers);
    let more = true;
    for (const chunk of this.#chunks.splice(0)) more = this.#sink.onData(chunk) && more;
    return more;
  }

  #holdsResult(): boolean {
    if (this.#status !== 200) return false;
    const bytes = Buffer.concat(this.#chunks);
    const type = (this.#headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase();
    const messages =
      type === "text/event-stream" ? new SseParser().push(bytes).flatMap((item) => (item.kind === "overlong" ? [] : [item.data])) : [bytes];
    const found = messages.some((message) => skimAnswer(message).kind === "result");
    if (found) this.#remember(true);
    return found;
  }
}
