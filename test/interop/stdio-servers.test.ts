/** Published servers on standard streams behind a real gateway, with clients of both generations of the SDK. */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitUntil } from "../support/gateway.ts";
import { isAlive } from "../upstream/stdio-rig.ts";
import { EVERYTHING } from "./everything.ts";
import { call, openSession, openStream, post } from "./raw-client.ts";
import { connectV1, connectV2, textOf } from "./sdk-clients.ts";
import { MODULES, PUPPET, type StdioGateway, startStdioGateway } from "./stdio-rig.ts";

const TOKEN = "token-of-the-stdio-client-0001";
const KEY = "k3y-of-the-puppet-0001";
const ALL = { elicitation: {}, sampling: {}, roots: {} };
const node = process.execPath;
let documents: string;
let gateway: StdioGateway;

beforeAll(async () => {
  documents = realpathSync(mkdtempSync(path.join(os.tmpdir(), "sallyport-docs-")));
  mkdirSync(path.join(documents, "docs"));
  writeFileSync(path.join(documents, "docs", "hello.txt"), "Hello from the file.");
  gateway = await startStdioGateway(TOKEN, {
    files: { upstream: { command: node, args: [path.join(MODULES, "server-filesystem/dist/index.js"), "docs"], cwd: documents } },
    memory: {
      upstream: {
        command: node,
        args: [path.join(MODULES, "server-memory/dist/index.js")],
        env: { MEMORY_FILE_PATH: path.join(documents, "memory.json") },
      },
    },
    everything: { upstream: { command: node, args: [EVERYTHING, "stdio"] } },
    apart: { upstream: { command: node, args: [EVERYTHING, "stdio"], process: "session" }, asks: ["sampling", "elicitation", "roots"] },
    puppet: { upstream: { command: node, args: [PUPPET], env: { API_KEY: KEY } } },
    modern: { upstream: { command: node, args: [PUPPET], env: { ERA: "modern" } } },
    dual: { upstream: { command: node, args: [path.join(import.meta.dirname, "dual-stdio.mjs")] }, asks: ["elicitation"] },
    "dual-apart": { upstream: { command: node, args: [path.join(import.meta.dirname, "dual-stdio.mjs")], process: "session" } },
  });
}, 180_000);

afterAll(async () => {
  await gateway?.stop();
  rmSync(documents, { recursive: true, force: true });
});

const connect = async (server: string, prepare?: (client: ClientV1) => void): Promise<ClientV1> =>
  (await connectV1(gateway.addressOf(server), TOKEN, prepare ? { capabilities: ALL } : {}, prepare)).client;

describe("a server of files", () => {
  it("lists, reads and refuses, for clients of both generations at once", async () => {
    const old = await connect("files");
    const { client: young } = await connectV2(gateway.addressOf("files"), TOKEN);
    expect(old.getServerVersion()).toMatchObject({ name: "files" });
    expect((await old.listTools()).tools.map(({ name }) => name)).toEqual((await young.listTools()).tools.map(({ name }) => name));
    const file = { path: path.join(documents, "docs", "hello.txt") };
    const read = await Promise.all([
      old.callTool({ name: "read_text_file", arguments: file }),
      young.callTool({ name: "read_text_file", arguments: file }),
    ]);
    expect(read.map(textOf)).toEqual(["Hello from the file.", "Hello from the file."]);
    const outside = await old.callTool({ name: "read_text_file", arguments: { path: "/etc/hostname" } });
    expect(outside).toMatchObject({ isError: true });
    await waitUntil(() => gateway.pidsOf("server-filesystem").length === 1);
    await Promise.all([old.close(), young.close()]);
  });
});

describe("a server that remembers", () => {
  it("is one for all its clients", async () => {
    const [first, second] = [await connect("memory"), await connect("memory")];
    const entities = [{ name: "Ada", entityType: "person", observations: ["wrote programs"] }];
    await first.callTool({ name: "create_entities", arguments: { entities } });
    expect(textOf(await second.callTool({ name: "read_graph", arguments: {} }))).toContain("wrote programs");
    await Promise.all([first.close(), second.close()]);
  });
});

