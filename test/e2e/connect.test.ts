/** A server that wants a token: connected by command, called, renewed, refused, taken back; with the real provider. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
/** Tokens run out in their own time, and others use the machine too. */
const PATIENCE_MS = 120_000;

interface World {
  readonly provider: LoginProvider;
  readonly app: RunningApp;
  readonly dataDir: string;
  readonly configFile: string;
  readonly said: string[];
  call(): Promise<RawAnswer>;
  ask(method: string, params: object): Promise<RawAnswer>;
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
  const ask = (method: string, params: object): Promise<RawAnswer> =>
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
      body: JSON.stringify({ jsonrpc: "2.0", id: ++id, method, params }),
    });
  return {
    provider,
    app,
    dataDir,
    configFile,
    said,
    call: () => ask("tools/call", { name: "greet", arguments: {} }),
    ask,
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
      const { out } = await runCommand(["audit", "export", "--data", dataDir, "--json"]);
      return out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}

test(
  "a server is connected, called, and taken back",
  async () => {
    const world = await startWorld();
    const { provider, call } = world;

    const before = await call();
    expect(before.text).toContain("has to be connected first");
    expect(before.text).toContain("sallyport server connect guarded");
    expect(before.text).toContain(`${world.app.url}/connect/guarded`);
    expect(before.text).not.toContain("challenge-of-the-upstream");
    expect(before.headers["www-authenticate"]).toBeUndefined();
    const opening = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "agent", version: "1" } };
    for (const [method, params] of [["tools/list", {}] as const, ["initialize", opening] as const]) {
      const answered = await world.ask(method, params);
      expect(answered.json()).toMatchObject({ error: { message: expect.stringContaining("sallyport server connect guarded") as string } });
      expect(answered.headers["www-authenticate"]).toBeUndefined();
    }
    expect(provider.ran).toEqual([]);

    const { link, ended } = await world.connect();
    const landed = await provider.browse(link);
    expect(landed.text).toContain("signed in to guarded");
    expect(landed.status).toBe(200);
    expect(await ended).toMatchObject({ code: 0 });

    const answered = await until(call, ({ text }) => text.includes("hello"));
    expect(answered.text).toContain("hello");
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
    expect(JSON.stringify(await world.log())).not.toContain("challenge-of-the-upstream");
  },
  PATIENCE_MS,
);

test(
  "a token that ran out is renewed; neither it nor the one before it comes back in an answer or lies about in clear",
  async () => {
    const world = await startWorld();
    const { provider, call } = world;
    provider.tokenSeconds = 6;
    const { link, ended } = await world.connect();
    expect((await provider.browse(link)).status).toBe(200);
    await ended;
    await until(call, ({ text }) => text.includes("hello"));
    const first = provider.tokens.at(-1) as string;
    const renewed = await until(call, () => provider.tokens.at(-1) !== first, 60_000);
    expect(renewed.text).toContain("hello");
    const second = provider.tokens.at(-1) as string;
    for (const token of [first, second]) {
      provider.reply = `the token is ${token}`;
      const answered = await call();
      expect(answered.text).toContain("withheld");
      expect(answered.text).not.toContain(token);
    }
    provider.reply = undefined;

    const rotated = await runCommand(["key", "rotate", "--data", world.dataDir]);
    expect(rotated).toMatchObject({ code: 0, err: "" });
    expect(rotated.out).toMatch(/^Key 2 seals from now on: [1-9]\d* sealed anew, 1 older keys thrown away\.\n$/);
    const third = provider.tokens.at(-1) as string;
    const later = await until(call, () => provider.tokens.at(-1) !== third, 60_000);
    expect(later.text).toContain("hello");
    expect((await runCommand(["key", "list", "--data", world.dataDir])).out).toMatch(/^KEY .*\n2 .* seals\n$/);

    provider.isRevoked = true;
    const over = await until(call, ({ text }) => !text.includes("hello"), 60_000);
    expect(over.text).toContain("has to be connected first");
    expect((await runCommand(["server", "list", "--data", world.dataDir])).out).toContain("needs login: sallyport server connect");
    expect((await world.log()).map(({ action }) => action)).toEqual(
      expect.arrayContaining(["connection.made", "connection.renewed", "key.rotated", "connection.lost"]),
    );
    const asked = provider.asked.length;
    for (let again = 0; again < 5; again++) await call();
    expect(provider.asked.length).toBe(asked);

    const kept = Buffer.concat(readdirSync(world.dataDir).map((file) => readFileSync(path.join(world.dataDir, file))));
    const exported = (await runCommand(["audit", "export", "--data", world.dataDir, "--json"])).out;
    for (const token of new Set(provider.tokens)) {
      expect(kept.includes(token)).toBe(false);
      expect(exported.includes(token)).toBe(false);
      expect(world.said.join("").includes(token)).toBe(false);
    }
  },
  PATIENCE_MS,
);

