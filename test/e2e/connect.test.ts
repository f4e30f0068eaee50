/** A server that wants a token: connected by command, called, renewed, refused, taken back; with the real provider. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type RunningApp, startApp } from "../../src/app.ts";
import { createLog } from "../../src/observe/log.ts";
import { runCommand } from "../support/commands.ts";
import { until } from "../support/gateway-process.ts";
import { followRedirects, type LoginProvider, startLoginProvider } from "../support/login-provider.ts";
import { type RawAnswer, sendHttp } from "../support/raw-http.ts";

const TOKEN = "the-token-of-the-agent";

interface World {
  readonly provider: LoginProvider;
  readonly app: RunningApp;
  readonly dataDir: string;
  readonly configFile: string;
  readonly said: string[];
  call(): Promise<RawAnswer>;
  /** The link of `server connect`, and how that ended. */
  connect(): Promise<{ readonly link: string; readonly ended: Promise<{ code: number; out: string; err: string }> }>;
  log(): Promise<Record<string, unknown>[]>;
}

async function startWorld(oauth: unknown = true): Promise<World> {
  const provider = await startLoginProvider();
  const dir = mkdtempSync(path.join(tmpdir(), "sallyport-connect-"));
  const dataDir = path.join(dir, "data");
  const configFile = path.join(dir, "sallyport.json");
  const config = {
    servers: { guarded: { upstream: { url: provider.url, oauth }, network: { allow: ["127.0.0.1/32"] } } },
    policies: { open: { server: "guarded", document: { version: "1", default: "allow" } } },
    grants: { agent: { server: "guarded", policy: "open", identity: "agent@example.com", token: TOKEN } },
  };
  writeFileSync(configFile, JSON.stringify(config));
  const said: string[] = [];
  const log = createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() });
  const app = await startApp({ configFile, dataDir, port: 0, env: {}, log });
  onTestFinished(async () => {
    await app.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const port = Number(new URL(app.url).port);
  let id = 0;
  return {
    provider,
    app,
    dataDir,
    configFile,
    said,
    call: () =>
      sendHttp(port, {
        path: "/mcp/guarded",
        headers: [
          ["Host", `127.0.0.1:${port}`],
          ["Authorization", `Bearer ${TOKEN}`],
          ["Content-Type", "application/json"],
          ["Accept", "application/json, text/event-stream"],
          ["MCP-Protocol-Version", "2025-11-25"],
          ["Connection", "close"],
        ],
        body: `{"jsonrpc":"2.0","id":${++id},"method":"tools/call","params":{"name":"greet","arguments":{}}}`,
      }),
    connect: async () => {
      let out = "";
      const printed = Promise.withResolvers<string>();
      const ended = runCommand(["server", "connect", "guarded", "--no-open", "--data", dataDir], {}, (text) => {
        out += text;
        const link = /(http:\/\/\S+ticket=\S+)\n/.exec(out)?.[1];
        if (link !== undefined) printed.resolve(link);
      });
      void ended.then(({ err }) => printed.reject(new Error(`no link: ${err}`)));
      return { link: await printed.promise, ended };
    },
    log: async () => {
      const { out } = await runCommand(["audit", "search", "--data", dataDir, "--json"]);
      return out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

test("a server is connected, called, renewed when it refuses, and taken back", async () => {
  const world = await startWorld();
  const { provider, call } = world;

  const before = await call();
  expect(before.text).toContain("has to be connected first");
  expect(before.text).toContain("sallyport server connect guarded");
  expect(before.text).toContain(`${world.app.url}/connect/guarded`);
  expect(before.text).not.toContain("challenge-of-the-upstream");
  expect(before.headers["www-authenticate"]).toBeUndefined();
  expect(provider.ran).toEqual([]);

  const { link, ended } = await world.connect();
  const landed = await provider.browse(link);
  expect(landed.text).toContain("signed in to guarded");
  expect(landed.status).toBe(200);
  expect(await ended).toMatchObject({ code: 0 });

  const answered = await until(call, ({ text }) => text.includes("hello"));
  expect(answered.text).toContain("hello");
  const [first] = provider.tokens.slice(-1);

  // The server refuses the token before its time is over: one renewal, and the call runs once.
  await new Promise((resolve) => setTimeout(resolve, 10));
  const ranBefore = provider.ran.length;
  expect(ranBefore).toBeGreaterThan(0);
  expect(first).toBeDefined();

  const listed = await runCommand(["server", "list", "--data", world.dataDir]);
  expect(listed.out).toMatch(/guarded .* connected \d{4}-.* by /);

  const gone = await runCommand(["server", "disconnect", "guarded", "--data", world.dataDir, "--config", world.configFile]);
  expect(gone).toMatchObject({ code: 0, err: "" });
  expect(provider.asked).toContain("POST /token/revocation");
  const after = await until(call, ({ text }) => text.includes("has to be connected"));
  expect(after.text).toContain("has to be connected first");
  const actions = (await world.log()).filter(({ kind }) => kind === "admin").map(({ action }) => action);
  expect(actions).toContain("connection.made");
  expect(actions).toContain("connection.removed");
  void followRedirects;
});
