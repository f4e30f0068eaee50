/** `sallyport run`: a real client on standard streams, the reference server as its child, the same policy and log. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Client, type ClientOptions } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { searchEntries } from "../../src/audit/search.ts";
import { openDataFolder } from "../../src/data-folder.ts";
import { type LogEntry, waitUntil } from "../support/gateway.ts";
import { EVERYTHING } from "./everything.ts";
import { call, initialize } from "./raw-client.ts";
import { textOf } from "./sdk-clients.ts";

const BIN = path.resolve(import.meta.dirname, "../../bin/sallyport.js");
const ALL = { elicitation: {}, sampling: {}, roots: {} };
let folder: string;
let policy: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), "sallyport-run-"));
  policy = path.join(folder, "everything.json");
  writeFileSync(
    policy,
    JSON.stringify({ version: "1", default: "allow", hide: ["gzip-*"], tools: { "get-env": { action: "deny", reason: "Not here." } } }),
  );
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const argsOf = (data: string, ...command: string[]): string[] => [
  BIN,
  "run",
  "--policy",
  policy,
  "--data",
  path.join(folder, data),
  "--",
  ...command,
];

async function connect(data: string, options: ClientOptions = {}, prepare: (client: Client) => void = () => undefined): Promise<Client> {
  const client = new Client({ name: "on-stdio", version: "1.0.0" }, options);
  prepare(client);
  const args = argsOf(data, process.execPath, EVERYTHING, "stdio");
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: "ignore" }));
  return client;
}

async function readLog(data: string): Promise<LogEntry[]> {
  const opened = await openDataFolder({ dir: path.join(folder, data), env: {} });
  const { entries } = await searchEntries(opened.store, {}, { limit: 1000 });
  await opened.close();
  return entries.map(({ line }) => JSON.parse(line) as LogEntry).reverse();
}

interface Wrapped {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly lines: () => readonly Record<string, unknown>[];
  readonly stderr: () => string;
  send(message: unknown): void;
}

function wrap(data: string, ...command: string[]): Wrapped {
  return start(argsOf(data, ...command));
}

function start(args: readonly string[]): Wrapped {
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const whole = (): string[] => out.split("\n").slice(0, -1);
  return {
    child,
    exited,
    lines: () => whole().map((line) => JSON.parse(line) as Record<string, unknown>),
    stderr: () => err,
    send: (message) => void child.stdin.write(`${typeof message === "string" ? message : JSON.stringify(message)}\n`),
  };
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** A server in a few lines; \`body\` answers a message. */
const server = (body: string, first = ""): string[] => [
  process.execPath,
  "-e",
  `const say = (m) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...m }) + "\\n");
   require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
     const { id, method, params } = JSON.parse(line);
     ${first}
     if (method === "initialize") return say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "tiny", version: String(process.pid) }, instructions: String(process.pid) } });
     if (method === "tools/list") return say({ id, result: { tools: [{ name: "tool", inputSchema: { type: "object" } }] } });
     ${body}
   });`,
];

