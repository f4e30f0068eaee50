/**
 * Calls that come when they come: an open loop over plain sockets, as a Poisson process of a given rate. A call's time
 * runs from when it was due, not from when it could be sent, so that a system that stalls is charged for everybody who
 * would have waited. Run as a program: `node bench/open-loop.ts '{"urls": […], …}'`; prints one JSON object.
 */
import { connect, type Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { CALL_ID, GOOD_ANSWER, splitAtId } from "./call-body.ts";
import { quantile } from "./numbers.ts";

export interface OpenLoop {
  /** Connections are shared out among them. */
  readonly urls: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly sessions: readonly string[];
  readonly body: string;
  readonly callsPerSecond: number;
  readonly seconds: number;
  readonly connections: number;
}

export interface OpenLoopResult {
  /** Calls whose time counts: those due after the first moments. */
  readonly calls: number;
  readonly sent: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  /** Answers that were none, and calls without an answer at the end. */
  readonly errors: number;
  /** How late the sender itself was, at its own 99th percentile. */
  readonly senderP99Us: number;
}

const TICK_MS = 0.25;
const WARM_UP_MS = 500;
const LAST_ANSWERS_MS = 10_000;
const MAX_WAITING_CALLS = 200_000;
const HEAD_END = "\r\n\r\n";
const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;
const LAST_CHUNK = "0\r\n\r\n";

/** The event loop's timers tell milliseconds; a thread that waits on a lock tells a quarter of one. */
const METRONOME = `
  const { parentPort, workerData } = require("node:worker_threads");
  const lock = new Int32Array(new SharedArrayBuffer(4));
  const start = performance.now();
  for (let tick = 1; ; tick++) {
    const wait = start + tick * workerData - performance.now();
    if (wait > 0) Atomics.wait(lock, 0, 0, wait);
    parentPort.postMessage(0);
  }`;

interface Line {
  readonly socket: Socket;
  /** The head of each of its requests, up to the session. */
  readonly head: string;
  /** When the call that it carries was due; undefined: it is free. */
  dueMs: number | undefined;
  text: string;
}

/** Whether the text holds a whole answer. */
function isWhole(text: string): boolean {
  const headEnd = text.indexOf(HEAD_END);
  if (headEnd < 0) return false;
  const head = text.slice(0, headEnd);
  if (CHUNKED.test(head)) return text.endsWith(LAST_CHUNK);
  return text.length - headEnd - HEAD_END.length >= Number(LENGTH.exec(head)?.[1] ?? 0);
}

/** Numbers from 0 to 1 that are the same in every run. */
function createDice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 1) / 4_294_967_297;
  };
}

export async function runOpenLoop(load: OpenLoop): Promise<OpenLoopResult> {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", ...load.headers };
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const writeHead = ({ pathname, host }: URL): string =>
    `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\n${fields.join("")}content-length: ${Buffer.byteLength(load.body)}\r\n`;
  const [bodyHead, bodyTail] = splitAtId(load.body);
  const [times, lateness]: [number[], number[]] = [[], []];
  let errors = 0;
  let sent = 0;
  const free: Line[] = [];
  const waiting: number[] = [];
  let nextWaiting = 0;

  function send(line: Line, dueMs: number): void {
    line.dueMs = dueMs;
    sent++;
    const session = load.sessions[sent % Math.max(1, load.sessions.length)];
    const field = session === undefined ? "" : `mcp-session-id: ${session}\r\n`;
    line.socket.write(`${line.head}${field}\r\n${bodyHead}${CALL_ID + sent}${bodyTail}`, "latin1");
  }

  function finish(line: Line, good: boolean): void {
    const { dueMs } = line;
    if (dueMs === undefined) return;
    line.dueMs = undefined;
    line.text = "";
    if (!good) errors++;
    else if (dueMs >= WARM_UP_MS) times.push((performance.now() - startMs - dueMs) * 1000);
    const next = waiting[nextWaiting];
    if (next === undefined) free.push(line);
    else {
      nextWaiting++;
      send(line, next);
    }
  }

  async function open(url: URL): Promise<void> {
    const socket = connect(Number(url.port), url.hostname);
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const line: Line = { socket, head: writeHead(url), dueMs: undefined, text: "" };
    socket.setNoDelay(true).setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      line.text = line.text === "" ? chunk : line.text + chunk;
      if (isWhole(line.text)) finish(line, line.text.startsWith("HTTP/1.1 2") && line.text.includes(GOOD_ANSWER));
    });
    // A line that is lost takes its call with it; the others go on.
    const lose = (): void => {
      if (line.dueMs !== undefined) errors++;
      line.dueMs = undefined;
      const at = free.indexOf(line);
      if (at >= 0) free.splice(at, 1);
    };
    socket.on("error", () => undefined).on("close", lose);
    free.push(line);
  }

  const urls = load.urls.map((url) => new URL(url));
  for (let count = 0; count < load.connections; count++) await open(urls[count % urls.length] as URL);
  const lines = [...free];
  const dice = createDice(1);
  const startMs = performance.now();
  const endMs = WARM_UP_MS + load.seconds * 1000;
  let dueMs = 0;
  const metronome = new Worker(METRONOME, { eval: true, workerData: TICK_MS });
  await new Promise<void>((resolve) => {
    metronome.on("message", () => {
      const nowMs = performance.now() - startMs;
      while (dueMs <= nowMs && dueMs < endMs) {
        lateness.push((nowMs - dueMs) * 1000);
        const line = free.pop();
        if (line) send(line, dueMs);
        else if (waiting.length - nextWaiting < MAX_WAITING_CALLS) waiting.push(dueMs);
        else errors++;
        dueMs += (-Math.log(dice()) * 1000) / load.callsPerSecond;
      }
      const open = lines.some((line) => line.dueMs !== undefined);
      if (nowMs > endMs + LAST_ANSWERS_MS || (nowMs > endMs && !open && nextWaiting >= waiting.length)) resolve();
    });
  });
  await metronome.terminate();
  errors += lines.filter((line) => line.dueMs !== undefined).length + (waiting.length - nextWaiting);
  for (const line of lines) line.socket.destroy();
  const [p50Us, p99Us, p999Us] = [0.5, 0.99, 0.999].map((share) => quantile(times, share)) as [number, number, number];
  return { calls: times.length, sent, p50Us, p99Us, p999Us, errors, senderP99Us: quantile(lateness, 0.99) };
}

if (import.meta.main) process.stdout.write(JSON.stringify(await runOpenLoop(JSON.parse(process.argv[2] as string) as OpenLoop)));
