// A stdio MCP server for tests: keeps every line it gets in the file that it is told, and answers plainly.
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [file, ending] = process.argv.slice(2);
process.stderr.write("the server speaks\n");
const tools = [
  { name: "echo", inputSchema: { type: "object" } },
  { name: "hidden", inputSchema: { type: "object" } },
];
for await (const line of createInterface({ input: process.stdin })) {
  if (file) appendFileSync(file, `${line}\n`);
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  const answer = (member) => process.stdout.write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${member}}\n`);
  if (method === "initialize")
    answer(
      `"result":${JSON.stringify({ protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "raw", version: "1" } })}`,
    );
  else if (method === "tools/list") answer(`"result":${JSON.stringify({ tools })}`);
  else if (method === "tools/call" && params.arguments?.die !== undefined) process.exit(params.arguments.die);
  else if (method === "tools/call" && ending === "silent") continue;
  else if (method === "tools/call") answer('"result":{"content":[{"type":"text","text":"done"}],"n":1.0}');
  else if (method === "ping") answer('"result":{}');
  else answer('"error":{"code":-32601,"message":"Method not found"}');
}
if (ending !== undefined && ending !== "silent") process.exit(Number(ending));
