// What the suite's client scenarios run: tells whoever runs the suite about the scenario, and ends as its client ended.
const [runner, server] = process.argv.slice(2);
const { MCP_CONFORMANCE_SCENARIO: scenario, MCP_CONFORMANCE_PROTOCOL_VERSION: revision, MCP_CONFORMANCE_CONTEXT: context } = process.env;
const body = JSON.stringify({ server, scenario, revision, context: JSON.parse(context ?? "{}") });
const answer = await fetch(runner, { method: "POST", body });
if (!answer.ok) process.stderr.write(`${await answer.text()}\n`);
process.exitCode = answer.ok ? 0 : 1;
