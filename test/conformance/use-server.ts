/** A client of the SDK's second generation that does all that a scenario's server offers, once. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { Revision } from "./suite.ts";

export interface Scenario {
  /** The address of the server that the suite started for it. */
  readonly server: string;
  readonly scenario: string;
  readonly revision: Revision;
  readonly context: {
    readonly toolCalls?: readonly ToolCall[];
    /** Of a login: the name that the client is known by, and where. */
    readonly client_id?: string;
    readonly client_secret?: string;
    readonly issuer?: string;
  };
}

interface ToolCall {
  readonly name: string;
  readonly arguments: Record<string, unknown>;
}

interface Listed {
  readonly name: string;
  readonly inputSchema: object;
}

/** The calls that a scenario wants; left out: every tool that is listed, with a text for whatever it requires. */
const CALLS: Readonly<Record<string, (tools: readonly Listed[]) => readonly ToolCall[]>> = {
  tools_call: () => [{ name: "add_numbers", arguments: { a: 5, b: 3 } }],
  "json-schema-ref-no-deref": () => [],
  "json-schema-2020-12-preservation": (tools) => {
    const schema = tools.find(({ name }) => name === "json_schema_2020_12_tool")?.inputSchema;
    return [{ name: "json_schema_echo", arguments: { schema } }];
  },
};

function callEach(tools: readonly Listed[]): readonly ToolCall[] {
  return tools.map(({ name, inputSchema }) => {
    const { required = [] } = inputSchema as { required?: readonly string[] };
    return { name, arguments: Object.fromEntries(required.map((key) => [key, "text"])) };
  });
}

/** One scenario gives null for a boolean, which no tool's schema lets through a policy; null is to be treated as left out. */
function withoutNull({ name, arguments: args }: ToolCall): ToolCall {
  return { name, arguments: Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null)) };
}

function createClient({ scenario, revision }: Scenario): Client {
  const isModern = revision === "2026-07-28";
  const client = new Client(
    { name: "conformance-client", version: "1.0.0" },
    {
      capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} },
      ...(isModern ? { versionNegotiation: { mode: { pin: revision } } } : {}),
    },
  );
  const content: Record<string, boolean> = scenario.startsWith("sep-2322") ? { confirmed: true } : {};
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content }));
  client.setRequestHandler("roots/list", () => ({ roots: [] }));
  client.setRequestHandler("sampling/createMessage", () => ({
    role: "assistant",
    model: "none",
    content: { type: "text", text: "Hello." },
  }));
  return client;
}

/** `url` is the server's own address, or the gateway's for it. Gives whether every tool said that it went well. */
export async function useServer(asked: Scenario, url: string, headers: Readonly<Record<string, string>>): Promise<boolean> {
  const { scenario, context, revision } = asked;
  const client = createClient(asked);
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  let isWell = true;
  try {
    const has = client.getServerCapabilities() ?? {};
    const { tools } = has.tools || revision === "2025-11-25" ? await client.listTools() : { tools: [] };
    for (const call of context.toolCalls ?? (CALLS[scenario] ?? callEach)(tools)) {
      const { isError } = await client.callTool(withoutNull(call));
      if (isError === true) isWell = false;
    }
    if (has.resources) for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
    if (has.prompts) for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
  } finally {
    await client.close();
  }
  return isWell;
}
