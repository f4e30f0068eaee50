/**
 * What the commands need of the floor above: a running gateway, an opened data folder. `main.ts` joins them, so that a
 * command loads only what it uses.
 */
import type { Audit } from "../audit/writer.ts";
import type { Config } from "../config/config.ts";
import type { Access } from "../gateway/access.ts";
import type { LoginIndex } from "../identity/login-index.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Limits } from "../limit/limits.ts";
import type { Log } from "../observe/log.ts";
import type { Store } from "../store/store.ts";
import type { OpenKeyring } from "../vault/keyring.ts";
import type { Keys } from "../vault/keys.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** A data folder, opened: works whether a gateway runs on it or not. */
export interface OpenFolder {
  readonly dir: string;
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly limits: Limits;
  readonly access: Access;
  /** Told by whoever serves whether clients may log in. */
  readonly logins: LoginIndex;
  readonly organisation: string;
  readonly tokenKey: Uint8Array;
  readonly openKeyring: OpenKeyring;
  close(): Promise<void>;
}

export interface FolderChoice {
  readonly dataDir: string | undefined;
  readonly config?: Config | undefined;
  /** Refuse a folder that holds no database yet, in words; left out: it is made. */
  readonly mustExist?: boolean | undefined;
}

export interface StartedGateway {
  readonly url: string;
  readonly dataDir: string;
  readonly servers: readonly string[];
  /** Set in the demo: its token on the start that made it, undefined later. */
  readonly demo: { readonly token: string | undefined } | undefined;
  stop(): Promise<void>;
}

export interface StartChoice {
  readonly configFile: string | undefined;
  readonly dataDir: string | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly demo: boolean;
  readonly log: Log;
}

export interface RunChoice {
  readonly policyFile: string;
  readonly server: string;
  readonly identity: string | undefined;
  readonly dataDir: string | undefined;
  readonly command: string;
  readonly args: readonly string[];
  /** False: the server may ask nothing of its client. */
  readonly asks?: boolean | undefined;
  /** Names of our variables that the server gets. */
  readonly passed?: readonly string[] | undefined;
  readonly log: Log;
}

/** The process as a command sees it. */
export interface Terminal {
  readonly env: Environment;
  readonly isTerminal: boolean;
  /** Results. */
  out(text: string): void;
  /** Settles when what was printed has gone far enough that more may follow; left out: it goes at once. */
  drained?(): Promise<void>;
  /** Words for people. */
  err(text: string): void;
  /** Of what `out` writes to, where it is a terminal. */
  readonly columns?: number | undefined;
  readonly hasColor?: boolean | undefined;
  /** One line from whoever sits there; undefined where nobody does. */
  readonly ask?: ((question: string) => Promise<string>) | undefined;
}

export interface CatalogueChoice {
  /** Left out: the folder's own, else the one that ships. */
  readonly file: string | undefined;
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly say: (words: string) => void;
}

export interface Ports {
  readonly version: string;
  /** How this very program is started again, for entries in other programs' configurations. */
  readonly program?: readonly string[] | undefined;
  readonly terminal: Terminal;
  startGateway(choice: StartChoice): Promise<StartedGateway>;
  /** Gives the exit code. */
  runStdio(choice: RunChoice): Promise<number>;
  openFolder(choice: FolderChoice): Promise<OpenFolder>;
  /** The data folder that a command means; nothing is made. */
  findFolder(dataDir: string | undefined): Promise<string>;
  serveCatalogue(choice: CatalogueChoice): Promise<{ readonly url: string; stop(): Promise<void> }>;
  /** Settles when the process is told to stop. */
  waitForSignal(): Promise<void>;
}
