/**
 * What the journey of a message needs from the rest of the house: the rooms below, joined for one process, and the
 * servers as they are served. Nothing here does anything by itself.
 */
import type { DigestKey } from "../audit/digest-key.ts";
import type { Audit } from "../audit/writer.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Limits } from "../limit/limits.ts";
import type { Meter } from "../observe/meter.ts";
import type { Store } from "../store/store.ts";
import type { CredentialScan } from "../upstream/credential-scan.ts";
import type { HttpUpstream } from "../upstream/http-upstream.ts";
import type { Sealer } from "../vault/seal.ts";
import type { Access } from "./access.ts";
import type { ActiveCount } from "./active.ts";
import type { AskRules } from "./asks.ts";
import type { ChangeTable } from "./changes.ts";
import type { Health } from "./health.ts";
import type { HoldTable } from "./holds.ts";
import type { LateOutcomes } from "./late-outcomes.ts";
import type { Recording } from "./recording.ts";
import type { ResultCaps } from "./result-caps.ts";
import type { RoundSeal } from "./rounds.ts";
import type { ServedTools } from "./served-tools.ts";
import type { SessionTable } from "./session.ts";
import type { SessionSeal } from "./session-seal.ts";
import type { PromptNames } from "./several/cut-names.ts";
import type { SseTable } from "./sse-face.ts";

/** What an agent is told while a person has to sign the gateway in. */
export interface ServerLogin {
  /** The gateway is not signed in. */
  isMissing(): boolean;
  words(fault: "login_required" | "insufficient_scope"): string;
}

/** One server of the configuration, as the gateway serves it. */
export interface Endpoint {
  readonly id: string;
  readonly name: string;
  readonly upstream: HttpUpstream;
  readonly tools: ServedTools;
  /** Finds the server's credentials in what comes back; undefined where there are none. */
  readonly scan: CredentialScan | undefined;
  /** What its results may be. */
  readonly results: ResultCaps;
  /** What it may ask of the people and models behind its clients. */
  readonly asks: AskRules;
  /** Where the gateway signs in to the server; undefined: its credential is a fixed one. */
  readonly login?: ServerLogin | undefined;
  /** Further keys of a client's `_meta` that reach the server. */
  readonly extraMeta: readonly string[];
  /** Whether the values of arguments are on record; else their names and a digest. */
  readonly recordsValues: boolean;
}

export interface Desk {
  readonly organisation: string;
  readonly version: string;
  readonly clock: Clock;
  readonly store: Store;
  readonly limits: Limits;
  readonly audit: Audit;
  readonly access: Access;
  readonly rounds: RoundSeal;
  readonly sessions: SessionTable;
  /** What the ids of sessions hold. */
  readonly seal: SessionSeal;
  readonly sse: SseTable;
  readonly holds: HoldTable;
  readonly active: ActiveCount;
  /** Whether entries can be written. */
  readonly recording: Recording;
  /** Outcomes that wait for the store. */
  readonly late: LateOutcomes;
  /** What is counted for whoever watches. */
  readonly meter: Meter;
  readonly health: Health;
  readonly changes: ChangeTable;
  /** Of lists that several servers make up. */
  readonly cursors: Sealer;
  readonly promptNames: PromptNames;
  /** Key of the digests of arguments in the log. */
  readonly argumentKey: DigestKey;
  /** Words for people, on stderr; never an argument, a token or an address. */
  readonly say: (words: string) => void;
}
