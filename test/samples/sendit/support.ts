/**
 * Starts the sample on a scratch folder, as a process of its own or in this one, and talks to it in plain HTTP.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { start } from "../../../samples/sendit/run.ts";

const MAIN = fileURLToPath(new URL("../../../samples/sendit/main.ts", import.meta.url));
export const KEY: string = Buffer.alloc(32, 7).toString("base64");

export interface Sample {
  readonly origin: string;
  call(name: string, args: object): Promise<CallResult>;
  stop(): Promise<void>;
}

export interface SampleProcess extends Sample {
  readonly child: ChildProcess;
  /** The exit code, once it has ended. */
  readonly ended: Promise<number | null>;
}

export interface CallResult {
  readonly isError?: boolean;
  readonly content: readonly { readonly text: string }[];
  // biome-ignore lint/suspicious/noExplicitAny: what a test looks into.
  readonly structuredContent?: any;
}

export function makeFolder(): string {
  const dir = mkdtempSync(path.join(tmpdir(), "sample-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** The same server in the test's own process, which is quicker. */
export async function startHere(dir: string, env: Record<string, string> = {}): Promise<Sample> {
  const { origin, stop } = await start(["--data", dir], { SENDIT_KEY: KEY, ...env });
  onTestFinished(stop);
  return { origin, stop, call: (name, args) => callTool(origin, name, args) };
}

export async function startSample(dir: string, env: Record<string, string> = {}): Promise<SampleProcess> {
  const child = spawn(process.execPath, [MAIN, "--port", "0", "--data", dir], {
    env: { PATH: process.env["PATH"], SENDIT_KEY: KEY, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (part: Buffer) => (complaint += part.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const origin = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (part: Buffer) => resolve(/^listening on (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(part.toString())?.[1] ?? ""));
    void ended.then((code) => reject(new Error(`ended with ${code}: ${complaint}`)));
  });
  return {
    origin,
    child,
    ended,
    call: (name, args) => callTool(origin, name, args),
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

async function callTool(origin: string, name: string, args: object): Promise<CallResult> {
  const answer = await post(origin, { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } });
  return answer.json.result as CallResult;
}

// biome-ignore lint/suspicious/noExplicitAny: what a test looks into.
export async function post(origin: string, body: unknown, headers: Record<string, string> = {}): Promise<{ status: number; json: any }> {
  const answer = await fetch(`${origin}/mcp`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    body: typeof body === "string" || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, json: text === "" ? undefined : JSON.parse(text) };
}

export interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver on loopback that answers what it is told to and keeps what came. */
export async function startReceiver(
  status: number,
  headers: Record<string, string> = {},
): Promise<{ origin: string; received: Received[] }> {
  const received: Received[] = [];
  const origin = await listen((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (part: string) => (body += part));
    request.on("end", () => {
      received.push({ method: request.method, url: request.url, headers: request.headers, body });
      response.writeHead(status, headers).end();
    });
  });
  return { origin, received };
}

export async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Everything the folder holds, as one text. */
export function readFolder(dir: string): string {
  return readdirSync(dir)
    .map((name) => readFileSync(path.join(dir, name), "latin1"))
    .join("\n");
}
