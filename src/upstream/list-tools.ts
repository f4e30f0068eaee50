/**
 * A server's tools, whole: every page, each tool with its definition as it is spelled and the hash of its value. Bounded
 * in pages, tools and bytes; a cursor that comes again ends it. Half a list is a failure, never a shorter list.
 */
import { type Failure, fail, type Result, succeed } from "../kernel/failure.ts";
import { type ListItem, readListPage } from "../mcp/lists.ts";
import { ERROR_CODES } from "../mcp/refusal.ts";
import type { ServerAnswer } from "./ask-server.ts";
import { readDefinitions, type ToolDefinition } from "./definition.ts";
import {
  describeFault,
  describeStatus,
  type EraVerdict,
  openServerSession,
  type ServerIntroduction,
  type SessionOptions,
} from "./server-session.ts";

export const MAX_LIST_PAGES = 1000;
export const MAX_LISTED_TOOLS = 10_000;
export const MAX_LIST_BYTES: number = 64 * 1024 * 1024;
/** The whole listing, all pages. */
export const LIST_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 2_000;

export interface ServerListing {
  readonly verdict: EraVerdict;
  readonly introduction: ServerIntroduction;
  readonly tools: readonly ToolDefinition[];
}

export interface ListingOptions extends Omit<SessionOptions, "signal"> {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Opens a session, lists, and ends it. */
export async function listServerTools(options: ListingOptions): Promise<Result<ServerListing>> {
  const deadline = AbortSignal.timeout(options.timeoutMs ?? LIST_TIMEOUT_MS);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  const opened = await openServerSession({ ...options, signal });
  if (!opened.ok) return opened;
  const session = opened.value;
  try {
    const collected = await collectTools((cursor) => session.ask("tools/list", cursor === undefined ? {} : { cursor }, signal));
    if (!collected.ok) return collected;
    return succeed({ verdict: session.verdict, introduction: session.introduction, tools: collected.value });
  } finally {
    await session.end(AbortSignal.timeout(END_TIMEOUT_MS));
  }
}

/** Follows the pages that `ask` gives. An empty cursor is a cursor. */
export async function collectTools(ask: (cursor: string | undefined) => Promise<ServerAnswer>): Promise<Result<readonly ToolDefinition[]>> {
  const items: ListItem[] = [];
  const cursors = new Set<string>();
  let cursor: string | undefined;
  let bytes = 0;
  for (let page = 0; page < MAX_LIST_PAGES; page++) {
    const answer = await ask(cursor);
    if (answer.kind === "fault") return fail(describeFault(answer));
    if (answer.kind === "nothing") return fail(describeStatus(answer.status));
    if (answer.kind === "error") {
      // A server without tools need not know the method.
      const hasNone = answer.error.code === ERROR_CODES.methodNotFound && page === 0;
      return hasNone ? succeed([]) : fail(broken(`it answered with the error ${answer.error.code}`));
    }
    const read = readListPage(answer.answer, answer.bytes, "tools");
    if (read.kind === "invalid") return fail(broken(read.reason));
    items.push(...read.items);
    bytes += answer.bytes.length;
    if (items.length > MAX_LISTED_TOOLS || bytes > MAX_LIST_BYTES) return fail(broken("there are more tools than are taken"));
    cursor = read.nextCursor;
    if (cursor === undefined) return succeed(readDefinitions(items));
    if (cursors.has(cursor)) return fail(broken("a cursor came again"));
    cursors.add(cursor);
  }
  return fail(broken("there are more pages than are followed"));
}

function broken(reason: string): Failure {
  return { code: "upstream_unavailable", message: `the server's list of tools can't be read: ${reason}` };
}
