/** What the server of the bench answers, over whichever transport: a fixed result, a list of tools, an opening. */

/** The rest of an answer after its id. */
export function writeResult(characters: number): string {
  return `,"result":{"content":[{"type":"text","text":"${"x".repeat(characters)}"}],"isError":false}}`;
}

function listTools(count: number): unknown[] {
  const inputSchema = { type: "object", properties: { text: { type: "string" }, note: { type: "string" } } };
  return Array.from({ length: count }, (_, index) => ({
    name: index === 0 ? "echo" : `tool_${index}`,
    description: "Says it again.",
    inputSchema,
  }));
}

/** The answer to a message; undefined: a notification, which has none. */
export function answerMessage(text: string, serves: { readonly tools: number; readonly result: string }): string | undefined {
  const message = JSON.parse(text) as { id?: number | string; method?: string; params?: { protocolVersion?: string } };
  if (message.id === undefined) return undefined;
  const id = JSON.stringify(message.id);
  switch (message.method) {
    case "tools/call":
      return `{"jsonrpc":"2.0","id":${id}${serves.result}`;
    case "tools/list":
      return `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify({ tools: listTools(serves.tools) })}}`;
    case "ping":
      return `{"jsonrpc":"2.0","id":${id},"result":{}}`;
    case "initialize": {
      const result = {
        protocolVersion: message.params?.protocolVersion ?? "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "bench", version: "1" },
      };
      return `{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`;
    }
    default:
      return `{"jsonrpc":"2.0","id":${id},"error":{"code":-32601,"message":"Method not found"}}`;
  }
}
