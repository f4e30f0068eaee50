/** Clients of both generations of the SDK, connected through a gateway. */
import {
  Client as ClientV2,
  type ClientOptions as OptionsV2,
  StreamableHTTPClientTransport as TransportV2,
} from "@modelcontextprotocol/client";
import { Client as ClientV1, type ClientOptions as OptionsV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";

export interface Connected<Client> {
  readonly client: Client;
  readonly session: string | undefined;
  terminate(): Promise<void>;
}

function initOf(token: string): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${token}`, cookie: "session=of-the-client" } };
}

export async function connectV1(
  url: URL,
  token: string,
  options: OptionsV1 = {},
  prepare: (client: ClientV1) => void = () => undefined,
): Promise<Connected<ClientV1> & { readonly transport: TransportV1 }> {
  const client = new ClientV1({ name: "first-generation", version: "1.0.0" }, options);
  prepare(client);
  const transport = new TransportV1(url, { requestInit: initOf(token) });
  await client.connect(transport as Transport);
  return { client, transport, session: transport.sessionId, terminate: () => transport.terminateSession() };
}

export async function connectV2(
  url: URL,
  token: string,
  options: OptionsV2 = {},
  prepare: (client: ClientV2) => void = () => undefined,
): Promise<Connected<ClientV2>> {
  const client = new ClientV2({ name: "second-generation", version: "2.0.0" }, options);
  prepare(client);
  const transport = new TransportV2(url, { requestInit: initOf(token) });
  await client.connect(transport);
  return { client, session: transport.sessionId, terminate: () => transport.terminateSession() };
}

/** The text of a result's first block. */
export function textOf(result: unknown): string {
  const { content } = result as { content?: readonly { type: string; text?: string }[] };
  return content?.[0]?.text ?? "";
}
