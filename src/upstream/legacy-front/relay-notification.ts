/**
 * What a modern server says on the stream of a request, for its client: progress under the token that the client gave, and
 * the log where the session asked for it. Everything else has a stream of its own, or is nobody's.
 */
import { printJson } from "../../kernel/json.ts";
import { DEFAULT_ANSWER_LIMIT_BYTES } from "../../mcp/answer.ts";
import { type Notification, type Request, readMessage } from "../../mcp/message.ts";
import { isLogLevel, LOG_LEVELS, type LogLevel, META, readMeta } from "../../mcp/meta.ts";
import { writeRelayed } from "../../mcp/rewrite.ts";
import type { FrontReply } from "./front-reply.ts";
import type { FrontSession } from "./front-session.ts";

interface Route {
  readonly session: FrontSession;
  readonly request: Request;
  readonly reply: FrontReply;
  readonly onDropped: (reason: string) => void;
}

/** A notification as it stands in those bytes; undefined where it is none that is strict. */
export function readNotification(bytes: Buffer): Notification | undefined {
  const message = readMessage(bytes, { bodyLimitBytes: DEFAULT_ANSWER_LIMIT_BYTES });
  return message.kind === "notification" ? message : undefined;
}

/** False asks for a pause. */
export function relayOnRequest(bytes: Buffer, method: string, route: Route): boolean {
  const message = method === "notifications/progress" || method === "notifications/message" ? readNotification(bytes) : undefined;
  if (!message) {
    route.onDropped("it does not belong on the stream of a request");
    return true;
  }
  const isWanted =
    method === "notifications/progress" ? isOwnProgress(message, route.request) : isLoud(message, route.session.speaker.logLevel);
  return isWanted ? route.reply.push(writeRelayed(message)) : true;
}

/** The text "1" and the number 1 are two tokens. */
function isOwnProgress(message: Notification, request: Request): boolean {
  const own = readMeta(request)?.[META.progressToken];
  const told = message.params?.["progressToken"];
  return own !== undefined && told !== undefined && (typeof own === typeof told ? printJson(own) === printJson(told) : false);
}

function isLoud(message: Notification, wanted: LogLevel | undefined): boolean {
  const level = message.params?.["level"];
  return wanted !== undefined && isLogLevel(level) && LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(wanted);
}
