/**
 * Watches a configuration file and every file it names, and hands over each new state that is whole and good. Looks at
 * what the files hold, every few seconds and sooner when their folders stir, so that edits in place, replacement by
 * rename and swapped links are all seen. A bad state changes nothing: it is told, once, and what was in force stays so.
 */
import { type FSWatcher, watch } from "node:fs";
import path from "node:path";
import { type Failure, FailureError, formatFailure } from "../kernel/failure.ts";
import type { Config, ConfigSource } from "./config.ts";
import type { Environment } from "./expand-variables.ts";
import { type LoadedConfig, loadConfigWithSources } from "./load-config.ts";
import { digestSource } from "./read-source.ts";

/** A change holds within this time and what loading takes. */
export const POLL_MS = 2000;
/** A file that is still being written is left alone: it has to stand still for so long. */
export const SETTLE_MS = 200;
/** A file that never stands still is loaded after so many looks all the same. */
const MAX_SETTLE_LOOKS = 10;
const STIR_MS = 50;
export const MAX_WATCHED_FOLDERS = 256;

export interface WatchOptions {
  /** What is in force now; its files are what later ones are compared with. */
  readonly config: Config;
  readonly env: Environment;
  /** As it was named to `loadConfig`, for failures; left out: the absolute path. */
  readonly file?: string;
  /**
   * Puts a new configuration into force. When it throws, the change is told as a failure and tried again at the next
   * look, until it works or the files change.
   */
  readonly onChange: (config: Config) => void | Promise<void>;
  readonly onFailure: (failures: readonly Failure[]) => void;
  readonly pollMs?: number;
  readonly settleMs?: number;
}

/** Begins to watch; gives what ends it, which settles when nothing more will be called. */
export function watchConfig(options: WatchOptions): () => Promise<void> {
  const watcher = new ConfigWatcher(options);
  watcher.start();
  return () => watcher.stop();
}

class ConfigWatcher {
  readonly #options: WatchOptions;
  #sources: readonly ConfigSource[];
  #loaded: LoadedConfig | undefined;
  #told = "";
  #timer: NodeJS.Timeout | undefined;
  #stirred = false;
  #running: Promise<void> | undefined;
  #stopped = false;
  #pause: (() => void) | undefined;
  readonly #folders = new Map<string, FSWatcher>();

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#sources = options.config.sources;
  }

  start(): void {
    this.#watchFolders();
    // What changed between loading and now is seen at once.
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#pause?.();
    for (const folder of this.#folders.values()) folder.close();
    this.#folders.clear();
    await this.#running;
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#running = this.#look()
        // Not even a bug that a file brings to light ends what is in force.
        .catch((error: unknown) => this.#tell(error))
        .finally(() => {
          this.#running = undefined;
          this.#schedule(this.#stirred ? STIR_MS : (this.#options.pollMs ?? POLL_MS));
          this.#stirred = false;
        });
    }, delayMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    if (await this.#hasChanged(this.#sources)) {
      await this.#settle();
      if (this.#stopped) return;
      const { config, env, file } = this.#options;
      this.#loaded = await loadConfigWithSources({ file: file ?? config.file, env });
      this.#sources = this.#loaded.sources;
      this.#watchFolders();
    }
    if (this.#loaded !== undefined && !this.#stopped) await this.#apply(this.#loaded);
  }

  async #apply({ result }: LoadedConfig): Promise<void> {
    try {
      if (!result.ok) throw new FailureError(result.failures);
      await this.#options.onChange(result.value);
      this.#loaded = undefined;
      this.#told = "";
    } catch (error) {
      // A bad file is looked at again when it changes; a change that could not be put into force, at the next look.
      if (!result.ok) this.#loaded = undefined;
      this.#tell(error);
    }
  }

  #tell(error: unknown): void {
    const failures: readonly Failure[] =
      error instanceof FailureError
        ? error.failures
        : [{ code: "invalid_config", message: "The changed configuration could not be put into force." }];
    const words = failures.map(formatFailure).join("\n");
    if (words === this.#told) return;
    this.#told = words;
    this.#options.onFailure(failures);
  }

  async #hasChanged(sources: readonly ConfigSource[]): Promise<boolean> {
    for (const source of sources) if ((await digestSource(source.file)) !== source.digest) return true;
    return false;
  }

  /** Waits until the files stand still. */
  async #settle(): Promise<void> {
    let before = await this.#digestAll();
    for (let look = 0; look < MAX_SETTLE_LOOKS && !this.#stopped; look++) {
      await new Promise<void>((resolve) => {
        this.#pause = resolve;
        setTimeout(resolve, this.#options.settleMs ?? SETTLE_MS);
      });
      const now = await this.#digestAll();
      if (now === before) return;
      before = now;
    }
  }

  async #digestAll(): Promise<string> {
    const digests: string[] = [];
    for (const { file } of this.#sources) digests.push(await digestSource(file));
    return digests.join(" ");
  }

  /** Folders are watched rather than files, since a file that is replaced takes its watch away with it. */
  #watchFolders(): void {
    const names = Map.groupBy(this.#sources, ({ file }) => path.dirname(file));
    for (const [folder, watcher] of this.#folders) {
      if (names.has(folder)) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    for (const folder of names.keys()) {
      if (this.#folders.has(folder) || this.#folders.size >= MAX_WATCHED_FOLDERS) continue;
      try {
        const watcher = watch(folder, { persistent: false }, (_, name) => this.#stir(folder, name));
        // Without a watch the polling still sees every change.
        watcher.on("error", () => {
          watcher.close();
          this.#folders.delete(folder);
        });
        this.#folders.set(folder, watcher);
      } catch {
        // A folder that is not there, or a system out of watches: polling goes on.
      }
    }
  }

  #stir(folder: string, name: string | null): void {
    // A database in the same folder stirs it all the time. Names that begin with two dots are the links of mounted maps.
    const ours = name === null || name.startsWith("..") || this.#sources.some(({ file }) => file === path.join(folder, name));
    if (!ours || this.#stopped) return;
    if (this.#running) this.#stirred = true;
    else this.#schedule(STIR_MS);
  }
}
