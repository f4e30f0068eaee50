// A small server on standard streams that does what it is told: tools of the legacy era, or of the modern one. It names
// its process in every answer, so that a test can tell which one answered.
import { createInterface } from "node:readline";

const era = process.env.ERA ?? "legacy";
const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
const text = (words) => ({ content: [{ type: "text", text: typeof words === "string" ? words : JSON.stringify(words) }] });
const heard = [];
const asked = new Map();
let nextAsk = 1;
let listens = [];

if (process.env.SAY) process.stderr.write(`${process.env.SAY}\n`);
if (process.env.EXIT) process.exit(Number(process.env.EXIT));
if (process.env.STUBBORN) {
  process.on("SIGTERM", () => undefined);
  setInterval(() => undefined, 1000);
}

async function callTool(id, { name, arguments: args = {}, _meta: meta = {} }) {
  const give = (words) => say({ id, result: { ...(era === "modern" ? { resultType: "complete" } : {}), ...text(words) } });
  switch (name) {
    case "echo":
      return setTimeout(() => give(String(args.text)), args.ms ?? 0);
    case "pid":
      return give({ pid: process.pid, cwd: process.cwd(), env: process.env });
    case "heard":
      return give(heard);
    case "hang":
      return undefined;
    case "crash":
      return process.exit(args.code ?? 7);
    case "garbage":
      process.stdout.write('this is no message\n\n[1,2]\n{"jsonrpc":"2.0","id":999999,"result":{}}\n');
      return give("after the garbage");
    case "twice":
      process.stdout.write(`{"jsonrpc":"2.0","id":${id},"result":{"content":[],"content":[]}}\n`);
      return undefined;
    case "flood":
      for (let n = 0; n < args.lines; n++) process.stderr.write(`flood ${n}\n`);
      return give("flooded");
    case "secret":
      process.stderr.write(`the key is ${process.env.API_KEY}\nin base64 ${Buffer.from(process.env.API_KEY ?? "").toString("base64")}\n`);
      return give(args.back ? `it is ${process.env.API_KEY}` : "told");
    case "count":
      for (let n = 1; n <= (args.steps ?? 3); n++) {
        say({ method: "notifications/progress", params: { progressToken: meta.progressToken ?? "none", progress: n } });
        if (args.ms) await new Promise((resolve) => setTimeout(resolve, args.ms));
      }
      return give("counted");
    case "foreign":
      say({ method: "notifications/progress", params: { progressToken: args.token, progress: 1 } });
      return give("told");
    case "log":
      say({ method: "notifications/message", params: { level: "info", data: args.text } });
      return give("logged");
    case "change":
      say({ method: "notifications/tools/list_changed", params: { stray: "words" } });
      for (const listen of listens) {
        say({ method: "notifications/tools/list_changed", params: { _meta: { "io.modelcontextprotocol/subscriptionId": listen } } });
      }
      return give("changed");
    case "update":
      say({ method: "notifications/resources/updated", params: { uri: args.uri } });
      return give("updated");
    case "ask": {
      const ask = `own-${nextAsk++}`;
      asked.set(ask, (answer) => give(answer));
      return say({
        id: ask,
        method: args.method ?? "elicitation/create",
        params: { message: "Your name?", requestedSchema: { type: "object", properties: {} } },
      });
    }
    default:
      return say({ id, error: { code: -32602, message: `Unknown tool: ${name}` } });
  }
}

function takeLegacy(id, method, params) {
  if (method === "initialize") {
    const capabilities = { tools: { listChanged: true }, resources: { subscribe: true }, logging: {}, tasks: {} };
    const serverInfo = { name: "puppet", version: String(process.pid) };
    const protocolVersion = process.env.REVISION ?? params.protocolVersion;
    return say({
      id,
      result: { protocolVersion, capabilities, serverInfo, instructions: process.env.INSTRUCTIONS ?? "Pull the strings." },
    });
  }
  if (method === "server/discover") {
    if (era === "dies") process.exit(1);
    if (era === "silent") return undefined;
  }
  return takeCommon(id, method, params);
}

function takeModern(id, method, params) {
  if (method === "server/discover") {
    return say({
      id,
      result: {
        resultType: "complete",
        supportedVersions: ["2026-07-28"],
        capabilities: { tools: { listChanged: true }, logging: {} },
        ttlMs: 0,
        cacheScope: "public",
      },
    });
  }
  if (method === "subscriptions/listen") {
    listens.push(id);
    const meta = { "io.modelcontextprotocol/subscriptionId": id };
    return say({ method: "notifications/subscriptions/acknowledged", params: { notifications: params.notifications, _meta: meta } });
  }
  if (method === "notifications/cancelled") listens = listens.filter((listen) => listen !== params.requestId);
  return takeCommon(id, method, params);
}

const NAMES = [
  "echo",
  "pid",
  "heard",
  "hang",
  "crash",
  "garbage",
  "twice",
  "flood",
  "secret",
  "count",
  "foreign",
  "log",
  "change",
  "update",
  "ask",
];

function takeCommon(id, method, params) {
  switch (method) {
    case "tools/list":
      return say({
        id,
        result: {
          ...(era === "modern" ? { resultType: "complete", ttlMs: 0, cacheScope: "public" } : {}),
          tools: NAMES.map((name) => ({ name, inputSchema: { type: "object" } })),
        },
      });
    case "tools/call":
      return callTool(id, params);
    case "ping":
    case "logging/setLevel":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return say({ id, result: {} });
    default:
      return id === undefined ? undefined : say({ id, error: { code: -32601, message: "Method not found" } });
  }
}

// One that is slow to start finds all that was said to it at once.
if (process.env.SLOW) await new Promise((resolve) => setTimeout(resolve, Number(process.env.SLOW)));
let pinned = "modern";

createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line);
  const { id, method, params } = message;
  heard.push(method === undefined ? { answer: id } : { method, id, params });
  if (method === undefined) {
    asked.get(id)?.({ result: message.result, error: message.error });
    return;
  }
  if (era === "dual" && method === "initialize") pinned = "legacy";
  if (era === "modern" || (era === "dual" && pinned === "modern")) takeModern(id, method, params);
  else takeLegacy(id, method, params);
});
