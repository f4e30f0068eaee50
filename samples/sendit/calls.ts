/**
 * Runs the tools. What a caller could do better is an answer with `isError` that says how; secrets that came in leave
 * only masked and as a fingerprint.
 */
import { randomBytes } from "node:crypto";
import type { Connection, Connections } from "./connections.ts";
import type { ApiKeyConnector, Connector, OAuthConnector, WebhookConnector } from "./connectors.ts";
import { isObject, type Json, type JsonObject } from "./messages.ts";
import { type OAuth, rowOf } from "./oauth.ts";
import type { Sealer } from "./seal.ts";
import { MAX_KEY_CHARACTERS, MIN_KEY_CHARACTERS, TOOLS } from "./tools.ts";
import { maskUrl, type Webhooks } from "./webhooks.ts";

const API_KEY = /^[\x21-\x7e]+$/;
const TAIL_CHARACTERS = 4;
/** Shorter keys show no tail: it would be too much of them. */
const MIN_CHARACTERS_FOR_TAIL = 16;
const NO_ROOM = "There is no room for another connection: disconnect some first.";

export interface Calls {
  /** The `tools/call` result; undefined where there is no such tool. */
  run(name: string, args: JsonObject): Promise<JsonObject | undefined>;
}

export interface CallPorts {
  readonly connectors: readonly Connector[];
  readonly connections: Connections;
  readonly sealer: Sealer;
  readonly oauth: OAuth;
  readonly webhooks: Webhooks;
  readonly now: () => number;
}

/** What went wrong, in words for the caller. */
type Answer = JsonObject | string;

export function createCalls(ports: CallPorts): Calls {
  const { connectors, connections, sealer, now } = ports;

  /** The same credential again is the connection that is already there. */
  const keep = (connector: Connector, secret: string, what: "apiKey" | "webhookUrl", shown: string): Connection | undefined => {
    const fingerprint = sealer.fingerprint(secret);
    const same = connections.list().find((row) => row.connector === connector.id && row.fingerprint === fingerprint);
    if (same !== undefined) return same;
    const row = { id: `con_${randomBytes(12).toString("hex")}`, connector: connector.id };
    const sealed = sealer.seal(secret, rowOf(row, what));
    const times = { createdAt: now(), connectedAt: now() };
    const connection: Connection = { ...row, kind: connector.kind, status: "connected", ...times, shown, fingerprint, sealed };
    return connections.insert(connection) ? connection : undefined;
  };

  const answerKept = (kept: Connection | undefined, message: string): Answer =>
    kept === undefined ? NO_ROOM : { message, connection: show(kept, now()) };

  const connectKey = (connector: ApiKeyConnector, args: JsonObject): Answer => {
    const key = args["apiKey"];
    if (args["webhookUrl"] !== undefined || typeof key !== "string") return `${connector.name} takes an \`apiKey\`, and no \`webhookUrl\`.`;
    if (key.length < MIN_KEY_CHARACTERS || key.length > MAX_KEY_CHARACTERS || !API_KEY.test(key)) {
      return `\`apiKey\` must be ${MIN_KEY_CHARACTERS} to ${MAX_KEY_CHARACTERS} printable ASCII characters without blanks.`;
    }
    const tail = key.length < MIN_CHARACTERS_FOR_TAIL ? "" : key.slice(-TAIL_CHARACTERS);
    const kept = keep(connector, key, "apiKey", `****${tail}`);
    return answerKept(kept, `${connector.name}: the key is stored sealed. It was not tried against the service.`);
  };

  const connectWebhook = async (connector: WebhookConnector, args: JsonObject): Promise<Answer> => {
    const url = args["webhookUrl"];
    if (args["apiKey"] !== undefined || typeof url !== "string") return `${connector.name} takes a \`webhookUrl\`, and no \`apiKey\`.`;
    const reason = await ports.webhooks.check(connector, url);
    if (reason !== undefined) return reason;
    const kept = keep(connector, url, "webhookUrl", maskUrl(url));
    return answerKept(kept, `${connector.name}: the receiver answered the signed ping, and the URL is registered.`);
  };

  const connectOAuth = async (connector: OAuthConnector, args: JsonObject): Promise<Answer> => {
    if (args["apiKey"] !== undefined || args["webhookUrl"] !== undefined)
      return `${connector.name} takes neither \`apiKey\` nor \`webhookUrl\`.`;
    const begun = await ports.oauth.begin(connector);
    if (typeof begun === "string") return begun;
    const message =
      `Ask the person to open the authorization URL in a browser on the machine this server runs on. It works once and for ten minutes. ` +
      `list_connected_connectors tells when ${connector.name} is connected.`;
    return { message, connection: show(begun.connection, now()), authorizationUrl: begun.authorizationUrl };
  };

  const find = (args: JsonObject): Connector | string => {
    const ids = connectors.map(({ id }) => id).join(", ");
    // Not repeated: what stands there may be a key in the wrong place.
    return connectors.find(({ id }) => id === args["connector"]) ?? `There is no such connector. There are: ${ids}.`;
  };

  const tools: Readonly<Record<string, (args: JsonObject) => Answer | Promise<Answer>>> = {
    list_connectors: () => {
      const isConnected = (id: string): boolean => connections.list().some((row) => row.connector === id && row.status === "connected");
      return { connectors: connectors.map((one) => ({ ...describe(one), connected: isConnected(one.id) })) };
    },
    connect_connector: (args) => {
      const connector = find(args);
      if (typeof connector === "string") return connector;
      if (connector.kind === "api_key") return connectKey(connector, args);
      return connector.kind === "webhook" ? connectWebhook(connector, args) : connectOAuth(connector, args);
    },
    list_connected_connectors: () => ({ connections: connections.list().map((row) => show(row, now())) }),
    disconnect_connector: (args) => {
      const connector = args["connector"];
      const isKnown = typeof connector === "string" && connections.list().some((row) => row.connector === connector);
      // A connector that is no longer configured can still be disconnected.
      const found = isKnown ? { id: connector } : find(args);
      if (typeof found === "string") return found;
      const removed = connections.remove(found.id);
      const message =
        removed === 0 ? "Nothing was connected." : "Disconnected; what was stored is deleted. It is not revoked at the service.";
      return { message, connector: found.id, removed };
    },
  };

  return {
    run: async (name, args) => {
      const tool = Object.hasOwn(tools, name) ? tools[name] : undefined;
      if (tool === undefined) return undefined;
      const answer = checkArguments(name, args) ?? (await tool(args));
      if (typeof answer === "string") return { content: [{ type: "text", text: answer }], isError: true };
      return { content: [{ type: "text", text: JSON.stringify(answer) }], structuredContent: answer };
    },
  };
}

