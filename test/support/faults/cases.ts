/**
 * What a server may do to a call in place of answering it well. Every case is written once against a mouth, which is a
 * stream of events over HTTP, the stream of HTTP+SSE or the output of a process; the last ones are of HTTP alone.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { gzipSync } from "node:zlib";

/** One call's way back, as the server has it. */
export interface Mouth {
  /** The call's id, as JSON. */
  readonly id: string;
  /** One message as this transport frames it. */
  frame(message: string): string;
  /** Settles when more may be said; false: nobody hears it any more. */
  say(bytes: string | Buffer): Promise<boolean>;
  /** Breaks off, as a crash does. */
  cut(): void;
  /** Ends as if all had been said. */
  end(): void;
}

export interface FaultCase {
  readonly name: string;
  /** What its client gets: the result, or a result that says that there is none. */
  readonly answer: "result" | "fault";
  /** Its answer is as large as answers may be. */
  readonly isLarge?: boolean;
  /** Nothing comes, so that the call ends by its time. */
  readonly isSilent?: boolean;
  readonly act?: (mouth: Mouth) => void | Promise<void>;
  readonly http?: (response: ServerResponse, socket: Socket, id: string) => void;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const PIECE_BYTES = 64 * KIB;
/** Several writes, not one for each byte: what counts is how the bytes are cut up where they are read. */
const SINGLE_BYTES = 256 * KIB;
const FLOOD_MESSAGES = 5_000;
/** Longer than any call waits here; a stream that others share must not be filled for ever. */
const ENDLESS_MESSAGES = 1_000;

export function writeResult(id: string, textBytes: number): string {
  const text = "x".repeat(textBytes);
  return `{"jsonrpc":"2.0","id":${id},"result":{"resultType":"complete","content":[{"type":"text","text":"${text}"}]}}`;
}

const NOTE = (size: number): string =>
  `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"${"n".repeat(size)}"}}`;

/** In pieces, as slowly as its reader wants them. */
async function sayInPieces(mouth: Mouth, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) if (!(await mouth.say(bytes.subarray(at, at + PIECE_BYTES)))) return;
}

const answerOf =
  (size: number) =>
  async (mouth: Mouth): Promise<void> => {
    await sayInPieces(mouth, mouth.frame(writeResult(mouth.id, size)));
    mouth.end();
  };

/** The bytes of a body in HTTP chunks of one byte each. */
function chunkSingly(text: string): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < text.length; at += PIECE_BYTES) {
    pieces.push(Buffer.from(text.slice(at, at + PIECE_BYTES).replace(/[^]/g, (letter) => `1\r\n${letter}\r\n`)));
  }
  pieces.push(Buffer.from("0\r\n\r\n"));
  return pieces;
}

