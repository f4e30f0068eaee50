/**
 * A request and its reply as whoever serves them sees them: Node's own objects fit, and so do those of the quick way. A
 * whole request has its body with it; of Node's the body is still to be read.
 */
import type { IncomingMessage } from "node:http";

/** The fields that stand at most once in a whole request, by their names. */
export interface KnownFields {
  host: string | undefined;
  authorization: string | undefined;
  origin: string | undefined;
  accept: string | undefined;
  "content-type": string | undefined;
  "content-length": string | undefined;
  "content-encoding": string | undefined;
}

export interface WholeRequest {
  readonly method: "POST";
  readonly url: string;
  readonly headers: Readonly<KnownFields>;
  /** Names as they were spelt and values, in turn: every field that came. */
  readonly rawHeaders: readonly string[];
  readonly complete: true;
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly body: Buffer;
}

export type HttpRequest = IncomingMessage | WholeRequest;

/** Names are written in lower case. */
export type ReplyFields = Readonly<Record<string, string | number>>;

export interface HttpReply {
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  /** Everything was given to the system; a reply that is closed and not finished lost its client. */
  readonly writableFinished: boolean;
  readonly writableNeedDrain: boolean;
  writeHead(status: number, fields?: ReplyFields): HttpReply;
  flushHeaders(): void;
  /** False asks for a pause until `drain`. */
  write(bytes: Uint8Array): boolean;
  end(bytes?: Uint8Array): unknown;
  destroy(): unknown;
  on(event: "close", act: () => void): unknown;
  once(event: "drain", act: () => void): unknown;
}

/** Serves one request; never throws. */
export type Serve = (request: HttpRequest, reply: HttpReply) => void;
