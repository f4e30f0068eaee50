/**
 * A server on standard streams, seen as the gateway sees every server: one request out, one answer back. Answers find
 * their request by the id that we gave it; what the server says unasked goes to `onMessage`. When the process ends, every
 * request in flight hears of it at once.
 */
import { skimAnswer } from "../mcp/answer.ts";
import { asData } from "../mcp/refusal.ts";
import { writeNotification } from "../mcp/rewrite.ts";
import type { AnswerSink, HttpUpstream, OpenExchange, UpstreamFault, UpstreamRequest } from "../upstream/http-upstream.ts";
import { type ChildExit, type StdioUpstream, startStdioUpstream } from "../upstream/stdio-upstream.ts";

export const MAX_STDIO_IN_FLIGHT = 4096;
/** The head of a request of ours: its id stands where we put it. */
const OWN_ID = /^\{"jsonrpc":"2\.0","id":(\d{1,15}|"[0-9A-Za-z-]{1,64}"),"method"/;
const JSON_HEADERS = { "content-type": "application/json" };

export interface StdioLinkOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly onMessage: (bytes: Buffer, kind: "request" | "notification") => void;
  readonly onStderr: (line: string) => void;
  readonly onDropped: (reason: string) => void;
  readonly onExit: (exit: ChildExit) => void;
}

export interface StdioLink extends HttpUpstream {
  readonly child: StdioUpstream;
}

export function createStdioLink(options: StdioLinkOptions): StdioLink {
  const pending = new Map<string, AnswerSink>();
  const child = startStdioUpstream({
    command: options.command,
    args: options.args,
    environment: options.environment,
    onStderr: options.onStderr,
    onLine(item) {
      if (item.kind !== "line") options.onDropped(item.kind === "invalid" ? item.reason : "a line larger than its bound");
      else take(Buffer.from(item.bytes.buffer, item.bytes.byteOffset, item.bytes.byteLength));
    },
    onExit(exit) {
      for (const sink of [...pending.values()]) sink.onFault({ reason: "broken", sent: "unknown", detail: "the process ended" });
      pending.clear();
      options.onExit(exit);
    },
  });

  function take(bytes: Buffer): void {
    const answer = skimAnswer(bytes);
    if (answer.kind === "invalid") return options.onDropped(answer.reason);
    if (answer.kind !== "result" && answer.kind !== "error") return options.onMessage(bytes, answer.kind);
    const key = answer.id && JSON.stringify(answer.id.value);
    const sink = key === undefined ? undefined : pending.get(key);
    if (!sink || key === undefined) return options.onDropped("an answer to nothing that was asked");
    pending.delete(key);
    sink.onStart(200, JSON_HEADERS);
    sink.onData(bytes);
    sink.onEnd();
  }

  function exchange(request: UpstreamRequest, sink: AnswerSink): OpenExchange {
    const { body } = request;
    const fault = (reason: UpstreamFault["reason"], detail: string): OpenExchange => {
      queueMicrotask(() => sink.onFault({ reason, sent: "not_sent", detail }));
      return CLOSED;
    };
    if (!body) return fault("unsendable", "there is nothing to open over standard streams");
    const key = OWN_ID.exec(body.subarray(0, 128).toString("latin1"))?.[1];
    if (key !== undefined && pending.size >= MAX_STDIO_IN_FLIGHT) return fault("busy", "too many requests are in flight");
    if (key !== undefined) pending.set(key, sink);
    if (!child.send(body)) {
      if (key !== undefined) pending.delete(key);
      return fault("closed", "the process does not take messages");
    }
    if (key === undefined) {
      queueMicrotask(() => {
        sink.onStart(202, {});
        sink.onEnd();
      });
      return CLOSED;
    }
    const cancel = (): void => {
      if (!pending.delete(key)) return;
      child.send(writeNotification("notifications/cancelled", asData({ requestId: JSON.parse(key) as string | number })));
      sink.onFault({ reason: "cancelled", sent: "unknown", detail: "cancelled" });
    };
    request.signal?.addEventListener("abort", cancel, { once: true });
    return { cancel, resume: () => child.resume() };
  }

  return {
    child,
    exchange,
    get waiting() {
      return pending.size;
    },
    close: async () => void (await child.stop()),
  };
}

const CLOSED: OpenExchange = { cancel: () => undefined, resume: () => undefined };