test(
  "a link works for the browser that opened it, once, and an answer for no other",
  async () => {
    const world = await startWorld();
    const explained = await followRedirects(`${world.app.url}/connect/guarded`);
    expect(explained).toMatchObject({ status: 200 });
    expect(explained.text).toContain("<code>sallyport server connect guarded</code>");
    const unknown = await followRedirects(`${world.app.url}/connect/nothing`);
    expect(unknown.text.replaceAll("nothing", "guarded")).toBe(explained.text);
    expect((await followRedirects(`${world.app.url}/connect/guarded?ticket=guessed`)).status).toBe(400);
    expect((await followRedirects(`${world.app.url}/oauth/callback?code=x&state=y`)).status).toBe(400);

    const { link, ended } = await world.connect();
    expect((await runCommand(["server", "list", "--data", world.dataDir])).out).toContain("waits for a sign-in");
    const mine = new Map<string, Map<string, string>>();
    const opened = await fetch(link, { redirect: "manual" });
    expect(opened.status).toBe(303);
    expect(opened.headers.get("set-cookie")).toMatch(/^sallyport_connect=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/);
    expect(opened.headers.get("referrer-policy")).toBe("no-referrer");
    const cookie = (opened.headers.get("set-cookie") ?? "").split(";")[0]?.split("=") as [string, string];
    mine.set(world.app.url, new Map([cookie]));
    // Somebody else who saw the link, and somebody who saw where it leads.
    expect((await followRedirects(link)).status).toBe(400);
    const authorization = opened.headers.get("location") as string;
    const theirs = await followRedirects(authorization);
    expect(theirs.url.pathname).toBe("/oauth/callback");
    expect(theirs.status).toBe(400);
    expect(theirs.text).toContain("another browser");
    // The one who began it goes on; what was used is used.
    const landed = await followRedirects(link, mine);
    expect(landed.status).toBe(200);
    expect((await followRedirects(landed.url.href, mine)).status).toBe(400);
    expect((await followRedirects(link, mine)).status).toBe(400);
    expect((await ended).code).toBe(0);

    const page = await fetch(`${world.app.url}/connect/guarded`);
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; .*frame-ancestors 'none'$/);
    expect(page.headers.get("cache-control")).toBe("no-store");
    expect(await page.text()).not.toMatch(/<script|<form|javascript:/i);
    expect((await fetch(`${world.app.url}/connect/guarded`, { method: "POST" })).status).toBe(405);
    expect((await fetch(`${world.app.url}/oauth/client-metadata.json`)).status).toBe(404);
    const port = Number(new URL(world.app.url).port);
    expect(
      (
        await sendHttp(port, {
          method: "GET",
          path: "/connect/guarded",
          headers: [
            ["Host", "evil.example"],
            ["Connection", "close"],
          ],
        })
      ).status,
    ).toBe(403);
  },
  PATIENCE_MS,
);

test(
  "a sign-in that was under way is called off, wherever it stands",
  async () => {
    const world = await startWorld();
    const { provider, dataDir } = world;
    const disconnect = (): Promise<{ code: number; out: string; err: string }> =>
      runCommand(["server", "disconnect", "guarded", "--data", dataDir, "--config", world.configFile]);
    const unopened = await world.connect();
    expect(await disconnect()).toMatchObject({ code: 0, out: "The sign-in at `guarded` that was under way is called off.\n" });
    expect((await provider.browse(unopened.link)).status).toBe(400);
    expect(await unopened.ended).toMatchObject({ code: 1, err: expect.stringContaining("`server disconnect` called it off.") as string });

    // The browser is at the authorization server already.
    const opened = await world.connect();
    const first = await fetch(opened.link, { redirect: "manual" });
    const cookie = (first.headers.get("set-cookie") ?? "").split(";")[0]?.split("=") as [string, string];
    const jars = new Map([[world.app.url, new Map([cookie])]]);
    expect(await disconnect()).toMatchObject({ code: 0 });
    const landed = await followRedirects(first.headers.get("location") as string, jars);
    expect(landed.url.pathname).toBe("/oauth/callback");
    expect(landed.status).toBe(400);
    expect((await opened.ended).code).toBe(1);
    expect(provider.asked.filter((asked) => asked.startsWith("POST /token"))).toEqual([]);
    expect((await world.call()).text).toContain("has to be connected first");
    expect((await disconnect()).err).toContain("not signed in to `guarded`");
    const failed = (await world.log()).filter(({ action }) => action === "connection.failed");
    expect(failed).toHaveLength(2);
  },
  PATIENCE_MS,
);

test(
  "a person who says no, and a server without a sign-in, are told of in the terminal",
  async () => {
    const world = await startWorld();
    const { link, ended } = await world.connect();
    const landed = await world.provider.browse(link, "deny");
    expect(landed.status).toBe(400);
    expect(landed.text).toContain("access_denied");
    expect(landed.text).not.toContain("<b>no");
    expect(await ended).toMatchObject({ code: 1 });
    expect((await ended).err).toContain("`access_denied`");
    expect((await world.log()).map(({ action }) => action)).toContain("connection.failed");
    await world.app.stop();
    const alone = await runCommand(["server", "connect", "guarded", "--no-open", "--data", world.dataDir]);
    expect(alone.code).toBe(2);
    expect(alone.err).toContain("No gateway runs on");
    const nothing = await runCommand(["server", "disconnect", "guarded", "--data", world.dataDir]);
    expect(nothing.err).toContain("not signed in to `guarded`");
  },
  PATIENCE_MS,
);
