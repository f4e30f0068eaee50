/**
 * A message that a server has nothing to answer to: it is told when the server has taken it or not, which the status
 * says. What else may come is not waited for.
 */
import type { HttpUpstream, OpenExchange } from "../http-upstream.ts";

export interface Message {
  readonly body: string | Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/** The status, or undefined where there was none. Never rejects. */
export function tellServer(upstream: HttpUpstream, { body, headers, timeoutMs }: Message): Promise<number | undefined> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const open: OpenExchange = upstream.exchange(
      { method: "POST", body: Buffer.from(body), headers, signal },
      {
        onStart(status, answered) {
          resolve(status);
          // A stream would stay open for nothing; a short body lets its connection be used again.
          if (answered["content-type"]?.startsWith("text/event-stream")) queueMicrotask(() => open.cancel());
        },
        onData: () => true,
        onEnd: () => undefined,
        onFault: () => resolve(undefined),
      },
    );
  });
}
