/**
 * A wire of the test's own between a gateway and one of its stores: it passes bytes on as they come, late, or not at all, and
 * cuts or half-closes what is connected. Silence loses nothing that was sent: it comes when the wire speaks again, as after a
 * network that was away.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Relay {
  readonly port: number;
  /** What is sent from now on comes so much later. */
  delay(ms: number): void;
  /** Nothing comes through, in either direction, and nobody is told; connections are taken and never answered. */
  silence(): void;
  /** Ends every connection at once, with a reset. */
  cut(): void;
  /** Tells the gateway that nothing more comes, while its own direction stays open. */
  halfClose(): void;
  /** New connections are reset too, until it is mended. */
  refuse(): void;
  mend(): void;
  stop(): Promise<void>;
}

export async function startRelay(targetPort: number): Promise<Relay> {
  const pairs = new Set<readonly [gateway: Socket, store: Socket]>();
  let lateMs = 0;
  let isRefusing = false;
  let speaking: PromiseWithResolvers<void> | undefined;

  function pass(from: Socket, to: Socket): void {
    let chain: Promise<void> = Promise.resolve();
    const push = (act: () => void): void => {
      const dueMs = performance.now() + lateMs;
      chain = chain.then(async () => {
        const waitMs = dueMs - performance.now();
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        await speaking?.promise;
        if (!to.destroyed) act();
      });
    };
    from.on("data", (chunk: Buffer) => push(() => to.write(chunk)));
    from.on("end", () => push(() => to.end()));
    from.on("error", () => undefined);
    from.on("close", () => push(() => to.destroySoon()));
  }

  const server = createServer({ allowHalfOpen: true }, (gateway) => {
    if (isRefusing) return void gateway.resetAndDestroy();
    const store = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true });
    const pair = [gateway, store] as const;
    pairs.add(pair);
    store.on("close", () => pairs.delete(pair));
    pass(gateway, store);
    pass(store, gateway);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const cut = (): void => {
    for (const [gateway, store] of pairs) {
      gateway.resetAndDestroy();
      store.resetAndDestroy();
    }
  };
  const mend = (): void => {
    lateMs = 0;
    isRefusing = false;
    speaking?.resolve();
    speaking = undefined;
  };
  return {
    port: (server.address() as AddressInfo).port,
    delay: (ms) => void (lateMs = ms),
    silence: () => void (speaking ??= Promise.withResolvers<void>()),
    cut,
    halfClose: () => {
      for (const [gateway] of pairs) gateway.end();
    },
    refuse: () => {
      isRefusing = true;
      cut();
    },
    mend,
    stop: async () => {
      mend();
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The same address through the wire. */
export function throughRelay(url: string, relay: Relay): string {
  return url.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${relay.port}`);
}
