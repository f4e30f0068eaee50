/** A credential while its token lives, when it is renewed, refused, raced for, broken off; and that nothing of it leaks. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createManualClock } from "../../../src/kernel/clock.ts";
import { FORMER_TOKEN_MS, LEASE_MS, MIN_TOKEN_USE_MS, REFUSED_PAUSE_MS } from "../../../src/upstream/oauth/credential-source.ts";
import { removeConnection } from "../../../src/upstream/oauth/tables.ts";
import { type HandMadeLogin, sendJson, startHandMadeLogin } from "../../support/hand-made-login.ts";
import { type Held, holdConnection, type Opened, openFolder, type Put, putConnection, readStored, SERVER } from "./rig.ts";

const START = 1_000_000;
const HOUR = 3_600_000;
/** Processes start slowly where others use the machine too. */
const PATIENCE_MS = 90_000;
const CHILD = path.join(import.meta.dirname, "children/renew-once.ts");

function makeFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "connection-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

interface World {
  readonly folder: string;
  readonly login: HandMadeLogin;
  readonly clock: ReturnType<typeof createManualClock>;
  readonly opened: Opened;
  readonly held: Held;
  another(): Promise<{ opened: Opened; held: Held }>;
}

async function startWorld(put: Partial<Put> = {}): Promise<World> {
  const login = await startHandMadeLogin();
  const folder = makeFolder();
  const clock = createManualClock(START);
  const open = async (): Promise<{ opened: Opened; held: Held }> => {
    const opened = await openFolder(folder, clock);
    onTestFinished(() => opened.close());
    return { opened, held: holdConnection(opened, clock, login.url) };
  };
  const { opened, held } = await open();
  await putConnection(opened, { origin: login.origin, nowMs: START, ...put });
  await held.source.load();
  return {
    folder,
    login,
    clock,
    opened,
    held,
    another: async () => {
      const more = await open();
      await more.held.source.load();
      return more;
    },
  };
}

