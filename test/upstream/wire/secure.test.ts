import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createAddressGuard } from "../../../src/upstream/address-guard.ts";
import { createHttpUpstream, type HttpUpstream } from "../../../src/upstream/http-upstream.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "../certificate.ts";
import { createRecorder, type Told } from "../loopback-server.ts";

const PIECE = Buffer.alloc(50_000, "abcdefghij");

interface SecureServer {
  readonly port: number;
  /** Of each connection: the protocol that was agreed on. */
  readonly protocols: (string | false | null)[];
}

/** Echoes a posted body many times over. */
async function startSecure(): Promise<SecureServer> {
  const protocols: (string | false | null)[] = [];
  const server = createServer({ key: TEST_KEY, cert: TEST_CERTIFICATE, ALPNProtocols: ["h2", "http/1.1"] }, (request, response) => {
    request.resume();
    request.on("end", () => {
      for (let count = 0; count < 12; count++) response.write(PIECE);
      response.end();
    });
  });
  server.on("secureConnection", (socket) => protocols.push(socket.alpnProtocol));
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, protocols };
}

function open(port: number, ca?: string): HttpUpstream {
  const guard = createAddressGuard({ allow: ["127.0.0.1"], resolve: () => Promise.resolve(["127.0.0.1"]) });
  const upstream = createHttpUpstream({ url: `https://server.example:${port}/`, headers: {}, guard, ca });
  onTestFinished(() => upstream.close());
  return upstream;
}

function send(upstream: HttpUpstream): Promise<Told> {
  const recorder = createRecorder();
  upstream.exchange({ method: "POST", headers: {}, body: Buffer.alloc(200_000, "x") }, recorder);
  return recorder.done;
}

describe("over TLS", () => {
  test("every byte comes, on one connection, by HTTP/1.1", async () => {
    const server = await startSecure();
    const upstream = open(server.port, TEST_CERTIFICATE);
    for (let count = 0; count < 3; count++) {
      const told = await send(upstream);
      expect(told).toMatchObject({ status: 200, ended: true });
      expect(told.body === PIECE.toString().repeat(12)).toBe(true);
    }
    expect(server.protocols).toEqual(["http/1.1"]);
  });

  test("a sink that pauses gets every byte", async () => {
    const server = await startSecure();
    const recorder = createRecorder(() => {
      setTimeout(() => exchange.resume(), 1);
      return false;
    });
    const exchange = open(server.port, TEST_CERTIFICATE).exchange({ method: "POST", headers: {}, body: Buffer.from("{}") }, recorder);
    expect((await recorder.done).ended).toBe(true);
    expect(recorder.told.body === PIECE.toString().repeat(12)).toBe(true);
  });

  test("authorities that can't be read open nothing, and nobody waits", async () => {
    const server = await startSecure();
    const upstream = open(server.port, "-----BEGIN CERTIFICATE-----\nbad\n-----END CERTIFICATE-----");
    for (const told of await Promise.all([send(upstream), send(upstream)])) {
      expect(told).toMatchObject({ ended: false, faults: [{ reason: "connect", sent: "not_sent" }] });
    }
    expect(upstream.waiting).toBe(0);
  });

  test("no word of the environment makes a certificate good", async () => {
    const server = await startSecure();
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    onTestFinished(() => void delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]);
    expect(await send(open(server.port))).toMatchObject({ ended: false, faults: [{ reason: "connect", sent: "not_sent" }] });
  });
});
