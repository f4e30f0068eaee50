/** A Node HTTP server on a free loopback port, for the servers that tests stand up. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface Listening {
  readonly url: string;
  stop(): Promise<void>;
}

export async function listenOn(serve: (request: IncomingMessage, response: ServerResponse) => void): Promise<Listening> {
  const server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no address");
  return {
    url: `http://127.0.0.1:${address.port}/mcp`,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

export async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