/** Lets what was begun in the background come to its end. */
async function settled(isDone: () => boolean): Promise<void> {
  for (let round = 0; round < 500 && !isDone(); round++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(isDone()).toBe(true);
}

describe("a credential", () => {
  test("is answered at once while its token lives, and not at all without a connection", async () => {
    const { held, opened, clock } = await startWorld();
    expect(held.source.current()).toMatchObject({ kind: "ready", authorization: "Bearer access-token-0" });
    expect(held.connected).toBe(1);
    await opened.store.write((batch) => removeConnection(batch, SERVER));
    await held.source.load();
    expect(held.source.current()).toEqual({ kind: "absent", reason: "not_connected" });
    clock.set(START + 1);
  });

  test("is renewed before its time is over, with the resource and the client's own credential", async () => {
    const { held, login, clock, opened } = await startWorld();
    held.source.tick();
    clock.set(START + HOUR - 61_000);
    held.source.tick();
    await settled(() => true);
    expect(login.forms()).toEqual([]);
    clock.set(START + HOUR - 59_000);
    held.source.tick();
    expect(held.source.current()).toMatchObject({ authorization: "Bearer access-token-0" });
    await settled(() => held.events.length > 0);
    expect(held.source.current()).toMatchObject({ authorization: "Bearer access-token-1" });
    expect(Object.fromEntries(login.forms()[0] ?? [])).toEqual({
      grant_type: "refresh_token",
      refresh_token: "refresh-token-0",
      resource: `${login.origin}/mcp`,
    });
    const [request] = login.arrived.filter(({ url }) => url === "/token");
    expect(request?.headers.authorization).toBe(`Basic ${Buffer.from("client:client-secret").toString("base64")}`);
    expect((await readStored(opened))?.secrets.tokens).toMatchObject({ access: "access-token-1", refresh: "refresh-token-1" });
    expect(held.events.map(({ action }) => action)).toEqual(["connection.renewed"]);
  });

  test("whose time is over is renewed first, once for all who ask", async () => {
    const { held, login, clock } = await startWorld();
    clock.set(START + HOUR + 1);
    expect(held.source.current()).toEqual({ kind: "stale" });
    const got = await Promise.all(Array.from({ length: 10 }, () => held.source.renew()));
    expect(got.every((one) => one.kind === "ready" && one.authorization === "Bearer access-token-1")).toBe(true);
    expect(login.forms()).toHaveLength(1);
  });

  test("keeps its refresh token where the server gives no new one", async () => {
    const { held, login, clock, opened } = await startWorld();
    login.serve.set("/token", (response) => sendJson(response, { access_token: "next", token_type: "bearer", expires_in: 60 }));
    clock.set(START + HOUR);
    await held.source.renew();
    expect((await readStored(opened))?.secrets.tokens).toEqual({
      access: "next",
      refresh: "refresh-token-0",
      expiresMs: START + HOUR + 60_000,
    });
  });

  test("that was refused is renewed once, and then believed to be refused", async () => {
    const { held, login, clock } = await startWorld();
    const first = held.source.current();
    const version = first.kind === "ready" ? first.version : -1;
    expect(await held.source.replace(version)).toEqual({ kind: "absent", reason: "needs_login" });
    clock.set(START + REFUSED_PAUSE_MS);
    const next = await held.source.replace(version);
    expect(next).toMatchObject({ kind: "ready", authorization: "Bearer access-token-1" });
    // Whoever still had the old one gets the new one, and nothing is asked.
    expect(await held.source.replace(version)).toEqual(next);
    for (let again = 0; again < 5; again++) await held.source.replace(next.kind === "ready" ? next.version : -1);
    expect(login.forms()).toHaveLength(1);
  });

  test("that lives shortly is renewed when it is refused near its end", async () => {
    const { held, login, clock } = await startWorld({ tokens: { expiresMs: START + 12_000 } });
    clock.set(START + 5_900);
    expect(await held.source.replace(1)).toEqual({ kind: "absent", reason: "needs_login" });
    expect(login.forms()).toEqual([]);
    clock.set(START + 6_000);
    expect(await held.source.replace(1)).toMatchObject({ kind: "ready", authorization: "Bearer access-token-1" });
  });

  test("that was refused and can't be renewed needs a person", async () => {
    const { held, clock, opened } = await startWorld({ tokens: { refresh: undefined, expiresMs: undefined } });
    clock.set(START + REFUSED_PAUSE_MS);
    expect(await held.source.replace(held.source.version ?? -1)).toEqual({ kind: "absent", reason: "needs_login" });
    expect((await readStored(opened))?.state).toBe("needs_login");
    expect(held.events).toMatchObject([{ action: "connection.lost" }]);
  });

  test.each([
    [
      "invalid_grant",
      (response: Parameters<typeof sendJson>[0]) => sendJson(response, { error: "invalid_grant", error_description: "hush" }, 400),
    ],
    ["an unknown client", (response: Parameters<typeof sendJson>[0]) => sendJson(response, { error: "invalid_client" }, 401)],
    [
      "a token of another kind",
      (response: Parameters<typeof sendJson>[0]) => sendJson(response, { access_token: "a", token_type: "dpop" }),
    ],
  ])("ends with %s: told, on record, and never asked again", async (_name, answer) => {
    const { held, login, clock, opened } = await startWorld();
    login.serve.set("/token", answer);
    clock.set(START + HOUR + 1);
    expect(await held.source.renew()).toEqual({ kind: "absent", reason: "needs_login" });
    for (let round = 0; round < 20; round++) {
      clock.set(clock.now() + HOUR);
      held.source.tick();
      await held.source.renew();
    }
    expect(login.forms()).toHaveLength(1);
    expect((await readStored(opened))?.state).toBe("needs_login");
    expect(held.events).toMatchObject([{ action: "connection.lost" }]);
    expect(held.said.join(" ")).toContain("sign in again");
    expect(held.said.join(" ") + JSON.stringify(held.events)).not.toMatch(/hush|token-0|client-secret/);
  });

  test("stays where the server fails in passing, and is asked for later and later", async () => {
    const { held, login, clock } = await startWorld();
    login.serve.set("/token", (response) => void response.writeHead(503).end());
    clock.set(START + HOUR - 10_000);
    for (let second = 0; second < 600; second++) {
      clock.set(clock.now() + 1_000);
      held.source.tick();
      if (held.source.current().kind === "stale") await held.source.renew();
      else await new Promise((resolve) => setImmediate(resolve));
    }
    await settled(() => held.said.length === login.forms().length);
    expect(login.forms().length).toBeGreaterThan(3);
    expect(login.forms().length).toBeLessThan(12);
    expect(held.source.current()).toEqual({ kind: "absent", reason: "unavailable" });
    login.serve.delete("/token");
    clock.set(clock.now() + 600_000);
    expect(await held.source.renew()).toMatchObject({ kind: "ready" });
  });

  test("whose life is no time at all is not renewed in a loop", async () => {
    const { held, login, clock } = await startWorld();
    login.serve.set("/token", (response) => sendJson(response, { access_token: "brief", token_type: "bearer", expires_in: 0 }));
    clock.set(START + HOUR);
    await held.source.renew();
    for (let step = 0; step < 40; step++) {
      clock.set(clock.now() + 100);
      held.source.tick();
      expect(held.source.current()).toMatchObject({ kind: step < MIN_TOKEN_USE_MS / 100 - 1 ? "ready" : "stale" });
    }
    expect(login.forms()).toHaveLength(1);
  });

  test("is searched for in answers, and the one before it too, for a while", async () => {
    const { held, clock } = await startWorld();
    expect([...held.secrets].sort()).toEqual(["access-token-0", "client-secret", "refresh-token-0"]);
    clock.set(START + HOUR);
    await held.source.renew();
    expect(held.secrets).toEqual(expect.arrayContaining(["access-token-0", "refresh-token-0", "access-token-1", "refresh-token-1"]));
    clock.set(START + HOUR + FORMER_TOKEN_MS);
    await held.source.renew();
    clock.set(START + HOUR + 9 * FORMER_TOKEN_MS);
    await held.source.renew();
    expect(held.secrets).not.toContain("access-token-0");
  });

  test("after a restart, what was replaced is still searched for", async () => {
    const { held, clock, another } = await startWorld();
    clock.set(START + HOUR);
    await held.source.renew();
    const { held: later } = await another();
    expect(later.secrets).toEqual(expect.arrayContaining(["access-token-0", "refresh-token-0"]));
  });

  test("remembers scopes that were asked for, once, within bounds", async () => {
    const { held, opened, clock } = await startWorld();
    held.source.wantScopes(["read"]);
    held.source.wantScopes(["write"]);
    for (let index = 0; index < 100; index++) held.source.wantScopes([`more-${index}`]);
    await settled(() => held.events.length > 0);
    expect((await readStored(opened))?.wantedScopes).toEqual(["write"]);
    expect(held.source.wantedScopes).toEqual(["write"]);
    expect(held.source.current().kind).toBe("ready");
    clock.set(START + HOUR / 2);
    held.source.wantScopes(Array.from({ length: 200 }, (_, index) => `many-${index}`));
    await settled(() => held.events.length > 1);
    expect((await readStored(opened))?.wantedScopes.length).toBeLessThanOrEqual(64);
  });

  test("that is renewed while its server goes is stored before the end", async () => {
    const { held, login, clock, opened } = await startWorld();
    const gate = Promise.withResolvers<void>();
    const given = { access_token: "late-access", refresh_token: "late-refresh", token_type: "bearer" };
    login.serve.set("/token", (response) => void gate.promise.then(() => sendJson(response, given)));
    clock.set(START + HOUR);
    void held.source.renew();
    await settled(() => login.forms().length > 0);
    const closed = held.source.close();
    gate.resolve();
    await closed;
    expect((await readStored(opened))?.secrets.tokens.refresh).toBe("late-refresh");
  });

  test("that was taken away while it was renewed stays away, and what came is given back", async () => {
    const { held, login, clock, opened } = await startWorld();
    const gate = Promise.withResolvers<void>();
    login.serve.set(
      "/token",
      (response) =>
        void gate.promise.then(() => sendJson(response, { access_token: "orphan", refresh_token: "orphan-refresh", token_type: "bearer" })),
    );
    clock.set(START + HOUR);
    const renewing = held.source.renew();
    await settled(() => login.forms().length > 0);
    await opened.store.write((batch) => removeConnection(batch, SERVER));
    gate.resolve();
    expect(await renewing).toEqual({ kind: "absent", reason: "not_connected" });
    expect(await readStored(opened)).toBeUndefined();
    await settled(() => login.arrived.some(({ url, body }) => url === "/revoke" && body.includes("orphan-refresh")));
  });

  test("for one place is not sent to another, nor renewed for it, when the server's address changes", async () => {
    const { login, clock, opened } = await startWorld();
    for (const url of ["https://elsewhere.example/mcp", `${login.origin}/other`, `${login.origin.replace("127.0.0.1", "127.0.0.2")}/mcp`]) {
      const moved = holdConnection(opened, clock, url);
      await moved.source.load();
      expect(moved.source.current()).toEqual({ kind: "absent", reason: "needs_login" });
      expect(moved.connected).toBe(0);
      expect(moved.secrets).toContain("access-token-0");
      expect(await moved.source.replace(1)).toEqual({ kind: "absent", reason: "needs_login" });
      moved.source.tick();
    }
    clock.set(START + HOUR);
    expect(login.forms()).toEqual([]);
  });

  test("is nowhere in clear on the disk", async () => {
    const { held, folder, clock, opened } = await startWorld();
    clock.set(START + HOUR);
    await held.source.renew();
    await opened.store.write((batch) => batch.all("SELECT 1"));
    const bytes = Buffer.concat(readdirSync(folder).map((file) => readFileSync(path.join(folder, file))));
    expect(bytes.length).toBeGreaterThan(4096);
    for (const secret of ["access-token", "refresh-token", "client-secret"]) expect(bytes.includes(secret)).toBe(false);
  });
});

interface Child {
  readonly process: ChildProcess;
  says(line: RegExp): Promise<string>;
}

async function startChild(folder: string, now: number, url: string): Promise<Child> {
  const child = spawn(process.execPath, [CHILD, folder, String(now), url], { stdio: ["pipe", "pipe", "inherit"] });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stdin.on("error", () => undefined);
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "close");
    }
  });
  const says = async (line: RegExp): Promise<string> => {
    for (let round = 0; round < 4000; round++) {
      const found = line.exec(out);
      if (found) return found[0];
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`it never said ${line}: ${out}`);
  };
  await says(/ready/);
  return { process: child, says };
}

