/** A server on loopback that does what a test says, counts what arrives, and is gone when the test is. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { createAddressGuard } from "../../src/upstream/address-guard.ts";
import {
  type AnswerSink,
  createHttpUpstream,
  type HttpUpstream,
  type UpstreamBounds,
  type UpstreamFault,
} from "../../src/upstream/http-upstream.ts";

export interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface LoopbackServer {
  readonly url: string;
  readonly port: number;
  readonly arrived: Arrived[];
  readonly connections: () => number;
  closeIdle(): void;
}

export type Answer = (request: Arrived, response: ServerResponse, raw: IncomingMessage) => void;

export async function startServer(answer: Answer): Promise<LoopbackServer> {
  const arrived: Arrived[] = [];
  let connections = 0;
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {});
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const one = { method, url, headers, body: Buffer.concat(chunks).toString("utf8") };
      arrived.push(one);
      answer(one, response, request);
    });
  };
  const server = createServer(listener);
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    port,
    arrived,
    connections: () => connections,
    closeIdle: () => server.closeIdleConnections(),
  };
}

export function openUpstream(url: string, headers: Record<string, string> = {}, bounds: Partial<UpstreamBounds> = {}): HttpUpstream {
  const guard = createAddressGuard({ allow: ["127.0.0.1/32"], resolve: () => Promise.resolve(["127.0.0.1"]) });
  const upstream = createHttpUpstream({ url, headers, guard, bounds });
  onTestFinished(() => upstream.close());
  return upstream;
}

/** Everything that a sink was told. */
export interface Told {
  status: number | undefined;
  headers: IncomingMessage["headers"];
  body: string;
  ended: boolean;
  readonly faults: UpstreamFault[];
}

export interface Recorder extends AnswerSink {
  readonly told: Told;
  /** Settles when the sink has had its end. */
  readonly done: Promise<Told>;
}

export function createRecorder(onData?: (chunk: Buffer, told: Told) => boolean): Recorder {
  const told: Told = { status: undefined, headers: {}, body: "", ended: false, faults: [] };
  const { promise, resolve } = Promise.withResolvers<Told>();
  const chunks: Buffer[] = [];
  return {
    told,
    done: promise,
    onStart(status, headers) {
      told.status = status;
      told.headers = headers;
    },
    onData(chunk) {
      chunks.push(Buffer.from(chunk));
      told.body = Buffer.concat(chunks).toString("utf8");
      return onData === undefined || onData(chunk, told);
    },
    onEnd() {
      told.ended = true;
      resolve(told);
    },
    onFault(fault) {
      told.faults.push(fault);
      resolve(told);
    },
  };
}
