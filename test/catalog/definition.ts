/** Definitions in one line: a name, a description, arguments by name with what their schema says. */
import { type JsonObject, toJson } from "../../src/kernel/json.ts";

export function define(name: string, description = "", properties: Readonly<Record<string, object>> = {}, more: object = {}): JsonObject {
  return toJson({ name, description, inputSchema: { type: "object", properties }, ...more }) as JsonObject;
}

export const TEXT = { type: "string" };

/** The one that the first page of the catalogue was about. */
export const CONNECT_CONNECTOR: JsonObject = define(
  "connect_connector",
  "Initiate authentication flow for a connector. For OAuth2 connectors, returns an authorization URL. For API key connectors, stores the provided key. For webhook connectors, registers the webhook URL.",
  { connector: TEXT, apiKey: TEXT },
);
