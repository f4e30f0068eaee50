/** HTTP by hand, for what the SDK's clients never do: messages as they are spelled, streams event by event. */

export const EVENTS = "application/json, text/event-stream";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** JSON-RPC messages: one of a JSON body, or those of a stream, in order. */
  readonly messages: readonly Record<string, unknown>[];
}

export interface Sent {
  readonly token?: string | undefined;
  readonly session?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

function headersOf(sent: Sent): Record<string, string> {
  return {
    "content-type": "application/json",
    accept: EVENTS,
    ...(sent.token === undefined ? {} : { authorization: `Bearer ${sent.token}` }),
    ...(sent.session === undefined ? {} : { "mcp-session-id": sent.session }),
    ...sent.headers,
  };
}

/** Posts a message, given as text or as a value, and reads the answer to its end. */
export async function post(url: URL, body: unknown, sent: Sent): Promise<RawAnswer> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return await readAnswer(await fetch(url, { method: "POST", headers: headersOf(sent), body: text, signal: sent.signal ?? null }));
}

export async function readAnswer(answer: Response): Promise<RawAnswer> {
  const text = await answer.text();
  const type = answer.headers.get("content-type") ?? "";
  let messages: Record<string, unknown>[] = [];
  if (type.startsWith("text/event-stream")) {
    messages = text
      .split("\n\n")
      .map(parseEvent)
      .filter(({ data }) => data !== "")
      .map(({ data }) => JSON.parse(data) as Record<string, unknown>);
  } else if (type.includes("json") && text !== "") messages = [JSON.parse(text) as Record<string, unknown>];
  return { status: answer.status, headers: answer.headers, text, messages };
}

export interface RawEvent {
  readonly id: string | undefined;
  readonly data: string;
}

function parseEvent(block: string): RawEvent {
  let id: string | undefined;
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("id:")) id = line.slice(3).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return { id, data: data.join("\n") };
}

/** A stream that is read as it comes. */
export class RawStream {
  readonly status: number;
  readonly headers: Headers;
  readonly events: RawEvent[] = [];
  readonly ended: Promise<void>;
  isEnded = false;
  readonly #abort: AbortController;

  constructor(answer: Response, abort: AbortController) {
    this.status = answer.status;
    this.headers = answer.headers;
    this.#abort = abort;
    this.ended = this.#read(answer);
  }

  get messages(): Record<string, unknown>[] {
    return this.events.filter(({ data }) => data !== "").map(({ data }) => JSON.parse(data) as Record<string, unknown>);
  }

  get lastId(): string | undefined {
    return this.events.findLast(({ id }) => id !== undefined)?.id;
  }

  cut(): void {
    this.#abort.abort();
  }

  async #read(answer: Response): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    try {
      for await (const chunk of answer.body ?? []) {
        rest += decoder.decode(chunk as Uint8Array, { stream: true });
        const blocks = rest.split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) {
          const event = parseEvent(block);
          if (event.id !== undefined || event.data !== "") this.events.push(event);
        }
      }
    } catch {
      // Cut by either side: what came is kept.
    }
    this.isEnded = true;
  }
}

export async function openStream(url: URL, sent: Sent & { readonly body?: unknown; readonly method?: "GET" | "POST" }): Promise<RawStream> {
  const abort = new AbortController();
  const method = sent.method ?? (sent.body === undefined ? "GET" : "POST");
  const body = sent.body === undefined ? null : JSON.stringify(sent.body);
  const answer = await fetch(url, { method, headers: headersOf(sent), body, signal: abort.signal });
  return new RawStream(answer, abort);
}

export function initialize(capabilities: Record<string, unknown> = {}, protocolVersion = "2025-11-25"): Record<string, unknown> {
  const params = { protocolVersion, capabilities, clientInfo: { name: "raw", version: "1.0.0" } };
  return { jsonrpc: "2.0", id: 0, method: "initialize", params };
}

/** Opens a session by hand and gives its id. */
export async function openSession(url: URL, token: string, capabilities: Record<string, unknown> = {}): Promise<string> {
  const opened = await post(url, initialize(capabilities), { token });
  const session = opened.headers.get("mcp-session-id");
  if (opened.status !== 200 || session === null) throw new Error(`no session: ${opened.status} ${opened.text}`);
  const told = await post(url, { jsonrpc: "2.0", method: "notifications/initialized" }, { token, session });
  if (told.status !== 202) throw new Error(`initialized was answered ${told.status}`);
  return session;
}

export function call(
  id: number | string,
  name: string,
  args: Record<string, unknown> = {},
  meta?: Record<string, unknown>,
): Record<string, unknown> {
  return { jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args, ...(meta ? { _meta: meta } : {}) } };
}