describe("the reference server, shared", () => {
  it("calls, follows progress, cancels, reads, in several sessions at once", async () => {
    const clients = await Promise.all([connect("everything"), connect("everything"), connect("everything")]);
    const first = clients[0] as ClientV1;
    expect(first.getServerCapabilities()).not.toHaveProperty("logging");
    expect(first.getServerCapabilities()).toMatchObject({ tools: {}, prompts: {}, resources: { subscribe: true } });
    const said = clients.flatMap((client, who) =>
      [1, 2, 3, 4].map((n) => client.callTool({ name: "echo", arguments: { message: `${who}-${n}` } }).then(textOf)),
    );
    expect(await Promise.all(said)).toEqual([0, 1, 2].flatMap((who) => [1, 2, 3, 4].map((n) => `Echo: ${who}-${n}`)));
    const slow = { name: "trigger-long-running-operation", arguments: { duration: 0.4, steps: 4 } };
    const seen = await Promise.all(
      clients.map(async (client) => {
        const steps: number[] = [];
        await client.callTool(slow, undefined, { onprogress: ({ progress }) => void steps.push(progress) });
        return steps;
      }),
    );
    // A client forgets what came in one piece with the answer: nobody's steps are another's, and none overtakes another.
    for (const steps of seen) {
      expect(steps).toEqual([1, 2, 3, 4].slice(0, steps.length));
      expect(steps).not.toEqual([]);
    }
    const abort = new AbortController();
    const long = { name: "trigger-long-running-operation", arguments: { duration: 60, steps: 600 } };
    await expect(first.callTool(long, undefined, { signal: abort.signal, onprogress: () => abort.abort("enough") })).rejects.toThrow(
      "enough",
    );
    expect((await first.listPrompts()).prompts.length).toBeGreaterThan(0);
    const { resources } = await first.listResources();
    expect((await first.readResource({ uri: resources[0]?.uri ?? "" })).contents).toHaveLength(1);
    expect((await first.listTools()).tools.map(({ name }) => name)).not.toContain("trigger-sampling-request");
    // The other entry of the same script has a process of its own while it is looked at.
    await waitUntil(() => gateway.pidsOf(EVERYTHING).length === 1);
    await Promise.all(clients.map((client) => client.close()));
  });

  it("answers a client of the second generation, which opens in the legacy era", async () => {
    const { client } = await connectV2(gateway.addressOf("everything"), TOKEN);
    expect(textOf(await client.callTool({ name: "echo", arguments: { message: "two" } }))).toBe("Echo: two");
    await client.close();
  });
});

describe("the reference server, one process for each session", () => {
  it("asks its client for samples, input and folders, and ends with its session", async () => {
    const prepare = (made: ClientV1): void => {
      made.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { name: "Ada" } }));
      made.setRequestHandler(CreateMessageRequestSchema, () => ({
        role: "assistant",
        model: "none",
        content: { type: "text", text: "Well said." },
      }));
      made.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: "file:///tmp/here", name: "here" }] }));
    };
    const before = gateway.pidsOf(EVERYTHING);
    const opened = await connectV1(gateway.addressOf("apart"), TOKEN, { capabilities: ALL }, prepare);
    const { client } = opened;
    expect(client.getServerCapabilities()).toHaveProperty("logging");
    const [pid] = gateway.pidsOf(EVERYTHING).filter((one) => !before.includes(one));
    expect(isAlive(pid)).toBe(true);
    // Some tools are there only for clients that can do what they need, and those are new to the gateway.
    const tools = (await client.listTools()).tools.map(({ name }) => name);
    expect(tools).toContain("trigger-elicitation-request");
    expect(JSON.stringify(await client.callTool({ name: "trigger-elicitation-request", arguments: {} }))).toContain("Ada");
    const sampling = { name: "trigger-sampling-request", arguments: { prompt: "say", maxTokens: 10 } };
    expect(JSON.stringify(await client.callTool(sampling))).toContain("Well said.");
    await opened.terminate();
    await waitUntil(() => !isAlive(pid));
    await client.close();
  });
});

