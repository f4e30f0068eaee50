/**
 * Stands between a gateway and a store and counts round trips: each time that the gateway speaks after the store has, one
 * has begun. Reads nothing.
 */
import { connect, createServer, type Socket } from "node:net";

export interface TripCounter {
  readonly port: number;
  readonly trips: number;
  stop(): Promise<void>;
}

export async function countTrips(storePort: number): Promise<TripCounter> {
  let trips = 0;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(storePort, "127.0.0.1");
    let hasAnswered = true;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (chunk: Buffer) => {
      if (hasAnswered) trips++;
      hasAnswered = false;
      far.write(chunk);
    });
    far.on("data", (chunk: Buffer) => {
      hasAnswered = true;
      near.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    get trips() {
      return trips;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
