/** The desk between the command and the browser: what was called off stays off, and what could not be read is read again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createManualClock } from "../../../src/kernel/clock.ts";
import type { Store } from "../../../src/store/store.ts";
import { createAddressGuard } from "../../../src/upstream/address-guard.ts";
import { createGuardedFetch } from "../../../src/upstream/guarded-fetch.ts";
import { endAsksOf, insertAsk, readAsk } from "../../../src/upstream/oauth/asks.ts";
import { type ConnectableServer, ConnectionDesk } from "../../../src/upstream/oauth/connection-desk.ts";
import { CredentialSource } from "../../../src/upstream/oauth/credential-source.ts";
import { type HandMadeLogin, sendJson, startHandMadeLogin } from "../../support/hand-made-login.ts";
import { openFolder, putConnection, SERVER } from "./rig.ts";

const NOW_MS = 1_000_000;
const TICKET = "the-ticket";

interface World {
  readonly login: HandMadeLogin;
  readonly store: Store;
  readonly desk: ConnectionDesk;
  readonly server: ConnectableServer;
  readonly said: string[];
  /** Another process on the same database. */
  readonly other: Awaited<ReturnType<typeof openFolder>>;
  /** While it is set, the desk's own database can't be written. */
  fault: string | undefined;
}

async function startWorld(): Promise<World> {
  const login = await startHandMadeLogin();
  const folder = mkdtempSync(path.join(tmpdir(), "desk-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const clock = createManualClock(NOW_MS);
  const opened = await openFolder(folder, clock);
  onTestFinished(() => opened.close());
  const other = await openFolder(folder, clock);
  onTestFinished(() => other.close());
  const said: string[] = [];
  const { store: real } = opened;
  const store: Store = {
    query: real.query,
    write: (job) => (world.fault === undefined ? real.write(job) : Promise.reject(new Error(world.fault))),
    readEpoch: () => real.readEpoch(),
    get waiting() {
      return real.waiting;
    },
    close: () => real.close(),
  };
  const guard = createAddressGuard({ allow: ["127.0.0.1/32"], resolve: () => Promise.resolve([]) });
  const fetch = createGuardedFetch({ guard, timeoutMs: 5_000 });
  const shared = { store, openKeyring: opened.openKeyring, now: () => clock.now() };
  const source = new CredentialSource({
    ...shared,
    serverId: SERVER,
    url: login.url,
    fetch,
    random: () => 0.5,
    record: () => undefined,
    tell: (_level, event) => void said.push(event),
    onSecrets: () => undefined,
    onConnected: () => undefined,
  });
  const config = { clientId: undefined, clientSecret: undefined, scopes: undefined, issuer: undefined };
  const desk = new ConnectionDesk({
    ...shared,
    baseUrl: () => "http://127.0.0.1:8420",
    record: () => undefined,
    tell: (_level, event) => void said.push(event),
  });
  const server: ConnectableServer = { id: SERVER, name: "mail", url: login.url, config, guard, fetch, source };
  const world: World = { login, store: real, desk, server, said, other, fault: undefined };
  onTestFinished(() => desk.remove(server));
  return world;
}

test("a connection that could not be read is read with the next look, though nobody changed anything since", async () => {
  const world = await startWorld();
  const { desk, server, login, other, said } = world;
  await desk.add(server);
  await desk.look();
  expect(server.source.current()).toMatchObject({ kind: "absent" });
  await putConnection(other, { origin: login.origin, nowMs: NOW_MS });
  world.fault = "the disk is full";
  await desk.look();
  await desk.look();
  expect(server.source.current()).toMatchObject({ kind: "absent" });
  expect(said).toEqual(["connection.unread"]);
  world.fault = undefined;
  await desk.look();
  expect(server.source.current()).toMatchObject({ kind: "ready" });
});

test("the same where the server was added while the database could not be asked", async () => {
  const world = await startWorld();
  const { desk, server, login, other } = world;
  await putConnection(other, { origin: login.origin, nowMs: NOW_MS });
  await desk.look();
  world.fault = "the disk is full";
  await desk.add(server);
  world.fault = undefined;
  await desk.look();
  expect(server.source.current()).toMatchObject({ kind: "ready" });
});

test("what is called off while its code is redeemed makes no connection, and its token is given back", async () => {
  const { desk, server, login, store } = await startWorld();
  await desk.add(server);
  await store.write((batch) => insertAsk(batch, { id: "a", serverId: SERVER, askedBy: "tester", ticket: TICKET, nowMs: NOW_MS }));
  await desk.look();
  const stateOf = async (): Promise<string | undefined> => (await store.write((batch) => readAsk(batch, "a")))?.state;
  await expect.poll(stateOf).toBe("ready");
  const begun = await desk.begin("mail", TICKET, undefined);
  const state = new URL(begun?.url ?? "").searchParams.get("state") ?? "";
  const revoked: string[] = [];
  login.serve.set("/revoke", (response, { body }) => void (revoked.push(body), response.writeHead(200).end()));
  login.serve.set("/token", (response) => {
    const answer = { access_token: "late-access", refresh_token: "late-refresh", token_type: "Bearer", expires_in: 3600 };
    void store.write((batch) => endAsksOf(batch, SERVER, "Called off.")).then(() => sendJson(response, answer));
  });
  const landed = await desk.finish(new URLSearchParams({ code: "c", state, iss: login.origin }), begun?.browser);
  expect(landed).toMatchObject({ ok: false, words: expect.stringContaining("called off") as string });
  expect(server.source.current()).toEqual({ kind: "absent", reason: "not_connected" });
  expect(await stateOf()).toBe("failed");
  await expect.poll(() => revoked).toEqual([expect.stringContaining("token=late-refresh")]);
});
