/**
 * One server as a client's configuration spells it, whatever the dialect: a command or an address. What can't be
 * understood is said in words, never guessed at, and no value of it is repeated.
 */
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../../kernel/json.ts";

export type ServerEntry =
  | {
      readonly kind: "command";
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly cwd: string | undefined;
    }
  | { readonly kind: "url"; readonly url: string; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: "unreadable"; readonly reason: string };

export interface ReadEntry {
  readonly entry: ServerEntry;
  readonly isDisabled: boolean;
}

const MAX_ARGUMENTS = 1_000;
const MAX_VARIABLES = 200;

export function readEntry(value: Json): ReadEntry {
  if (!isJsonObject(value)) return { entry: unreadable("the entry is no object"), isDisabled: false };
  // The gateway's own configuration keeps the server one step below.
  const upstream = readMember(value, "upstream");
  const object = isJsonObject(upstream) ? upstream : value;
  const isDisabled = readMember(object, "disabled") === true || readMember(object, "enabled") === false;
  return { entry: readServer(object), isDisabled };
}

function readServer(object: JsonObject): ServerEntry {
  const given = readMember(object, "command") ?? readMember(object, "cmd");
  if (given !== undefined) return readCommand(object, given);
  const transport = readMember(object, "transport");
  const from = isJsonObject(transport) ? transport : object;
  const url = firstText(from, "httpUrl", "serverUrl", "url", "uri");
  if (url !== undefined) return readUrl(from, url);
  const type = readMember(object, "type");
  return unreadable(
    type === "builtin" || type === "platform" ? "it is built into the client" : "it names neither a command nor an address",
  );
}

function readCommand(object: JsonObject, given: Json): ServerEntry {
  // `["npx", "-y", …]`, and `{ "path": …, "args": … }` of older files.
  const nested = isJsonObject(given) ? given : undefined;
  const words = isJsonList(given) ? given : [nested ? readMember(nested, "path") : given];
  const more = readMember(nested ?? object, "args") ?? [];
  const all = isJsonList(more) ? [...words, ...more] : undefined;
  if (all === undefined || all.length > MAX_ARGUMENTS || !all.every((word) => typeof word === "string")) {
    return unreadable("its command and arguments are no texts");
  }
  const [command, ...args] = all as [string | undefined, ...string[]];
  if (command === undefined || command.trim() === "") return unreadable("its command is empty");
  const holder = nested ?? object;
  const env = readTexts(readMember(holder, "env") ?? readMember(holder, "environment") ?? readMember(holder, "envs"));
  if (env === undefined) return unreadable("its variables are no texts");
  const cwd = readMember(object, "cwd");
  return { kind: "command", command, args, env, cwd: typeof cwd === "string" ? cwd : undefined };
}

function readUrl(object: JsonObject, url: string): ServerEntry {
  const options = readMember(object, "requestOptions");
  const headers = readTexts(
    readMember(object, "headers") ??
      readMember(object, "http_headers") ??
      (isJsonObject(options) ? readMember(options, "headers") : undefined),
  );
  const named = readTexts(readMember(object, "env_http_headers"));
  if (headers === undefined || named === undefined) return unreadable("its headers are no texts");
  const all: Record<string, string> = { ...headers };
  for (const [name, variable] of Object.entries(named)) all[name] = `\${${variable}}`;
  const token = readMember(object, "bearer_token_env_var");
  if (typeof token === "string" && token !== "") all["Authorization"] = `Bearer \${${token}}`;
  return { kind: "url", url, headers: all };
}

function readTexts(value: Json | undefined): Record<string, string> | undefined {
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) return undefined;
  const names = Object.keys(value);
  if (names.length > MAX_VARIABLES) return undefined;
  const texts: Record<string, string> = {};
  for (const name of names) {
    const text = value[name];
    if (typeof text === "string") texts[name] = text;
    else if (typeof text === "boolean" || (typeof text === "object" && text !== null && !isJsonList(text) && !isJsonObject(text)))
      texts[name] = String(text);
    else return undefined;
  }
  return texts;
}

function firstText(object: JsonObject, ...keys: readonly string[]): string | undefined {
  return keys.map((key) => readMember(object, key)).find((value) => typeof value === "string");
}

function unreadable(reason: string): ServerEntry {
  return { kind: "unreadable", reason };
}