function sayChunks(socket: Socket, type: string, text: string): void {
  socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n`);
  for (const piece of chunkSingly(text)) socket.write(piece);
  socket.end();
}

const JSON_TYPE = { "content-type": "application/json" };
const EVENTS = { "content-type": "text/event-stream" };

export const CASES: readonly FaultCase[] = [
  { name: "answers", answer: "result", act: answerOf(10) },
  { name: "answers 64 KiB", answer: "result", act: answerOf(64 * KIB) },
  { name: "answers 1 MiB", answer: "result", act: answerOf(MIB) },
  { name: "answers 31 MiB", answer: "result", isLarge: true, act: answerOf(31 * MIB) },
  { name: "answers 33 MiB", answer: "fault", isLarge: true, act: answerOf(33 * MIB) },
  {
    name: "answers byte by byte",
    answer: "result",
    async act(mouth) {
      const bytes = Buffer.from(mouth.frame(writeResult(mouth.id, 4 * KIB)));
      for (let at = 0; at < bytes.length; at++) await mouth.say(bytes.subarray(at, at + 1));
      mouth.end();
    },
  },
  {
    name: "answers twice",
    answer: "result",
    async act(mouth) {
      const message = mouth.frame(writeResult(mouth.id, 10));
      await mouth.say(message + message);
      mouth.end();
    },
  },
  {
    name: "answers after 5 000 messages",
    answer: "result",
    async act(mouth) {
      for (let count = 0; count < FLOOD_MESSAGES; count += 100) await mouth.say(mouth.frame(NOTE(500)).repeat(100));
      await mouth.say(mouth.frame(writeResult(mouth.id, 10)));
      mouth.end();
    },
  },
  {
    name: "is cut inside its answer",
    answer: "fault",
    async act(mouth) {
      const text = mouth.frame(writeResult(mouth.id, MIB));
      await sayInPieces(mouth, text.slice(0, text.length / 2));
      mouth.cut();
    },
  },
  { name: "is cut before its answer", answer: "fault", act: (mouth) => mouth.cut() },
  { name: "never answers", answer: "fault", isSilent: true, act: () => undefined },
  {
    name: "says things for ever",
    answer: "fault",
    isSilent: true,
    async act(mouth) {
      for (let count = 0; count < ENDLESS_MESSAGES && (await mouth.say(mouth.frame(NOTE(50)))); count++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
  },
  {
    name: "never ends its message",
    answer: "fault",
    isSilent: true,
    isLarge: true,
    async act(mouth) {
      const start = mouth.frame('{"jsonrpc":"2.0","method":"').trimEnd();
      if (!(await mouth.say(start))) return;
      const piece = Buffer.alloc(PIECE_BYTES, "m");
      for (let said = 0; said < 40 * MIB; said += piece.length) if (!(await mouth.say(piece))) return;
      // Others may share the stream, and come behind it.
      await mouth.say("\n\n");
    },
  },
  { name: "HTTP: hangs up", answer: "fault", http: (_response, socket) => void socket.destroy() },
  {
    name: "HTTP: tells a longer body",
    answer: "fault",
    http(response, socket, id) {
      const body = writeResult(id, KIB);
      response.writeHead(200, { ...JSON_TYPE, "content-length": body.length * 2 });
      response.write(body, () => socket.end());
    },
  },
  {
    name: "HTTP: is cut between chunks",
    answer: "fault",
    http(response, socket, id) {
      response.writeHead(200, JSON_TYPE).write(writeResult(id, KIB), () => socket.destroy());
    },
  },
  { name: "HTTP: ends its events early", answer: "fault", http: (response) => void response.writeHead(200, EVENTS).end(": nothing\n\n") },
  {
    name: "HTTP: gzips JSON unasked",
    answer: "fault",
    http: (response, _socket, id) =>
      void response.writeHead(200, { ...JSON_TYPE, "content-encoding": "gzip" }).end(gzipSync(writeResult(id, KIB))),
  },
  {
    name: "HTTP: gzips events unasked",
    answer: "fault",
    http: (response, _socket, id) =>
      void response.writeHead(200, { ...EVENTS, "content-encoding": "gzip" }).end(gzipSync(`data: ${writeResult(id, 31 * MIB)}\n\n`)),
  },
  {
    name: "HTTP: 31 MiB of JSON",
    answer: "result",
    isLarge: true,
    http: (response, _socket, id) => void response.writeHead(200, JSON_TYPE).end(writeResult(id, 31 * MIB)),
  },
  {
    name: "HTTP: 33 MiB of JSON",
    answer: "fault",
    isLarge: true,
    http: (response, _socket, id) => void response.writeHead(200, JSON_TYPE).end(writeResult(id, 33 * MIB)),
  },
  {
    name: "HTTP: JSON in chunks of a byte",
    answer: "result",
    http: (_response, socket, id) => sayChunks(socket, "application/json", writeResult(id, SINGLE_BYTES)),
  },
  {
    name: "HTTP: events in chunks of a byte",
    answer: "result",
    http: (_response, socket, id) => sayChunks(socket, "text/event-stream", `data: ${writeResult(id, SINGLE_BYTES)}\n\n`),
  },
  {
    name: "HTTP: begins and says nothing",
    answer: "fault",
    isSilent: true,
    http: (response) => void response.writeHead(200, EVENTS).flushHeaders(),
  },
];

export const toolOf = ({ name }: FaultCase): string => name.replaceAll(/[^A-Za-z0-9]+/g, "_").toLowerCase();
export const TOOLS: string = `[${CASES.map((one) => `{"name":"${toolOf(one)}","inputSchema":{"type":"object"}}`).join(",")}]`;
export const findCase = (tool: unknown): FaultCase | undefined => CASES.find((one) => toolOf(one) === tool);
