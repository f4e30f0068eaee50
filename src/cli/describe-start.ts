/** What `start` says once it listens: where, with what, and one line to try. */
import path from "node:path";
import type { StartedGateway } from "./ports.ts";

const DEMO_CALL = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"NAME","arguments":ARGS}}`;

export function describeStart(running: StartedGateway): string {
  const { url, dataDir, servers, demo } = running;
  const lines = ["", "  Sallyport is listening.", "", `  gateway   ${url}`, `  data      ${dataDir}`];
  if (demo) return [...lines, ...describeDemo(url, demo.token, commandFor(dataDir)), ""].join("\n");
  if (servers.length === 0) {
    lines.push(
      "",
      "  No server is configured yet. Write a sallyport.yaml (docs/configuration.md has one to start from)",
      "  and start again with --config sallyport.yaml.",
    );
  } else {
    lines.push("  servers", ...servers.map((name) => `            ${url}/mcp/${name}`));
  }
  return [...lines, "", ""].join("\n");
}

/** How the checkout's commands are called for this folder: the demo's own is found without a word. */
function commandFor(dataDir: string): (words: string) => string {
  const named = path.resolve(".sallyport") === dataDir ? "" : ` --data ${dataDir}`;
  return (words) => `npm run -s sallyport -- ${words}${named}`;
}

function describeDemo(url: string, token: string | undefined, command: (words: string) => string): string[] {
  const endpoint = `${url}/mcp/sendit`;
  const lines = [`  demo      ${endpoint}`];
  if (token === undefined) {
    lines.push(
      `  token     shown at the first start only; for a new one: ${command("grant rotate demo")}`,
      "",
      `  The policy is policies/sendit.json; what happened so far: ${command("audit tail")}`,
      "",
    );
    return lines;
  }
  const entry = { mcpServers: { sendit: { type: "http", url: endpoint, headers: { Authorization: `Bearer ${token}` } } } };
  const post = (name: string, args: string): string =>
    `curl -s ${endpoint} -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '${DEMO_CALL.replace("NAME", name).replace("ARGS", args)}'`;
  lines.push(
    `  token     ${token}`,
    "            (shown this once)",
    "",
    "  Paste into your MCP client:",
    "",
    ...JSON.stringify(entry, null, 2)
      .split("\n")
      .map((line) => `    ${line}`),
    "",
    "  Try it: one call that the policy allows, and one that it refuses:",
    "",
    `    ${post("list_connectors", "{}")}; echo; ${post("disconnect_connector", '{"connector":"notion"}')}; echo`,
    "",
    `  Then look at the log:  ${command("audit tail")}`,
    "",
  );
  return lines;
}
