/** Every bound of the legacy front, by name. Tests may set smaller ones. */

export interface LegacyFrontBounds {
  readonly sessions: number;
  readonly sessionsPerOwner: number;
  /** After this without a request, a stream or anything under way a session is forgotten. */
  readonly idleMs: number;
  readonly requestsPerSession: number;
  readonly asksPerSession: number;
  /** Questions of a server in one round. */
  readonly asksPerRound: number;
  /** Times that one request is sent at most, its first time included. */
  readonly rounds: number;
  readonly stateCharacters: number;
  readonly inputBytes: number;
  /** How long a client may take for the answers of one round: people answer. */
  readonly answerWaitMs: number;
  /** Before a round that asks nothing and only wants to be asked again. */
  readonly emptyRoundWaitMs: number;
  readonly discoverWaitMs: number;
  readonly acknowledgeWaitMs: number;
  /** How long the old listen is heard beside the new one. */
  readonly handoverMs: number;
  /** How long the server is listened to for a client with subscriptions that has no GET stream. */
  readonly unheardMs: number;
  readonly listenRetryMs: number;
  readonly listenRetryMaxMs: number;
}

export const LEGACY_FRONT_BOUNDS: LegacyFrontBounds = {
  sessions: 20_000,
  sessionsPerOwner: 1_000,
  // An hour longer than the gateway keeps a session of its own.
  idleMs: 25 * 60 * 60 * 1000,
  requestsPerSession: 512,
  asksPerSession: 128,
  asksPerRound: 32,
  rounds: 10,
  stateCharacters: 1024 * 1024,
  inputBytes: 4 * 1024 * 1024,
  answerWaitMs: 10 * 60 * 1000,
  emptyRoundWaitMs: 250,
  discoverWaitMs: 60_000,
  acknowledgeWaitMs: 10_000,
  handoverMs: 500,
  unheardMs: 5 * 60 * 1000,
  listenRetryMs: 1_000,
  listenRetryMaxMs: 60_000,
};

/** How often sessions that nobody uses are looked for. */
export const SWEEP_MS = 60_000;
/** A session's subscriptions, which are one filter at the server. */
export const MAX_SUBSCRIPTIONS = 1024;
export const MAX_SUBSCRIPTION_CHARACTERS: number = 128 * 1024;
/** A change that says more than this is told without what else it says. */
export const MAX_CHANGE_BYTES: number = 16 * 1024;
/** Changes that are kept for a client that does not listen now: one of each kind and resource. */
export const MAX_KEPT_CHANGES = 1024;
export const MAX_KEPT_BYTES: number = 256 * 1024;