/** The input schemas say no more than this: known names, required ones, all of them text. */
function checkArguments(name: string, args: JsonObject): string | undefined {
  const schema = TOOLS.find((tool) => tool["name"] === name)?.["inputSchema"];
  const properties = isObject(schema) && isObject(schema["properties"]) ? schema["properties"] : {};
  const required = isObject(schema) && Array.isArray(schema["required"]) ? schema["required"].filter((key) => typeof key === "string") : [];
  const names = Object.keys(properties);
  if (!Object.keys(args).every((key) => Object.hasOwn(properties, key))) {
    return names.length === 0 ? `${name} takes no arguments.` : `${name} takes only ${names.map((one) => `\`${one}\``).join(", ")}.`;
  }
  const missing = required.find((key) => !Object.hasOwn(args, key));
  if (missing !== undefined) return `${name} needs \`${missing}\`.`;
  const odd = Object.keys(args).find((key) => typeof args[key] !== "string");
  return odd === undefined ? undefined : `\`${odd}\` must be text.`;
}

function describe(connector: Connector): { [key: string]: Json } {
  const { id, name, kind } = connector;
  const needs = {
    api_key: "Needs its API key as `apiKey`.",
    webhook: "Needs its URL as `webhookUrl`.",
    oauth2: "A person approves it in a browser.",
  };
  return { id, name, kind, description: needs[kind] };
}

function show(row: Connection, nowMs: number): JsonObject {
  const { id, connector, kind, attempt } = row;
  const isExpired = row.status === "pending" && attempt !== undefined && attempt.expiresAt <= nowMs;
  const shown: JsonObject = {
    id,
    connector,
    kind,
    status: isExpired ? "expired" : row.status,
    createdAt: new Date(row.createdAt).toISOString(),
  };
  const reason = isExpired ? "Nobody approved it in time." : row.reason;
  if (reason !== undefined) shown["reason"] = reason;
  if (row.shown !== undefined) shown["credential"] = row.shown;
  if (row.fingerprint !== undefined) shown["fingerprint"] = row.fingerprint;
  if (row.scopes !== undefined) shown["scopes"] = [...row.scopes];
  if (row.connectedAt !== undefined) shown["connectedAt"] = new Date(row.connectedAt).toISOString();
  if (attempt !== undefined) shown["expiresAt"] = new Date(attempt.expiresAt).toISOString();
  return shown;
}
