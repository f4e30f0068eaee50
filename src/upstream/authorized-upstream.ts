/**
 * A server whose credential changes: each request goes out with the one that holds now, or not at all. A request that
 * the server refused for its credential (401, before it ran anything) is sent once more, with a renewed one; every other
 * is sent once. What the server says with its refusal is read here and goes no further.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { AnswerSink, FaultReason, HttpUpstream, OpenExchange, UpstreamFault, UpstreamRequest } from "./http-upstream.ts";
import { readChallenge } from "./oauth/challenge.ts";
import type { Credential, CredentialSource } from "./oauth/credential-source.ts";

export type CredentialPort = Pick<CredentialSource, "current" | "renew" | "replace" | "wantScopes">;

export function createAuthorizedUpstream(upstream: HttpUpstream, source: CredentialPort): HttpUpstream {
  return {
    exchange(request, sink) {
      const exchange = new AuthorizedExchange(upstream, source, request, sink);
      exchange.start();
      return exchange;
    },
    get waiting() {
      return upstream.waiting;
    },
    endOwner: (owner) => upstream.endOwner?.(owner),
    close: () => upstream.close(),
  };
}

type Ready = Extract<Credential, { kind: "ready" }>;

class AuthorizedExchange implements OpenExchange, AnswerSink {
  readonly #upstream: HttpUpstream;
  readonly #source: CredentialPort;
  readonly #request: UpstreamRequest;
  readonly #sink: AnswerSink;
  #inner: OpenExchange | undefined;
  #used: Ready | undefined;
  #sends = 0;
  #ended = false;
  #onAbort: (() => void) | undefined;
  /** Its answer was a refusal of the credential: what still comes of it is for nobody. */
  #refused = false;

  constructor(upstream: HttpUpstream, source: CredentialPort, request: UpstreamRequest, sink: AnswerSink) {
    this.#upstream = upstream;
    this.#source = source;
    this.#request = request;
    this.#sink = sink;
  }

  start(): void {
    const { signal } = this.#request;
    if (signal?.aborted === true) return queueMicrotask(() => this.cancel());
    if (signal !== undefined) {
      this.#onAbort = () => this.cancel();
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    const credential = this.#source.current();
    if (credential.kind === "ready") this.#send(credential);
    // The caller has its handle before it is told.
    else if (credential.kind === "absent") queueMicrotask(() => this.#take(credential));
    else void this.#renew();
  }

  cancel(): void {
    if (this.#ended) return;
    this.#inner?.cancel();
    this.#fail("cancelled", "cancelled");
  }

  resume(): void {
    this.#inner?.resume();
  }

  onStart(status: number, headers: IncomingHttpHeaders): void {
    if (this.#ended) return;
    if (status === 401) {
      this.#refused = true;
      this.#inner?.cancel();
      void this.#replace();
      return;
    }
    if (status === 403) {
      const { error, scopes } = readChallenge(headers["www-authenticate"]);
      if (error === "insufficient_scope") {
        this.#source.wantScopes(scopes);
        this.#refused = true;
        this.#inner?.cancel();
        this.#fail("insufficient_scope", "the server wants further scopes");
        return;
      }
    }
    this.#sink.onStart(status, withoutChallenge(headers));
  }

  onData(chunk: Buffer): boolean {
    return this.#ended || this.#refused ? true : this.#sink.onData(chunk);
  }

  onEnd(): void {
    if (this.#ended || this.#refused) return;
    this.#finish();
    this.#sink.onEnd();
  }

  onFault(fault: UpstreamFault): void {
    if (this.#refused) return;
    this.#fail(fault.reason, fault.detail, fault.sent);
  }

  #send(credential: Ready): void {
    this.#used = credential;
    this.#sends++;
    this.#refused = false;
    this.#inner = this.#upstream.exchange({ ...this.#request, signal: undefined, authorization: credential.authorization }, this);
  }

  async #renew(): Promise<void> {
    this.#take(await this.#source.renew());
  }

  async #replace(): Promise<void> {
    const used = this.#used;
    if (used === undefined || this.#sends > 1) return this.#fail("login_required", "the server refused the credential twice");
    this.#take(await this.#source.replace(used.version));
  }

  #take(credential: Credential): void {
    if (this.#ended) return;
    if (credential.kind === "ready") return this.#send(credential);
    const isPassing = credential.kind === "stale" || credential.reason === "unavailable";
    this.#fail(isPassing ? "login_unavailable" : "login_required", "there is no credential for the server");
  }

  #fail(reason: FaultReason, detail: string, sent: UpstreamFault["sent"] = "not_sent"): void {
    if (this.#ended) return;
    this.#finish();
    // What has left once was refused, as the server says; but only the server knows.
    const isOut = this.#refused || this.#sends > 1;
    this.#sink.onFault({ reason, sent: isOut ? "unknown" : sent, detail });
  }

  #finish(): void {
    this.#ended = true;
    if (this.#onAbort !== undefined) this.#request.signal?.removeEventListener("abort", this.#onAbort);
  }
}

/** A challenge is the gateway's alone, whichever status it comes with. */
function withoutChallenge(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  if (headers["www-authenticate"] === undefined) return headers;
  const { "www-authenticate": _challenge, ...others } = headers;
  return others;
}
