/**
 * The four tools as data: what they are called, what they take and give, and what they do to the world. The
 * annotations are true, so that whoever stands before this server need not guess.
 */
import type { JsonObject } from "./messages.ts";

export const MIN_KEY_CHARACTERS = 8;
export const MAX_KEY_CHARACTERS = 512;
export const MAX_URL_CHARACTERS = 2048;

const text: JsonObject = { type: "string" };

const connectorArgument: JsonObject = {
  type: "string",
  minLength: 1,
  maxLength: 64,
  description: "The connector's id, from list_connectors.",
};

const connection: JsonObject = {
  type: "object",
  properties: {
    id: text,
    connector: text,
    kind: { enum: ["api_key", "webhook", "oauth2"] },
    status: { enum: ["pending", "connected", "failed", "expired"] },
    reason: { type: "string", description: "Why the status is failed or expired." },
    credential: { type: "string", description: "What is held, masked; never the credential itself." },
    fingerprint: { type: "string", description: "The same for the same credential; says nothing about it." },
    scopes: { type: "array", items: text },
    createdAt: { type: "string", format: "date-time" },
    connectedAt: { type: "string", format: "date-time" },
    expiresAt: { type: "string", format: "date-time", description: "Until when a pending connection can be approved." },
  },
  required: ["id", "connector", "kind", "status", "createdAt"],
  additionalProperties: false,
};

const noArguments: JsonObject = { type: "object", properties: {}, additionalProperties: false };

export const TOOLS: readonly JsonObject[] = [
  {
    name: "list_connectors",
    title: "List connectors",
    description: "Lists the services that can be connected, and what connect_connector needs for each. Changes nothing.",
    inputSchema: noArguments,
    outputSchema: {
      type: "object",
      properties: {
        connectors: {
          type: "array",
          items: {
            type: "object",
            properties: {
              id: text,
              name: text,
              kind: { enum: ["api_key", "webhook", "oauth2"] },
              description: text,
              connected: { type: "boolean" },
            },
            required: ["id", "name", "kind", "description", "connected"],
            additionalProperties: false,
          },
        },
      },
      required: ["connectors"],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  },
  {
    name: "connect_connector",
    title: "Connect a connector",
    description:
      "Connects a service. For an api_key connector, stores `apiKey` sealed. For a webhook connector, sends a signed ping to `webhookUrl` " +
      "and registers the URL, sealed, if the receiver answers with 2xx. For an oauth2 connector, takes neither and returns an authorization " +
      "URL for a person to open; list_connected_connectors tells when it is done. Existing connections are kept; secrets are never returned.",
    inputSchema: {
      type: "object",
      properties: {
        connector: connectorArgument,
        apiKey: {
          type: "string",
          minLength: MIN_KEY_CHARACTERS,
          maxLength: MAX_KEY_CHARACTERS,
          writeOnly: true,
          description: "The service's API key or token. For api_key connectors only.",
        },
        webhookUrl: {
          type: "string",
          format: "uri",
          maxLength: MAX_URL_CHARACTERS,
          writeOnly: true,
          description: "The https URL to register. For webhook connectors only.",
        },
      },
      required: ["connector"],
      additionalProperties: false,
    },
    outputSchema: {
      type: "object",
      properties: { message: text, connection, authorizationUrl: { type: "string", format: "uri" } },
      required: ["message", "connection"],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  },
  {
    name: "list_connected_connectors",
    title: "List connected connectors",
    description: "Lists the connections held and their status, with masked credentials. Changes nothing.",
    inputSchema: noArguments,
    outputSchema: {
      type: "object",
      properties: { connections: { type: "array", items: connection } },
      required: ["connections"],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  },
  {
    name: "disconnect_connector",
    title: "Disconnect a connector",
    description:
      "Deletes every connection of a connector with its stored credential, which can't be undone. The credential is forgotten here; " +
      "it is not revoked at the service.",
    inputSchema: {
      type: "object",
      properties: { connector: connectorArgument },
      required: ["connector"],
      additionalProperties: false,
    },
    outputSchema: {
      type: "object",
      properties: { message: text, connector: text, removed: { type: "integer", minimum: 0 } },
      required: ["message", "connector", "removed"],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  },
];
