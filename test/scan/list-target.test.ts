/** Servers that are asked: of both eras and transports, and such as lie, hang, flood or want a login. Nothing is left of any. */
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { listTarget } from "../../src/scan/list-target.ts";
import { scanTargets } from "../../src/scan/scan-targets.ts";
import type { CommandTarget, UrlTarget } from "../../src/scan/target.ts";
import { type RawUpstreamOptions, startRawUpstream, tool } from "../support/raw-upstream.ts";
import { makeMachine } from "./machine.ts";

const HOSTILE = path.join(import.meta.dirname, "hostile.mjs");
const SECRET = "s3cr3t-value-of-test";
const env = { PATH: process.env["PATH"] };
const options = { clientInfo: { name: "sallyport", version: "1" }, env, nowMs: 0, timeoutMs: 20_000 };
const known = { name: "one", shown: "one", group: "g", at: undefined };

const byUrl = (url: string, from: UrlTarget["from"] = "named", headers: Record<string, string> = {}): UrlTarget => {
  return { ...known, kind: "url", url, headers, from, sendsVariables: false, secrets: [SECRET] };
};
const byCommand = (...args: readonly string[]): CommandTarget => {
  return {
    ...known,
    kind: "command",
    command: process.execPath,
    args: [HOSTILE, ...args],
    env: { TOKEN: SECRET },
    cwd: undefined,
    from: "named",
    secrets: [SECRET],
  };
};

async function startRaw(given: RawUpstreamOptions): ReturnType<typeof startRawUpstream> {
  const upstream = await startRawUpstream(given);
  onTestFinished(() => upstream.stop());
  return upstream;
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe("a server over HTTP", () => {
  it.each(["both", "legacy"] as const)("that speaks %s is listed, and no tool called", async (era) => {
    const upstream = await startRaw({ era, tools: `[${tool("one")},${tool("two")}]` });
    const listed = await listTarget(byUrl(upstream.url, "named", { "X-Key": SECRET }), options);
    expect(listed).toMatchObject({ kind: "listed", revision: era === "both" ? "2026-07-28" : "2025-11-25", serverName: "raw" });
    expect(upstream.arrived.every(({ headers }) => headers["x-key"] === SECRET)).toBe(true);
    expect(upstream.calls()).toEqual([]);
  });

  it.each([401, 403])("that answers %i is told to want a login, or to refuse", async (status) => {
    const upstream = await startRaw({
      respond: () => ({ act: (response) => void response.writeHead(status, { "www-authenticate": 'Bearer resource_metadata="x"' }).end() }),
    });
    const listed = await listTarget(byUrl(upstream.url), options);
    expect(listed).toMatchObject({ kind: "failed", needsLogin: status === 401 });
    expect(listed.kind === "failed" && listed.reason).toMatch(status === 401 ? /wants a login/ : /may not/);
  });

  it("that never answers is given up", async () => {
    const upstream = await startRaw({ respond: () => ({ act: () => undefined }) });
    const listed = await listTarget(byUrl(upstream.url), { ...options, timeoutMs: 300 });
    expect(listed).toMatchObject({ kind: "failed", reason: expect.stringContaining("took too long") as string });
  });

  it("that leads round in circles is given up", async () => {
    const upstream = await startRaw({
      respond: (_, asked) =>
        asked.method === "tools/list"
          ? { result: '{"resultType":"complete","tools":[],"nextCursor":"again","ttlMs":0,"cacheScope":"private"}' }
          : undefined,
    });
    expect(await listTarget(byUrl(upstream.url), options)).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining("a cursor came again") as string,
    });
  });

  it("is no metadata service, unless a person wrote that very address down", async () => {
    const listed = await listTarget(byUrl("http://169.254.169.254/mcp", "listed"), options);
    expect(listed).toMatchObject({ kind: "failed", reason: expect.stringContaining("metadata") as string });
  });

  it("of 2024-11-05 is listed over its two addresses", async () => {
    const server = createServer((request, response) => {
      if (request.method === "GET") {
        response.writeHead(200, { "content-type": "text/event-stream" }).write("event: endpoint\ndata: /post\n\n");
        stream = response;
        return;
      }
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        if (request.url !== "/post") return void response.writeHead(404).end();
        response.writeHead(202).end();
        const { id, method } = JSON.parse(body) as { id?: string; method: string };
        if (id === undefined) return;
        const result =
          method === "initialize"
            ? { protocolVersion: "2024-11-05", capabilities: { tools: {} }, serverInfo: { name: "old", version: "1" } }
            : { tools: [{ name: "old_tool", inputSchema: { type: "object" } }] };
        stream?.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: "2.0", id, result })}\n\n`);
      });
    });
    let stream: { write(text: string): unknown } | undefined;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const listed = await listTarget(byUrl(`http://127.0.0.1:${(server.address() as AddressInfo).port}/sse`), options);
    expect(listed).toMatchObject({ kind: "listed", revision: "2024-11-05", serverName: "old" });
  });
});

