/** The channel of a request to one of several servers: what the server says of its resources, in the client's words. */
import { showUri } from "../../mcp/several-names.ts";
import { turnResultUris, turnUpdatedUri } from "../../mcp/turn-uris.ts";
import type { Channel } from "../channel.ts";
import type { AnswerStream, MessageStream } from "../stream.ts";

/** A stream on which one server's messages go to a client of several. */
export function turnMessages(stream: MessageStream, server: string): MessageStream {
  return {
    push: (message) => stream.push(turnUpdatedUri(asBuffer(message), (uri) => showUri(server, uri))),
    onceWritable: (resume) => stream.onceWritable(resume),
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export class TurnedChannel implements Channel {
  readonly #channel: Channel;
  readonly #server: string;
  readonly #method: string;

  /** `method` is that of the request which is answered. */
  constructor(channel: Channel, server: string, method: string) {
    this.#channel = channel;
    this.#server = server;
    this.#method = method;
  }

  answer(status: number, message: Buffer, headers?: Readonly<Record<string, string>>): void {
    this.#channel.answer(status, this.#turn(message), headers);
  }

  openStream(): AnswerStream | undefined {
    const stream = this.#channel.openStream();
    return (
      stream && {
        push: (message) => stream.push(turnUpdatedUri(this.#turn(asBuffer(message)), (uri) => showUri(this.#server, uri))),
        onceWritable: (resume) => stream.onceWritable(resume),
        end: () => stream.end(),
      }
    );
  }

  onGone(act: () => void): void {
    this.#channel.onGone(act);
  }

  #turn(message: Buffer): Buffer {
    return turnResultUris(this.#method, message, (uri) => showUri(this.#server, uri));
  }
}
