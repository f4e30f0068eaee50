/**
 * The one server of a wrapped command, seen as the gateway sees every server: one request out, one answer back. What the
 * server says unasked goes to its one client. The client waits as long as it wants, so no call has a bound in time.
 */
import { StdioLink, type StdioLinkOptions } from "../upstream/channel/link.ts";

export interface WrappedOptions extends Pick<StdioLinkOptions, "child" | "onStderr" | "onDropped" | "onExit"> {
  readonly onMessage: (bytes: Buffer, kind: "request" | "notification") => void;
}

export function createStdioLink(options: WrappedOptions): StdioLink {
  return new StdioLink({
    child: options.child,
    keepsTokens: true,
    onMessage: (bytes, kind) => options.onMessage(bytes, kind),
    onStderr: (line) => options.onStderr(line),
    onDropped: (reason) => options.onDropped(reason),
    onExit: (exit) => options.onExit(exit),
  });
}