describe("what can go wrong", () => {
  it("a killed process answers every call in flight once, and comes back", async () => {
    const url = gateway.addressOf("puppet");
    const sessions = await Promise.all([openSession(url, TOKEN), openSession(url, TOKEN)]);
    const [pid] = gateway.pidsOf(PUPPET).filter((one) => !modernPids().includes(one));
    const calls = Array.from({ length: 12 }, (_, n) => post(url, call(n, "hang"), { token: TOKEN, session: sessions[n % 2] }));
    await openStream(url, { token: TOKEN, session: sessions[0], body: call("p", "count", { steps: 2 }, { progressToken: 1 }) }).then(
      ({ ended }) => ended,
    );
    process.kill(pid as number, "SIGKILL");
    for (const [n, answered] of (await Promise.all(calls)).entries()) {
      expect(answered.messages).toMatchObject([
        { id: n, result: { isError: true, content: [{ text: expect.stringContaining("broke") }] } },
      ]);
    }
    await waitUntil(async () => {
      const again = await post(url, call("again", "echo", { text: "back" }), { token: TOKEN, session: sessions[1] });
      return JSON.stringify(again.messages).includes('"back"');
    });
    expect(gateway.said.some((line) => line.includes("`puppet` was ended by SIGKILL"))).toBe(true);
  });

  it("a credential of the process comes back to nobody, and is in no log", async () => {
    const url = gateway.addressOf("puppet");
    const session = await openSession(url, TOKEN);
    const answered = await post(url, call(1, "secret", { back: true }), { token: TOKEN, session });
    expect(answered.text).toContain("withheld");
    const whole = answered.text + gateway.said.join("");
    expect(whole).not.toContain(KEY);
    expect(whole).toContain("the key is [secret]");
    const given = await post(url, call(2, "pid"), { token: TOKEN, session });
    expect(given.text).toContain("withheld");
  });

  it("a modern server is spoken to as one", async () => {
    const pinned = { versionNegotiation: { mode: { pin: "2026-07-28" as const } } };
    const { client } = await connectV2(gateway.addressOf("modern"), TOKEN, pinned);
    const said = [1, 2, 3].map((n) => client.callTool({ name: "echo", arguments: { text: `number ${n}` } }));
    expect((await Promise.all(said)).map(textOf)).toEqual(["number 1", "number 2", "number 3"]);
    const seen: number[] = [];
    const counted = client.callTool({ name: "count", arguments: { ms: 20 } }, { onprogress: ({ progress }) => void seen.push(progress) });
    expect(textOf(await counted)).toBe("counted");
    expect(seen.slice(0, 2)).toEqual([1, 2]);
    await client.close();
  });
});

describe("a server of the second generation", () => {
  const pinned = { versionNegotiation: { mode: { pin: "2026-07-28" as const } }, capabilities: { elicitation: {} } };

  it("is spoken to in the modern era: progress, several rounds, a cancel, changes of its list", async () => {
    const { client } = await connectV2(gateway.addressOf("dual"), TOKEN, pinned, (made) => {
      made.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { name: "Ada" } }));
    });
    const seen: number[] = [];
    const onprogress = ({ progress }: { progress: number }): void => void seen.push(progress);
    const [counted, asked] = await Promise.all([
      client.callTool({ name: "count", arguments: {} }, { onprogress }),
      client.callTool({ name: "ask", arguments: {} }),
    ]);
    expect([textOf(counted), textOf(asked)]).toEqual(["counted", "Hello Ada"]);
    expect(seen.slice(0, 2)).toEqual([1, 2]);
    const abort = new AbortController();
    const waiting = client.callTool({ name: "wait", arguments: {} }, { signal: abort.signal });
    setTimeout(() => abort.abort("enough"), 300);
    await expect(waiting).rejects.toThrow("enough");
    await waitUntil(() => gateway.said.some((line) => line.includes("the wait was cancelled")));
    await client.close();
  });

  it("that has a process for each session speaks the legacy era with a legacy client", async () => {
    const client = await connect("dual-apart");
    expect(textOf(await client.callTool({ name: "echo", arguments: { n: 1 } }))).toBe('{"n":1}');
    await client.close();
  });
});

/** Of the puppets those that speak the modern era, as their own environment says. */
function modernPids(): number[] {
  return gateway.pidsOf(PUPPET).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes("ERA=modern");
    } catch {
      return false;
    }
  });
}

describe("a changed configuration and a stop", () => {
  it("end the processes whose entries changed, keep the others, and leave none at the end", async () => {
    const token = "token-of-another-gateway-0001";
    const other = path.join(documents, "other.mjs");
    writeFileSync(other, `await import(${JSON.stringify(PUPPET)});`);
    const kept = { upstream: { command: node, args: [PUPPET], env: { INSTRUCTIONS: "kept" } } };
    const others = gateway.pidsOf(PUPPET);
    const own = await startStdioGateway(token, { kept, changed: { upstream: { command: node, args: [other], env: { STUBBORN: "1" } } } });
    const pidsOfKept = (): number[] => own.pidsOf(PUPPET).filter((pid) => !others.includes(pid));
    const [keptPid] = pidsOfKept();
    const [changedPid] = own.pidsOf(other);
    own.write({ kept, changed: { upstream: { command: node, args: [other], env: { INSTRUCTIONS: "new" } } } });
    await waitUntil(() => own.said.some((line) => line.includes("changed configuration is in force")), 60_000);
    await waitUntil(() => !isAlive(changedPid));
    expect(pidsOfKept()).toEqual([keptPid]);
    const { client } = await connectV1(own.addressOf("changed"), token);
    expect(client.getInstructions()).toBe("new");
    const [newPid] = own.pidsOf(other);
    await client.close();
    await own.stop();
    for (const pid of [keptPid, changedPid, newPid]) expect(isAlive(pid)).toBe(false);
    expect([...own.pidsOf(other), ...pidsOfKept()]).toEqual([]);
  }, 90_000);
});
