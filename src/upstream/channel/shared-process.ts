/**
 * One process that everybody shares, kept alive: started when first needed, opened once, and started again after a wait
 * when it ends. While it opens, whoever asks waits with it; while it is down, whoever asks is told so at once.
 */
import type { JsonObject } from "../../kernel/json.ts";
import type { LegacyRevision } from "../../mcp/revisions.ts";
import type { UpstreamFault } from "../http-upstream.ts";
import { LEGACY_VERDICT_MS } from "../server-session.ts";
import type { StdioCall } from "./call.ts";
import type { ChildLog } from "./child-log.ts";
import type { ChildExit } from "./child-process.ts";
import { type ChildCommand, StdioLink } from "./link.ts";
import { type Opening, openStdio } from "./opening.ts";
import { type PaceBounds, RestartPace } from "./restart-pace.ts";

export interface ModernFound {
  readonly era: "modern";
  readonly link: StdioLink;
}

export interface LegacyFound {
  readonly era: "legacy";
  readonly link: StdioLink;
  readonly revision: LegacyRevision;
  /** Its answer to our `initialize`. */
  readonly result: JsonObject;
}

/** `apart`: it is a legacy server, and none of its processes is shared. */
export type Found = ModernFound | LegacyFound | { readonly era: "apart" };

export interface SharedBounds extends PaceBounds {
  readonly probeMs: number;
  readonly openMs: number;
  readonly answerMs: number;
  readonly inFlight: number;
}

export interface SharedProcessOptions {
  readonly child: ChildCommand;
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** Whether a legacy process is shared as well. */
  readonly sharesLegacy: boolean;
  readonly bounds: SharedBounds;
  readonly log: ChildLog;
  readonly now: () => number;
  readonly random: () => number;
  /** A process has been opened, for the first time or again. */
  onFound(found: Found): void;
  onMessage(found: Found, bytes: Buffer, kind: "request" | "notification", call: StdioCall | undefined): void;
}

const DOWN: UpstreamFault = { reason: "connect", sent: "not_sent", detail: "the process is not running" };
const GONE: UpstreamFault = { reason: "closed", sent: "not_sent", detail: "the server is no longer served" };

export class SharedProcess {
  readonly #options: SharedProcessOptions;
  readonly #pace: RestartPace;
  #link: StdioLink | undefined;
  #found: Found | undefined;
  #opening: Promise<Found | UpstreamFault> | undefined;
  #restart: NodeJS.Timeout | undefined;
  #readySinceMs = 0;
  #skipProbeUntilMs = 0;
  /** It is slow to start and modern: nothing but its answer to the probe is waited for. */
  #isPatient = false;
  #apartUntilMs = 0;
  #lastExit: ChildExit | undefined;
  #isClosed = false;
  /** Processes on their way out. */
  readonly #ending = new Set<Promise<unknown>>();

  constructor(options: SharedProcessOptions) {
    this.#options = options;
    this.#pace = new RestartPace(options.bounds, options.random);
  }

  /** The pid of the process that runs. */
  get pid(): number | undefined {
    return this.#link?.child.isRunning === true ? this.#link.child.pid : undefined;
  }

  /** The open process, at once or when it is open; or why there is none. */
  find(): Found | UpstreamFault | Promise<Found | UpstreamFault> {
    if (this.#isClosed) return GONE;
    if (this.#found && !(this.#found.era === "apart" && this.#options.now() >= this.#apartUntilMs)) return this.#found;
    if (this.#opening) return this.#opening;
    if (this.#restart) return DOWN;
    return this.#start();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    await Promise.all([this.#link?.close(), ...this.#ending]);
  }

  #start(): Promise<Found | UpstreamFault> {
    this.#restart = undefined;
    this.#found = undefined;
    const opening = this.#open().finally(() => {
      this.#opening = undefined;
    });
    this.#opening = opening;
    return opening;
  }

  async #open(): Promise<Found | UpstreamFault> {
    const { bounds, clientInfo, now } = this.#options;
    const skipProbe = now() < this.#skipProbeUntilMs;
    const link = this.#startLink();
    const { openMs } = bounds;
    const opening = await openStdio({ link, clientInfo, skipProbe, probeMs: this.#isPatient ? openMs : bounds.probeMs, openMs });
    if (this.#isClosed) return GONE;
    if (opening.kind === "late") {
      this.#end(link);
      this.#isPatient = true;
      return await this.#open();
    }
    if (opening.kind === "gone" || opening.kind === "failed") return await this.#failToOpen(link, opening, skipProbe);
    if (!link.child.isRunning) return await this.#failToOpen(link, { kind: "gone", ofProbe: false }, skipProbe);
    if (opening.kind === "legacy" && opening.wasSilent) this.#skipProbeUntilMs = now() + LEGACY_VERDICT_MS;
    this.#readySinceMs = now();
    return this.#take(opening, link);
  }

  #take(opening: Extract<Opening, { kind: "modern" | "legacy" }>, link: StdioLink): Found {
    if (opening.kind === "modern") this.#found = { era: "modern", link };
    else if (this.#options.sharesLegacy) this.#found = { era: "legacy", link, revision: opening.revision, result: opening.result };
    else {
      this.#found = { era: "apart" };
      this.#apartUntilMs = this.#options.now() + LEGACY_VERDICT_MS;
      this.#link = undefined;
      this.#end(link);
    }
    this.#options.onFound(this.#found);
    return this.#found;
  }

  async #failToOpen(
    link: StdioLink,
    opening: Extract<Opening, { kind: "gone" | "failed" }>,
    skipProbe: boolean,
  ): Promise<Found | UpstreamFault> {
    this.#end(link);
    if (opening.kind === "gone" && opening.ofProbe && !skipProbe) {
      // Some servers end at a request before `initialize`: a fresh one is greeted as they know it.
      this.#skipProbeUntilMs = this.#options.now() + LEGACY_VERDICT_MS;
      return await this.#open();
    }
    this.#skipProbeUntilMs = 0;
    this.#isPatient = false;
    const waitMs = this.#wait(0);
    if (opening.kind === "failed") this.#options.log.failed(opening.words, waitMs);
    else if (this.#lastExit) this.#options.log.ended(this.#lastExit, waitMs);
    return DOWN;
  }

  #startLink(): StdioLink {
    const { child, log, bounds, onMessage } = this.#options;
    this.#lastExit = undefined;
    const link: StdioLink = new StdioLink({
      child,
      answerTimeoutMs: bounds.answerMs,
      maxInFlight: bounds.inFlight,
      onMessage: (bytes, kind, call) => {
        if (this.#found && this.#link === link) onMessage(this.#found, bytes, kind, call);
      },
      onStderr: (line) => log.stderr(line),
      onDropped: (reason) => log.dropped(reason),
      onExit: (exit) => this.#takeExit(link, exit),
    });
    this.#link = link;
    return link;
  }

  #takeExit(link: StdioLink, exit: ChildExit): void {
    if (this.#link !== link) return;
    this.#lastExit = exit;
    // Whoever opens it hears of it there.
    if (this.#isClosed || this.#opening || this.#found === undefined) return;
    this.#found = undefined;
    this.#options.log.ended(exit, this.#wait(this.#options.now() - this.#readySinceMs));
  }

  #wait(readyMs: number): number | undefined {
    if (this.#isClosed) return undefined;
    const waitMs = this.#pace.next(readyMs);
    this.#restart = setTimeout(() => void this.#start(), waitMs);
    this.#restart.unref();
    return waitMs;
  }

  #end(link: StdioLink): void {
    const ending: Promise<unknown> = link.close().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }
}
