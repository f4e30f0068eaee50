/**
 * What is known of one MCP client: where its configuration stands, under which key its servers are, and how an entry that
 * points at the gateway is spelled there. One shape for all of them; reading is the same for every dialect.
 */
import type { Json } from "../../kernel/json.ts";

export type FileFormat = "json" | "toml" | "yaml";

/** A machine as far as finding files asks: everything is passed in. */
export interface Machine {
  readonly platform: "linux" | "darwin" | "win32";
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where projects' files are looked for. */
  readonly folder: string;
}

export interface GatewayEntry {
  readonly url: string;
  /** The variable that holds the grant's token. */
  readonly tokenVariable: string;
}

export interface CommandEntry {
  readonly command: string;
  readonly args: readonly string[];
  /** Variables as the client's own entry had them. */
  readonly env: Json | undefined;
}

export interface Client {
  readonly id: string;
  readonly title: string;
  /** When its documentation was last looked at; clients move their files. */
  readonly checked: string;
  readonly format: FileFormat;
  userFiles(machine: Machine): readonly string[];
  /** Below the project's folder. */
  readonly projectFiles: readonly string[];
  /** Where the servers stand in the file; the first that is there counts. */
  readonly keys: readonly (readonly string[])[];
  /** Whether `$NAME` without braces is read from the environment. */
  readonly bareVariables?: boolean | undefined;
  /** The entry that reaches the gateway over HTTP; undefined where the client can't read a token from the environment. */
  readonly remote: ((entry: GatewayEntry) => Json) | undefined;
  /** The entry that starts a command. */
  command(entry: CommandEntry): Json;
}