describe("several processes", () => {
  test(
    "renew once, and both go on with what came",
    async () => {
      const { folder, login, clock, held, another } = await startWorld();
      const { held: other } = await another();
      clock.set(START + HOUR);
      const children = await Promise.all([startChild(folder, START + HOUR, login.url), startChild(folder, START + HOUR, login.url)]);
      login.serve.set("/token", (response) => {
        setTimeout(
          () => sendJson(response, { access_token: "shared", refresh_token: "shared-refresh", token_type: "bearer", expires_in: 3600 }),
          300,
        );
      });
      for (const child of children) child.process.stdin?.write("go\n");
      const here = await Promise.all([held.source.renew(), other.source.renew()]);
      for (const one of here) expect(one).toMatchObject({ kind: "ready", authorization: "Bearer shared" });
      for (const child of children) await child.says(/Bearer shared/);
      expect(login.forms()).toHaveLength(1);
    },
    PATIENCE_MS,
  );

  test.each([true, false])(
    "one that was killed between the server's answer and its own record leaves a connection that holds, or says that it does not (%s)",
    async (isPatient) => {
      const { folder, login, clock, held, opened } = await startWorld();
      const answering = Promise.withResolvers<void>();
      let rotations = 0;
      login.serve.set("/token", (response, request) => {
        rotations++;
        // The first answer never arrives: the server has rotated, the asker is dead.
        if (rotations === 1) return answering.resolve();
        const isOld = new URLSearchParams(request.body).get("refresh_token") === "refresh-token-0";
        if (isOld && !isPatient) return sendJson(response, { error: "invalid_grant" }, 400);
        sendJson(response, { access_token: "after", refresh_token: "after-refresh", token_type: "bearer", expires_in: 3600 });
      });
      const child = await startChild(folder, START + HOUR - 1_000, login.url);
      child.process.stdin?.write("go\n");
      await answering.promise;
      child.process.kill("SIGKILL");
      await once(child.process, "close");
      // The old token lives on until its time is over, whatever became of the renewal.
      clock.set(START + HOUR - 500);
      await held.source.load();
      expect(held.source.current()).toMatchObject({ kind: "ready", authorization: "Bearer access-token-0" });
      expect((await readStored(opened))?.secrets.tokens.refresh).toBe("refresh-token-0");
      clock.set(START + HOUR + LEASE_MS + 1);
      const next = await held.source.renew();
      if (isPatient) expect(next).toMatchObject({ kind: "ready", authorization: "Bearer after" });
      else expect(next).toEqual({ kind: "absent", reason: "needs_login" });
      expect(rotations).toBe(2);
    },
    PATIENCE_MS,
  );
});
