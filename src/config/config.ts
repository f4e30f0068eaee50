/**
 * What a configuration file says, read and checked: plain frozen data. Secrets (tokens, header values, credentials)
 * stand in it in clear; it lives in memory alone and is never printed, logged or stored as it is.
 */
import type { ToolClass } from "../policy/decision.ts";
import type { PolicyDocument } from "../policy/document.ts";

/** A server that is started rather than reached. */
export interface CommandConfig {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly cwd: string;
  /** Whether all share one process, or every session of a legacy server has its own. */
  readonly process: "server" | "session";
}

/** How the gateway signs in to a server; what is left out is found out. */
export interface OAuthConfig {
  readonly clientId: string | undefined;
  readonly clientSecret: string | undefined;
  /** Asked for in place of what the server names. */
  readonly scopes: readonly string[] | undefined;
  /** The authorization server, in place of the one that the server names. */
  readonly issuer: string | undefined;
}

export interface ServerConfig {
  readonly name: string;
  /** Empty where there is a command. */
  readonly url: string;
  readonly command?: CommandConfig | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined: the gateway does not sign in there. */
  readonly oauth?: OAuthConfig | undefined;
  /** Texts that must never come back in an answer: what the environment gave, and what credential headers hold. */
  readonly credentials: readonly string[];
  /** Address ranges, as written, that the address guard opens. */
  readonly networkAllow: readonly string[];
  readonly classes: Readonly<Record<string, ToolClass>>;
  readonly tools: "accept" | "review";
  /** Caps of its results; what is left out has the gateway's own bound, `types` lets all pass. */
  readonly results: {
    readonly maxBytes: number | undefined;
    readonly maxDepth: number | undefined;
    readonly timeoutSeconds: number | undefined;
    readonly types: readonly string[] | undefined;
  };
  /** What the server may ask of clients: `sampling`, `elicitation`, `roots`. */
  readonly asks: readonly string[];
  /** Further keys of a client's `_meta` that reach the server. */
  readonly meta: readonly string[];
  /** Whether the values of arguments are on record; else their names and a digest. */
  readonly recordsValues: boolean;
}

export interface PolicyConfig {
  readonly name: string;
  readonly server: string;
  /** Absolute; undefined where the document stands in the configuration itself. */
  readonly file: string | undefined;
  readonly document: PolicyDocument;
}

export interface GrantConfig {
  readonly label: string;
  readonly servers: readonly { readonly server: string; readonly policy: string | undefined }[];
  readonly identity: string | undefined;
  readonly owner: string | undefined;
  /** Undefined where the file gives none: whoever logs in may be led to it. */
  readonly token: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  readonly expiresMs: number | undefined;
}

/** Whoever has these claims: a grant of the file, or servers of a grant of their own. */
export interface LoginRow {
  readonly claims: Readonly<Record<string, string>>;
  readonly grant: string | undefined;
  /** None where `grant` is named. */
  readonly servers: GrantConfig["servers"];
}

/** Clients that log in with access tokens of one issuer. */
export interface LoginConfig {
  /** As it stands in `iss`, to the letter. */
  readonly issuer: string;
  readonly audience: string | undefined;
  readonly scopes: readonly string[];
  /** Undefined: found by the issuer's metadata. */
  readonly jwksUri: string | undefined;
  readonly networkAllow: readonly string[];
  /** The claim that says who somebody is. */
  readonly identity: string;
  readonly emails: "verified" | "issued";
  /** Tag → the claim that it is taken from. */
  readonly tags: Readonly<Record<string, string>>;
  readonly rows: readonly LoginRow[];
}

/** One file that the configuration was read from, with what it held, for whoever watches them. */
export interface ConfigSource {
  /** Absolute. */
  readonly file: string;
  /** SHA-256 of its bytes, or a word where it could not be read. */
  readonly digest: string;
}

export interface Config {
  /** Absolute path of the configuration file. */
  readonly file: string;
  readonly listen: {
    readonly host: string | undefined;
    readonly port: number | undefined;
    readonly publicUrl: string | undefined;
    readonly allowedHosts: readonly string[];
  };
  /** Absolute path of the SQLite file; undefined: in the data folder, or `storeUrl` says where. */
  readonly storeFile: string | undefined;
  /** Where counters live, password and all; undefined: in the store. */
  readonly limitsUrl?: string | undefined;
  /** The address of a PostgreSQL, which holds a password. */
  readonly storeUrl?: string | undefined;
  /** Absolute path of the master key's file; undefined: see the environment, then the data folder. */
  readonly keyFile: string | undefined;
  readonly servers: readonly ServerConfig[];
  readonly policies: readonly PolicyConfig[];
  readonly grants: readonly GrantConfig[];
  /** Undefined: nobody logs in, and tokens of grants are all there is. */
  readonly login: LoginConfig | undefined;
  readonly audit: {
    readonly durability: "process" | "disk";
    /** How long entries are kept, in milliseconds and as it was spelt; undefined: for ever. */
    readonly retention?: { readonly ms: number; readonly text: string } | undefined;
  };
  readonly sources: readonly ConfigSource[];
}
