/**
 * A server at an address, by whichever of the two HTTP transports it speaks: Streamable HTTP, or HTTP+SSE of 2024-11-05,
 * which is found out by the first `initialize` that the server does not take where it was posted. The verdict has a date.
 */
import type { HttpUpstream } from "./http-upstream.ts";
import { isOpening, tryOpening } from "./try-opening.ts";

/** After this a server of the old transport is asked for the new one again. */
export const TRANSPORT_VERDICT_MS: number = 60 * 60 * 1000;
/** How servers that only know the old transport answer a POST to the address of its stream. */
const NOT_HERE: ReadonlySet<number> = new Set([400, 404, 405, 406, 415, 501]);

export interface EitherTransportOptions {
  readonly http: HttpUpstream;
  /** The same server by the old transport; made when first needed. */
  readonly createSse: () => HttpUpstream;
  readonly now: () => number;
}

export function createEitherTransport(options: EitherTransportOptions): HttpUpstream {
  const { http, now } = options;
  let sse: HttpUpstream | undefined;
  let sseSinceMs: number | undefined;
  return {
    exchange(request, sink) {
      const isOpeningRequest = isOpening(request);
      if (sse && sseSinceMs !== undefined && (!isOpeningRequest || now() - sseSinceMs < TRANSPORT_VERDICT_MS)) {
        return sse.exchange(request, sink);
      }
      if (!isOpeningRequest) return http.exchange(request, sink);
      return tryOpening(http, request, sink, {
        mayTurn: (status) => NOT_HERE.has(status),
        onTaken() {
          sseSinceMs = undefined;
        },
        turn(to) {
          sse ??= options.createSse();
          return sse.exchange(request, {
            onStart(status, headers) {
              if (status === 200) sseSinceMs = now();
              to.onStart(status, headers);
            },
            onData: (chunk) => to.onData(chunk),
            onEnd: () => to.onEnd(),
            onFault: (fault) => to.onFault(fault),
          });
        },
        fallsBack: true,
      });
    },
    get waiting() {
      return http.waiting + (sse?.waiting ?? 0);
    },
    endOwner(owner) {
      sse?.endOwner?.(owner);
      http.endOwner?.(owner);
    },
    async close() {
      await sse?.close();
      await http.close();
    },
  };
}
