/**
 * One request's passage: who asks, of which server, in which era, about what; and what the steps add on the way. Each
 * step fills in its own part once and changes nothing that an earlier one wrote.
 */
import type { GrantRecord } from "../identity/grant.ts";
import type { Reservation } from "../limit/limits.ts";
import type { EraClaim } from "../mcp/era.ts";
import type { McpHeaders } from "../mcp/headers.ts";
import type { Request } from "../mcp/message.ts";
import type { Method } from "../mcp/methods.ts";
import type { Revision } from "../mcp/revisions.ts";
import type { Subject } from "../mcp/subject.ts";
import type { CallContext, Denial, Permission } from "../policy/decision.ts";
import type { ActivePolicy } from "../revision/revision-index.ts";
import type { IndexedTool } from "../upstream/tool-index.ts";
import type { Look } from "./access.ts";
import type { Endpoint } from "./desk.ts";
import type { Session } from "./session.ts";

/** How a call of several rounds goes on: what the first round has already done for it. */
export interface OpenRounds {
  /** Good for one use. */
  readonly name: string;
  readonly upstreamState: string | undefined;
  readonly reservation: Reservation | undefined;
  readonly firstExchange: string;
}

export interface Exchange {
  readonly id: string;
  /** `performance.now()` at its beginning. */
  readonly startedAt: number;
  readonly grant: GrantRecord;
  /** Kept in memory alone, to ask whether the grant still holds when the answer comes. */
  readonly bearer: string;
  readonly endpoint: Endpoint;
  readonly request: Request;
  readonly method: Method;
  readonly claim: EraClaim;
  readonly revision: Revision;
  readonly subject: Subject;
  /** What the client calls it, where that is not the server's own name or URI. */
  readonly shown: string | undefined;
  readonly session: Session | undefined;
  readonly headers: McpHeaders | undefined;
  readonly rawHeaders: readonly string[];
  /** What the facts below were read under. */
  look: Look;
  policy: ActivePolicy | undefined;
  tool: IndexedTool | undefined;
  /** The rounds that this request continues. */
  rounds: OpenRounds | undefined;
  permission: Permission | undefined;
  reservation: Reservation | undefined;
  argumentDigest: string | undefined;
  sentAt: number | undefined;
  upstreamStatus: number | undefined;
  /** The revision in which the server answered an `initialize`. */
  upstreamVersion: string | undefined;
}

/** A request that goes no further, and why. */
export interface Stopped {
  readonly kind: "stopped";
  readonly denial: Denial;
  /** Already on record, with the change that stopped it. */
  readonly recorded: boolean;
}

export function stop(denial: Denial, recorded = false): Stopped {
  return { kind: "stopped", denial, recorded };
}

/** What the request names: the tool, the prompt, the URI. */
export function nameOf(subject: Subject): string | undefined {
  switch (subject.kind) {
    case "tool_call":
    case "prompt_get":
      return subject.name;
    case "resource_read":
    case "subscribe":
    case "unsubscribe":
      return subject.uri;
    case "completion":
      return subject.prompt ?? subject.uri;
    default:
      return undefined;
  }
}

export function contextOf(exchange: Exchange, nowMs: number): CallContext {
  const { grant, session, endpoint, claim } = exchange;
  const said = claim.era === "modern" ? claim.clientInfo : undefined;
  return {
    grant: { label: grant.label, identity: grant.identity, tags: grant.tags },
    session: session && { id: session.id },
    client: session?.client ?? (said && { name: textOf(said["name"]), version: textOf(said["version"]) }),
    server: { name: endpoint.name },
    nowMs,
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