describe("a client on standard streams", () => {
  it("is greeted, lists, calls, is denied, follows progress and cancels", async () => {
    const client = await connect("first");
    expect(client.getServerVersion()).toMatchObject({ name: "everything" });
    expect(client.getServerCapabilities()).not.toHaveProperty("tasks");
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toContain("echo");
    expect(names).not.toContain("gzip-file-as-resource");
    expect(textOf(await client.callTool({ name: "echo", arguments: { message: "hi" } }))).toBe("Echo: hi");
    expect(textOf(await client.callTool({ name: "get-env", arguments: {} }))).toBe("[POLICY DENIED] Not here.");
    await expect(client.callTool({ name: "gzip-file-as-resource", arguments: {} })).rejects.toMatchObject({ code: -32602 });
    const seen: number[] = [];
    const slow = { name: "trigger-long-running-operation", arguments: { duration: 0.2, steps: 3 } };
    await client.callTool(slow, undefined, { onprogress: ({ progress }) => void seen.push(progress) });
    // This client loses progress that comes in one piece with the answer; that nothing is lost before it is tested below.
    expect(seen.slice(0, 2)).toEqual([1, 2]);
    const abort = new AbortController();
    const long = { name: "trigger-long-running-operation", arguments: { duration: 60, steps: 600 } };
    const cancelled = client.callTool(long, undefined, { signal: abort.signal, onprogress: () => abort.abort("enough") });
    await expect(cancelled).rejects.toThrow("enough");
    expect(textOf(await client.callTool({ name: "echo", arguments: { message: "on" } }))).toBe("Echo: on");
    await client.close();
    const log = await readLog("first");
    const calls = log.filter(({ method }) => method === "tools/call");
    expect(calls.filter(({ tool }) => tool === "echo").map(({ kind }) => kind)).toEqual(["intent", "outcome", "intent", "outcome"]);
    expect(calls.find(({ tool }) => tool === "get-env")).toMatchObject({ kind: "denial", code: "denied", rule: "/tools/get-env/action" });
    expect(calls.filter(({ outcome, code }) => outcome === "unknown" && code === "cancelled")).toHaveLength(1);
    expect(calls[0]).toMatchObject({ server: "everything", client: { name: "on-stdio" } });
  });

  it("answers what the server asks", async () => {
    const client = await connect("second", { capabilities: ALL }, (made) => {
      made.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { name: "Ada" } }));
      made.setRequestHandler(CreateMessageRequestSchema, () => ({
        role: "assistant",
        model: "none",
        content: { type: "text", text: "Well said." },
      }));
      made.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///tmp/here", name: "here" }] }));
    });
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["trigger-elicitation-request", "trigger-sampling-request", "get-roots-list"]));
    expect(JSON.stringify(await client.callTool({ name: "trigger-elicitation-request", arguments: {} }))).toContain("Ada");
    const sampling = { name: "trigger-sampling-request", arguments: { prompt: "say", maxTokens: 10 } };
    expect(JSON.stringify(await client.callTool(sampling))).toContain("Well said.");
    expect(textOf(await client.callTool({ name: "get-roots-list", arguments: {} }))).toContain("file:///tmp/here");
    await client.close();
  });
});

