/**
 * A server that answers with bytes as they are given, in pieces, each in a turn of its own; then it ends the connection
 * or keeps it. It counts its connections and keeps what came on each.
 */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface RawAnswers {
  readonly url: string;
  readonly port: number;
  /** What came, by connection. */
  readonly arrived: string[];
  readonly sockets: Socket[];
}

/** What is done with a whole request; `nth` counts those of all connections from 0. */
export type AnswerRequest = (socket: Socket, request: string, nth: number) => void;

export async function startRawAnswers(answer: AnswerRequest): Promise<RawAnswers> {
  const arrived: string[] = [];
  const sockets: Socket[] = [];
  let requests = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    const index = sockets.push(socket) - 1;
    arrived[index] = "";
    let rest = "";
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      arrived[index] += chunk.toString("latin1");
      rest += chunk.toString("latin1");
      for (;;) {
        const headEnd = rest.indexOf("\r\n\r\n");
        if (headEnd < 0) return;
        const end = headEnd + 4 + Number(/\r\ncontent-length: (\d+)/i.exec(rest.slice(0, headEnd))?.[1] ?? 0);
        if (rest.length < end) return;
        const request = rest.slice(0, end);
        rest = rest.slice(end);
        answer(socket, request, requests++);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/mcp`, port, arrived, sockets };
}

/** Writes the pieces, each when the one before has left and the event loop has turned. */
export function writePieces(socket: Socket, pieces: readonly Buffer[], then: () => void): void {
  const [first, ...others] = pieces;
  if (first === undefined) then();
  else if (first.length === 0) writePieces(socket, others, then);
  else socket.write(first, () => setImmediate(() => writePieces(socket, others, then)));
}
