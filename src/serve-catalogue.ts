/**
 * The catalogue's pages on a listener: reads what is asked, hands it to the catalogue's own thread, and sends what comes
 * back. The thread starts with the first question. Bounded in questions that wait, in a form's bytes and in patience.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import path from "node:path";
import { Worker } from "node:worker_threads";
import type { Answered, Asked, WorkerStart } from "./catalogue-worker.ts";
import { sendProblem } from "./gateway/http-face.ts";
import { checkSource, type Gate } from "./gateway/identify.ts";
import { HEADERS_TIMEOUT_MS, listen, MAX_HEADER_BYTES, REQUEST_TIMEOUT_MS } from "./http-server.ts";
import { CATALOGUE_PATH, type CatalogueRequest } from "./pages/catalog/answer-catalogue.ts";
import type { Answer } from "./pages/catalog/layout.ts";
import type { ServePage } from "./pages/connect-pages.ts";

const MAX_WAITING = 128;
const PATIENCE_MS = 60_000;
const MAX_FORM_BYTES = 96 * 1024;
const MAX_QUERY_CHARACTERS = 4_096;
const FORM = /^application\/x-www-form-urlencoded(?:;.*)?$/i;

export interface CatalogueOptions {
  readonly file?: string | undefined;
  readonly dataDir: string;
  readonly gate: Gate;
  /** Known when the listener is open. */
  readonly baseUrl: () => string;
  readonly say: (words: string) => void;
}

export interface CataloguePages {
  readonly serve: ServePage;
  stop(): Promise<void>;
}

/** A thread in source where this runs as source, compiled where it is. */
function startWorker(start: WorkerStart): Worker {
  const file = `catalogue-worker${path.extname(import.meta.filename)}`;
  return new Worker(path.join(import.meta.dirname, file), { workerData: start });
}

class Thread {
  readonly #options: CatalogueOptions;
  readonly #waiting = new Map<number, (answered: Answered | undefined) => void>();
  #worker: Worker | undefined;
  #last = 0;

  constructor(options: CatalogueOptions) {
    this.#options = options;
  }

  /** Undefined: there is no answer now. */
  async ask(request: CatalogueRequest): Promise<Answer | undefined> {
    if (this.#waiting.size >= MAX_WAITING) return undefined;
    const id = ++this.#last;
    const worker = (this.#worker ??= this.#start());
    const answered = await new Promise<Answered | undefined>((resolve) => {
      const timer = setTimeout(() => this.#end(worker, "The catalogue's thread did not answer in time."), PATIENCE_MS);
      this.#waiting.set(id, (found) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(found);
      });
      const asked: Asked = { id, request };
      worker.postMessage(asked, []);
    });
    if (answered?.trouble !== undefined) this.#options.say(answered.trouble);
    return answered?.answer;
  }

  #start(): Worker {
    const { file, dataDir, baseUrl } = this.#options;
    const worker = startWorker({ file, dataDir, baseUrl: baseUrl() });
    worker.on("message", (answered: Answered) => this.#waiting.get(answered.id)?.(answered));
    worker.on("error", (error) => this.#end(worker, `The catalogue's thread ended: ${error instanceof Error ? error.message : "unknown"}`));
    return worker;
  }

  #end(worker: Worker, words: string | undefined): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    if (words !== undefined) this.#options.say(words);
    for (const settle of [...this.#waiting.values()]) settle(undefined);
    void worker.terminate();
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#end(worker, undefined);
    await worker.terminate();
  }
}

export function createCataloguePages(options: CatalogueOptions): CataloguePages {
  const thread = new Thread(options);
  const serve: ServePage = (request, response) => {
    const [asked = "/", query = ""] = (request.url ?? "/").split(/\?(.*)/s);
    if (!CATALOGUE_PATH.test(asked)) return false;
    const foreign = checkSource(options.gate, request);
    const { method } = request;
    if (foreign) refuse(request, response, foreign.status);
    else if (method !== "GET" && method !== "HEAD" && method !== "POST") refuse(request, response, 405);
    else if (query.length > MAX_QUERY_CHARACTERS) refuse(request, response, 400);
    else if (method === "POST" && !FORM.test(request.headers["content-type"] ?? "")) refuse(request, response, 415);
    else void answer(thread, { request, response, path: asked, query });
    return true;
  };
  return { serve, stop: () => thread.stop() };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: string;
}

function refuse(request: IncomingMessage, response: ServerResponse, status: number): void {
  request.resume();
  sendProblem(response, status, status === 405 ? { allow: "GET, HEAD, POST" } : {});
}

async function answer(thread: Thread, { request, response, path: asked, query }: Exchange): Promise<void> {
  try {
    const isPost = request.method === "POST";
    const form = isPost ? await readForm(request) : undefined;
    if (isPost && form === undefined) return sendProblem(response, 413, { connection: "close" });
    if (!isPost) request.resume();
    const source = request.socket.remoteAddress ?? "unknown";
    const found = await thread.ask({ method: isPost ? "POST" : "GET", path: asked, query, form, source });
    if (response.destroyed) return;
    if (!found) return sendProblem(response, 503);
    const body = Buffer.from(found.body);
    response.writeHead(found.status, { ...found.headers, "content-length": body.length });
    response.end(request.method === "HEAD" ? undefined : body);
  } catch {
    if (!response.headersSent && !response.destroyed) sendProblem(response, 503);
  }
}

/** Undefined where it is longer than a form of ours can be. */
async function readForm(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_FORM_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

export interface ServeChoice {
  readonly file: string | undefined;
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly say: (words: string) => void;
}

/** The catalogue alone, with no gateway. */
export async function serveCatalogue(choice: ServeChoice): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const { host, port, file, dataDir, say } = choice;
  let baseUrl = "";
  const shown = host.includes(":") ? `[${host}]` : host.toLowerCase();
  const gate: Gate = { hosts: new Set([shown]), endpoints: new Map() };
  const pages = createCataloguePages({ file, dataDir, gate, baseUrl: () => baseUrl, say });
  const limits = { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS };
  const server = createServer(limits, (request, response) => {
    if (!pages.serve(request, response)) refuse(request, response, 404);
  });
  baseUrl = `http://${shown}:${await listen(server, host, port)}`;
  return {
    url: `${baseUrl}/catalog`,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await pages.stop();
      await closed;
    },
  };
}
