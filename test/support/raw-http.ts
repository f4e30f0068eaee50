/** HTTP by hand: what is written is what goes over the wire, and what comes back is kept as it came. */
import { connect } from "node:net";

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case; a repeated header is joined by a line break. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body, unchunked. */
  readonly text: string;
  /** Everything that came. */
  readonly bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came.
  json(): any;
}

export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers: HeaderList;
  readonly body?: string | Uint8Array;
}

const ANSWER_TIMEOUT_MS = 60_000;

/** The bytes of a request; a body has its length told unless the headers tell something themselves. */
export function writeHttp(request: RawRequest): Buffer {
  const { method = "POST", path, headers } = request;
  const body = Buffer.from(request.body ?? "");
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  const told = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
  if (!told && (body.length > 0 || method === "POST")) lines.push(`Content-Length: ${body.length}`);
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1"), body]);
}

/** Sends the pieces, one after the other, and reads until the other side closes. */
export async function exchangeBytes(port: number, pieces: readonly (Uint8Array | number)[]): Promise<Buffer> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  const ended = new Promise<void>((resolve, reject) => {
    socket.on("data", (chunk) => chunks.push(chunk));
    // The other side may close before it has read everything: what it said is what counts.
    socket.on("error", () => resolve());
    socket.on("close", () => resolve());
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
      socket.destroy();
      reject(new Error("no answer in time"));
    });
  });
  for (const piece of pieces) {
    if (typeof piece === "number") await new Promise((resolve) => setTimeout(resolve, piece));
    else if (!socket.destroyed) socket.write(piece);
  }
  await ended;
  return Buffer.concat(chunks);
}

export async function sendHttp(port: number, request: RawRequest): Promise<RawAnswer> {
  return readAnswer(await exchangeBytes(port, [writeHttp(request)]));
}

export function readAnswer(bytes: Buffer): RawAnswer {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) throw new Error(`no HTTP answer came: ${bytes.toString("latin1").slice(0, 200)}`);
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = Object.hasOwn(headers, name) ? `${headers[name]}\n${value}` : value;
  }
  const rest = bytes.subarray(end + 4);
  const text = (headers["transfer-encoding"] === "chunked" ? unchunk(rest) : rest).toString("utf8");
  return { status: Number(first.split(" ")[1]), headers, text, bytes, json: () => JSON.parse(text) };
}

function unchunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const line = bytes.indexOf("\r\n", at);
    if (line < 0) break;
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16);
    if (!(size > 0)) break;
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return Buffer.concat(parts);
}
