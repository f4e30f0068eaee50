/** Every bound of the modern front: what it keeps for a server of the legacy era, how much of it, and for how long. */

/** Sessions with the server, of all grants and of one. Beyond them the one that was used longest ago ends. */
export const MAX_FRONT_SESSIONS = 512;
export const MAX_FRONT_SESSIONS_PER_OWNER = 16;
/** A session that nothing uses is ended after so long. */
export const FRONT_SESSION_IDLE_MS: number = 10 * 60 * 1000;
/** Calls of one grant that may be asked at the same time, where each needs a session for itself; one more is told to come back. */
export const MAX_ASKED_CALLS_PER_OWNER = 8;
export const OPEN_TIMEOUT_MS = 20_000;
/** How long a word to the server that has no answer may take, and the end of a session. */
export const TELL_TIMEOUT_MS = 5_000;
export const END_TIMEOUT_MS = 2_000;
/** How long the server may take for an answer of the client's, on which its call goes on. */
export const DELIVER_TIMEOUT_MS = 30_000;
/** How long a new session waits for its GET stream, so that nothing the server says is missed. */
export const STREAM_WAIT_MS = 1_000;

/** A call that waits for its client's answers. Shorter than a round of the gateway's lives. */
export const PARK_LIFE_MS: number = 10 * 60 * 1000;
export const MAX_PARKED_CALLS = 256;
export const MAX_PARKED_CALLS_PER_OWNER = 32;
/** After a server's first request others may follow at once; they are asked together. */
export const GATHER_PAUSE_MS = 30;
/** What a server may ask in one call: at once, and in all. */
export const MAX_OPEN_ASKS = 16;
export const MAX_ASKS_PER_CALL = 64;
export const MAX_OPEN_ASK_BYTES: number = 512 * 1024;
export const MAX_ROUNDS_PER_CALL = 64;
/** A server whose requests are refused so often in one call is left. */
export const MAX_REFUSED_ASKS = 64;
/** Progress and log messages kept while no request is open, and the bytes that are read meanwhile. */
export const MAX_KEPT_MESSAGES = 64;
export const MAX_KEPT_BYTES: number = 128 * 1024;

/** A server that is silent so long while its client waits is not waited for any more. */
export const SILENCE_MS = 300_000;
/** How long a stream may stay open that has brought its answer. */
export const LINGER_MS = 500;
export const MAX_STREAM_RESUMES = 1_000;
export const MIN_RESUME_WAIT_MS = 100;
export const DEFAULT_RESUME_WAIT_MS = 1_000;
export const MAX_RESUME_WAIT_MS = 30_000;
/** A GET stream that is cut so often without a word is given up. */
export const MAX_EMPTY_STREAMS = 4;

/** Answers of ours that are on their way to one server session. */
export const MAX_OPEN_REPLIES = 64;
/** A message that something has changed; a larger one is dropped. */
export const MAX_CHANGE_CHARACTERS: number = 64 * 1024;
export const MAX_LISTENS_PER_SESSION = 128;
export const MAX_SUBSCRIPTIONS_PER_SESSION = 1024;
export const MAX_SUBSCRIBING_AT_ONCE = 8;
export const SUBSCRIBE_TIMEOUT_MS = 10_000;
/** Addresses of one `-32042` that a client is asked to open, and the wait for the server's word that one was visited. */
export const MAX_URL_ELICITATIONS = 16;
export const URL_VISIT_WAIT_MS = 10_000;
export const MAX_REMEMBERED_VISITS = 256;

export interface FrontBounds {
  readonly sessions: number;
  readonly sessionsPerOwner: number;
  readonly askedCallsPerOwner: number;
  readonly sessionIdleMs: number;
  readonly openTimeoutMs: number;
  readonly streamWaitMs: number;
  readonly parkLifeMs: number;
  readonly parkedCalls: number;
  readonly parkedCallsPerOwner: number;
  readonly gatherPauseMs: number;
  readonly silenceMs: number;
  readonly resumeWaitMs: number;
  readonly urlVisitWaitMs: number;
}

export const DEFAULT_FRONT_BOUNDS: FrontBounds = {
  sessions: MAX_FRONT_SESSIONS,
  sessionsPerOwner: MAX_FRONT_SESSIONS_PER_OWNER,
  askedCallsPerOwner: MAX_ASKED_CALLS_PER_OWNER,
  sessionIdleMs: FRONT_SESSION_IDLE_MS,
  openTimeoutMs: OPEN_TIMEOUT_MS,
  streamWaitMs: STREAM_WAIT_MS,
  parkLifeMs: PARK_LIFE_MS,
  parkedCalls: MAX_PARKED_CALLS,
  parkedCallsPerOwner: MAX_PARKED_CALLS_PER_OWNER,
  gatherPauseMs: GATHER_PAUSE_MS,
  silenceMs: SILENCE_MS,
  resumeWaitMs: DEFAULT_RESUME_WAIT_MS,
  urlVisitWaitMs: URL_VISIT_WAIT_MS,
};