describe("the wrapped process", () => {
  it("asks nothing of its client where that was said", async () => {
    const first =
      'if (method === "initialize") globalThis.told = params.capabilities; ' +
      'if (id === "q") return say({ id: globalThis.call, result: { content: [{ type: "text", text: JSON.stringify([globalThis.told, JSON.parse(line).error.message]) }] } });';
    const body = 'if (method === "tools/call") { globalThis.call = id; say({ id: "q", method: "roots/list" }); }';
    const [bin, run, ...rest] = argsOf("no-asks", ...server(body, first));
    const wrapped = start([bin as string, run as string, "--no-asks", ...rest]);
    const params = { protocolVersion: "2025-11-25", capabilities: ALL, clientInfo: { name: "c", version: "1" } };
    wrapped.send({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    await waitUntil(() => wrapped.lines().length === 1);
    wrapped.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    wrapped.send({ jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "tool", arguments: {} } });
    await waitUntil(() => wrapped.lines().length === 2);
    const text = JSON.stringify([{}, "The gateway does not let this server ask for that."]);
    expect(wrapped.lines()[1]).toMatchObject({ id: 2, result: { content: [{ text }] } });
    wrapped.child.stdin?.end();
    await wrapped.exited;
    expect((await readLog("no-asks")).find(({ method }) => method === "roots/list")).toMatchObject({ kind: "denial", code: "ask_closed" });
  });

  it("is told of what comes, in the order in which it came", async () => {
    const answer = 'say({ id, result: { content: [{ type: "text", text: globalThis.heard.join(" ") }] } })';
    const wrapped = wrap(
      "order",
      ...server(`if (method === "tools/call") ${answer};`, "globalThis.heard = [...(globalThis.heard ?? []), method];"),
    );
    wrapped.send(initialize());
    await waitUntil(() => wrapped.lines().length === 1);
    wrapped.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    wrapped.send(call(1, "tool"));
    await waitUntil(() => wrapped.lines().length === 2);
    const order = "initialize notifications/initialized tools/list tools/call";
    expect(wrapped.lines()[1]).toMatchObject({ id: 1, result: { content: [{ text: order }] } });
    wrapped.child.stdin?.end();
    expect(await wrapped.exited).toBe(0);
  });

  it("is heard in the order in which it speaks, to the last", async () => {
    const steps = 'for (const progress of [1, 2, 3]) say({ method: "notifications/progress", params: { progressToken: "p", progress } });';
    const wrapped = wrap("progress", ...server(`if (method === "tools/call") { ${steps} say({ id, result: { content: [] } }); }`));
    wrapped.send(initialize());
    await waitUntil(() => wrapped.lines().length === 1);
    wrapped.send(call("counted", "tool", {}, { progressToken: "p" }));
    await waitUntil(() => wrapped.lines().length === 5);
    const said = wrapped.lines().slice(1);
    expect(said.map(({ params, id }) => (params as { progress?: number } | undefined)?.progress ?? id)).toEqual([1, 2, 3, "counted"]);
    wrapped.child.stdin?.end();
    expect(await wrapped.exited).toBe(0);
  });

  it("hears of a cancelled call once, and the client has no answer to it", async () => {
    const wrapped = wrap(
      "cancel",
      ...server(
        'if (method === "notifications/cancelled") { globalThis.told = [...(globalThis.told ?? []), params.requestId]; say({ id: params.requestId, result: { content: [] } }); } if (method === "tools/call" && params.arguments.tell) say({ id, result: { content: [{ type: "text", text: JSON.stringify(globalThis.told ?? []) }] } }); else if (method === "tools/call") globalThis.asked = id;',
      ),
    );
    wrapped.send(initialize());
    await waitUntil(() => wrapped.lines().length === 1);
    wrapped.send(call("gone", "tool"));
    await waitUntil(async () => (await readLog("cancel")).some(({ requestId }) => requestId === "gone"));
    wrapped.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "gone" } });
    await waitUntil(async () => (await readLog("cancel")).some(({ code }) => code === "cancelled"));
    wrapped.send(call("after", "tool", { tell: true }));
    await waitUntil(() => wrapped.lines().length === 2);
    const [, after] = wrapped.lines() as [unknown, { id: string; result: { content: { text: string }[] } }];
    expect(after.id).toBe("after");
    expect(JSON.parse(after.result.content[0]?.text ?? "")).toHaveLength(1);
    wrapped.child.stdin?.end();
    expect(await wrapped.exited).toBe(0);
  });

  it("that crashes ends the call with one answer, and its code becomes ours", async () => {
    const wrapped = wrap("crash", ...server('if (method === "tools/call") process.exit(7);'));
    wrapped.send(initialize());
    await waitUntil(() => wrapped.lines().length === 1);
    wrapped.send(call(1, "tool"));
    expect(await wrapped.exited).toBe(7);
    expect(wrapped.lines().slice(1)).toMatchObject([{ id: 1, result: { isError: true } }]);
    expect(wrapped.stderr()).toContain("The server ended by itself: code 7");
    expect((await readLog("crash")).findLast(({ tool }) => tool === "tool")).toMatchObject({ kind: "outcome", outcome: "unknown" });
  });

  it("that can't be started is exit 2, in words", async () => {
    const wrapped = wrap("none", path.join(folder, "no-such-program"));
    expect(await wrapped.exited).toBe(2);
    expect(wrapped.lines()).toEqual([]);
    expect(wrapped.stderr()).toContain("could not be started");
  });

  it("ends when its client goes, whether the client closes, or ends us", async () => {
    for (const leave of [(wrapped: Wrapped) => wrapped.child.stdin?.end(), (wrapped: Wrapped) => wrapped.child.kill("SIGTERM")]) {
      const wrapped = wrap("leave", ...server(""));
      wrapped.send(initialize());
      await waitUntil(() => wrapped.lines().length === 1);
      const pid = Number((wrapped.lines()[0]?.["result"] as { instructions?: string } | undefined)?.instructions);
      expect(isAlive(pid)).toBe(true);
      leave(wrapped);
      expect(await wrapped.exited).toBe(0);
      await waitUntil(() => !isAlive(pid));
    }
  });

  it("is kept from lines that are no messages, and each request among them is answered once", async () => {
    const wrapped = wrap("lines", ...server('if (method === "tools/call") say({ id, result: { content: [] } });'));
    wrapped.send(initialize());
    await waitUntil(() => wrapped.lines().length === 1);
    wrapped.send("not json");
    wrapped.send([call(1, "tool")]);
    wrapped.send({ jsonrpc: "2.0", id: 2, method: "shell/run" });
    wrapped.send({ jsonrpc: "2.0", method: "notifications/strange" });
    wrapped.send(call(3, "tool"));
    await waitUntil(() => wrapped.lines().length === 5);
    const answers = wrapped.lines().slice(1);
    expect(answers.map(({ id, error }) => [id, (error as { code: number } | undefined)?.code])).toEqual(
      expect.arrayContaining([
        [null, -32700],
        [null, -32600],
        [2, -32601],
        [3, undefined],
      ]),
    );
    wrapped.child.stdin?.end();
    expect(await wrapped.exited).toBe(0);
    expect(wrapped.lines()).toHaveLength(5);
  });
});