describe("a server on standard streams", () => {
  it.each([
    ["endless", /more pages/],
    ["huge", /more tools/],
    ["error", /error -32000/],
    ["dies", /code 7/],
  ])("that is %s is told in words, without its secrets", async (how, words) => {
    const listed = await listTarget(byCommand(how), options);
    expect(listed).toMatchObject({ kind: "failed", reason: expect.stringMatching(words) as string });
    expect(JSON.stringify(listed)).not.toContain(SECRET);
  });

  it.each(["silent", "stubborn"])("that is %s is given up, and nothing of it is left", async (how) => {
    const machine = makeMachine();
    const file = path.join(machine.home, "pids");
    const listed = await listTarget(byCommand(how, file), { ...options, timeoutMs: 5_000 });
    expect(listed.kind).toBe("failed");
    expect(existsSync(file)).toBe(true);
    const pids = JSON.parse(readFileSync(file, "utf8")) as number[];
    await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 10_000 });
  });

  it("that is not there is told in words", async () => {
    const listed = await listTarget({ ...byCommand(), command: "no-such-program-of-test" }, options);
    expect(listed).toMatchObject({ kind: "failed", reason: expect.stringContaining("not found") as string });
  });

  it("gets no variable but its own and the harmless ones", async () => {
    const listed = await listTarget({ ...byCommand("listed"), env: {} }, { ...options, env: { ...env, TOKEN: "of ours" } });
    expect(listed.kind === "listed" && listed.tools.map(({ text }) => text).join()).not.toContain("of ours");
  });
});

describe("a server's instructions", () => {
  it("are looked at as tools are", async () => {
    const report = await scanTargets([byCommand("instructs")], { ...options, hasYes: true });
    expect(report.findings.filter(({ rule, tool: named }) => rule === "hidden-text" && named === undefined)).toMatchObject([
      { level: "critical", message: expect.stringContaining("U+200B") as string },
    ]);
  });
});

describe("several servers", () => {
  it("one that hangs holds up no other, and what hides is made visible", async () => {
    const upstream = await startRaw({ tools: `[${tool("one")}]` });
    const seen: string[] = [];
    const targets = [
      { ...byCommand("silent"), name: "silent" },
      { ...byUrl(upstream.url), name: "good" },
      { ...byCommand("hides"), name: "hides" },
    ];
    const report = await scanTargets(targets, { ...options, timeoutMs: 6_000, hasYes: true, onProgress: (_, __, name) => seen.push(name) });
    expect(report.servers.map(({ state }) => state)).toEqual(["failed", "listed", "listed"]);
    expect(seen.at(-1)).toBe("silent");
    const rules = report.findings.map(({ rule, server }) => `${server} ${rule}`);
    expect(rules).toContain("hides hidden-text");
    expect(rules).toContain("hides unusable-definition");
  });

  it("are not begun once the scan was stopped", async () => {
    const machine = makeMachine();
    const file = path.join(machine.home, "pids");
    const report = await scanTargets([byCommand("silent", file)], { ...options, hasYes: true, signal: AbortSignal.abort() });
    expect([report.servers[0]?.state, existsSync(file)]).toEqual(["failed", false]);
  });

  it("of a configuration are not started, nor sent anything of the environment, without a yes", async () => {
    const upstream = await startRaw({});
    const machine = makeMachine();
    const file = path.join(machine.home, "pids");
    const targets = [
      { ...byCommand("silent", file), from: "listed" as const },
      { ...byUrl(upstream.url, "listed", { "X-Key": SECRET }), sendsVariables: true },
    ];
    const report = await scanTargets(targets, { ...options, hasYes: false });
    expect(report.servers.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
    expect(upstream.arrived).toEqual([]);
    expect(existsSync(file)).toBe(false);
  });
});
