/**
 * The tools of one server as the gateway serves them: the accepted snapshot, kept current with the store, and fresh
 * looks at the server's own list. One look at a time; whoever needs one waits for the one under way.
 */
import { setImmediate } from "node:timers/promises";
import type { Result } from "../kernel/failure.ts";
import type { ListItem } from "../mcp/lists.ts";
import type { Store } from "../store/store.ts";
import type { ToolDefinition } from "../upstream/definition.ts";
import type { ServerListing } from "../upstream/list-tools.ts";
import type { ClassifyTool, ListOptions, Observation } from "../upstream/observe-list.ts";
import { observeList } from "../upstream/observe-list.ts";
import { type ClassesByHand, loadToolIndex, type ToolIndex } from "../upstream/tool-index.ts";

/** After a look that failed, the next one waits so long: a dead server is not asked with every call. */
export const FAILED_LOOK_PAUSE_MS = 2_000;
/** A look that a difference asked for comes at most so often. */
export const LOOK_PAUSE_MS = 1_000;

export interface ServedToolsOptions {
  readonly store: Store;
  readonly serverId: string;
  readonly mode: ListOptions["mode"];
  readonly classes: ClassesByHand;
  readonly classify?: ListOptions["classify"];
  readonly now: () => number;
  readonly list: () => Promise<Result<ServerListing>>;
  /** Told of every look that changed the snapshot. */
  readonly onObserved: (observation: Observation) => void;
  readonly onFailed: (message: string) => void;
}

export interface LastLook {
  readonly ok: boolean;
  readonly atMs: number;
}

export interface ServedTools {
  /** The accepted snapshot; undefined before it was first read. */
  current(): ToolIndex | undefined;
  /** The eras that the server was seen to speak; undefined before the first look. */
  readonly era: "legacy" | "modern" | undefined;
  /** The last look: when it ended, and whether the server could be asked. Undefined before the first. */
  readonly lastLook: LastLook | undefined;
  /** Reads the snapshot again when something was decided since; `version` is the access's. */
  sync(version: number): Promise<void> | undefined;
  /** Whether a listed page holds something else than the snapshot says. */
  differs(items: readonly ListItem[]): boolean;
  /** Looks at the server's list now; soon, where it was looked at just before. */
  refresh(): Promise<void>;
  /** No further look by itself. */
  close(): void;
}

/** Definitions that are classified before other work gets its turn. */
const CLASSIFIED_AT_ONCE = 32;

/** A first list is read before the transaction that accepts it, in turns: no call waits for it. */
async function classifyAhead(definitions: readonly ToolDefinition[], classify: ClassifyTool): Promise<ClassifyTool> {
  const classified = new Map<ToolDefinition, ReturnType<ClassifyTool>>();
  for (const definition of definitions) {
    classified.set(definition, classify(definition));
    if (classified.size % CLASSIFIED_AT_ONCE === 0) await setImmediate();
  }
  return (definition) => classified.get(definition) ?? classify(definition);
}

export function createServedTools(options: ServedToolsOptions): ServedTools {
  const { store, serverId } = options;
  let index: ToolIndex | undefined;
  let readVersion = -1;
  let era: "legacy" | "modern" | undefined;
  let lastLook: LastLook | undefined;
  let looking: Promise<void> | undefined;
  let nextLookMs = 0;
  let isClosed = false;
  let later: NodeJS.Timeout | undefined;

  async function reload(): Promise<void> {
    index = await loadToolIndex(store.query, serverId, options.classes);
  }

  async function look(): Promise<void> {
    const listing = await options.list();
    lastLook = { ok: listing.ok, atMs: options.now() };
    if (!listing.ok) {
      nextLookMs = options.now() + FAILED_LOOK_PAUSE_MS;
      options.onFailed(listing.failures.map((failure) => failure.message).join(" "));
      return;
    }
    nextLookMs = options.now() + LOOK_PAUSE_MS;
    era = listing.value.verdict.era;
    const { tools } = listing.value;
    if (index?.hasAcceptedList && !index.wouldChange(tools, true, options.mode)) return;
    const classify = options.classify && !index?.hasAcceptedList ? await classifyAhead(tools, options.classify) : options.classify;
    const how: ListOptions = { complete: true, mode: options.mode, nowMs: options.now(), classify };
    const observation = await store.write((batch) => observeList(batch, serverId, tools, how));
    await reload();
    if (observation.wrote) options.onObserved(observation);
  }

  return {
    current: () => index,
    get era() {
      return era;
    },
    get lastLook() {
      return lastLook;
    },
    sync(version) {
      if (version === readVersion && index) return undefined;
      return reload().then(() => {
        readVersion = version;
      });
    },
    differs(items) {
      return items.some((item) => {
        const tool = index?.tools.get(item.key);
        return tool === undefined || tool.definitionHash !== item.hash || tool.state !== "accepted" || item.isRepeated;
      });
    },
    async refresh() {
      if (isClosed) return;
      const waitMs = nextLookMs - options.now();
      if (waitMs > 0 && !looking) {
        // What was said to have changed must not be missed because it changed twice.
        later ??= setTimeout(() => {
          later = undefined;
          void this.refresh();
        }, waitMs);
        later.unref();
        return;
      }
      looking ??= look()
        .catch((error: unknown) => options.onFailed(error instanceof Error ? error.message : "an unknown fault"))
        .finally(() => {
          looking = undefined;
        });
      await looking;
    },
    close() {
      isClosed = true;
      clearTimeout(later);
    },
  };
}
