/** What `start` says once it listens: where, with what, and one line to try. */
import type { StartedGateway } from "./ports.ts";

const DEMO_CALL = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"NAME","arguments":ARGS}}`;

export function describeStart(running: StartedGateway): string {
  const { url, dataDir, servers, demo } = running;
  const lines = ["", "  Sallyport is listening.", "", `  gateway   ${url}`, `  data      ${dataDir}`];
  if (demo) return [...lines, ...describeDemo(url, demo.token), ""].join("\n");
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

function describeDemo(url: string, token: string | undefined): string[] {
  const endpoint = `${url}/mcp/sendit`;
  const lines = [`  demo      ${endpoint}`];
  if (token === undefined) {
    lines.push(
      "  token     shown at the first start only; for a new one: npm run sallyport -- grant rotate demo",
      "",
      "  The policy is policies/sendit.json; what happened so far: npm run sallyport -- audit tail",
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
    `    ${post("list_connectors", "{}")}; echo; ${post("disconnect_connector", '{"connectorId":"notion"}')}; echo`,
    "",
    "  Then look at the log:  npm run sallyport -- audit tail",
    "",
  );
  return lines;
}
