/** The life of processes behind the gateway: how they start, which era they speak, how they end, and that nothing is left. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { MAX_LISTENS_PER_OWNER } from "../../src/upstream/channel/modern-relay.ts";
import { RestartPace } from "../../src/upstream/channel/restart-pace.ts";
import { listServerTools } from "../../src/upstream/list-tools.ts";
import { ENVELOPE, heardBy, isAlive, MODERN, startRig, textOf, until } from "./stdio-rig.ts";

const LOOK = { clientInfo: { name: "rig", version: "1" }, nowMs: 0 };

function makeFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), "sallyport-stdio-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("the era of a process", () => {
  test("is found although it is silent to the probe, or dies of it", async () => {
    for (const ERA of ["silent", "dies"]) {
      const rig = startRig({ env: { ERA }, bounds: { probeMs: 200 } });
      const session = await rig.open();
      expect(textOf(await rig.call(session, "echo", { text: ERA }).done)).toBe(ERA);
      expect(rig.said.filter((line) => line.includes("ended by itself"))).toEqual([]);
      const heard = (await heardBy(rig, session)).map(({ method }) => method);
      expect(heard.slice(0, 2)).toEqual(ERA === "silent" ? ["server/discover", "initialize"] : ["initialize", "notifications/initialized"]);
    }
  });

  test("is modern: its requests pass without a session, and a legacy client is refused", async () => {
    for (const process of ["server", "session"] as const) {
      const rig = startRig({ process, env: { ERA: "modern" } });
      const listed = await listServerTools({ upstream: rig.server, ...LOOK });
      expect(listed).toMatchObject({ ok: true, value: { verdict: { era: "modern" }, introduction: { capabilities: { tools: {} } } } });
      expect(listed.ok && listed.value.introduction.capabilities).not.toHaveProperty("logging");
      expect(rig.server.pids).toHaveLength(1);
      if (process === "session") continue;
      const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } };
      expect((await rig.send({ message: { jsonrpc: "2.0", id: 1, method: "initialize", params } }).done).status).toBe(400);
    }
  });

  test("is modern although it was slow to say so, and had been greeted in the old way meanwhile", async () => {
    for (const ERA of ["modern", "dual"]) {
      const rig = startRig({ env: { ERA, SLOW: "700" }, bounds: { probeMs: 50 } });
      expect(await listServerTools({ upstream: rig.server, ...LOOK })).toMatchObject({ ok: true, value: { verdict: { era: "modern" } } });
      const heard = (await heardBy(rig, undefined, ENVELOPE)).map(({ method }) => method);
      expect(heard[0]).toBe("server/discover");
      expect(heard).not.toContain("initialize");
      await until(() => rig.server.pids.length === 1);
      expect(rig.said).toEqual([]);
    }
  });

  test("is legacy, of which every session has its own process: the one that was looked at is not kept", async () => {
    const rig = startRig({ process: "session" });
    expect(await listServerTools({ upstream: rig.server, ...LOOK })).toMatchObject({ ok: true, value: { verdict: { era: "legacy" } } });
    expect(rig.server.pids).toEqual([]);
  });
});

describe("modern requests", () => {
  const call = (id: number | string, name: string, args: object = {}, token?: unknown): object => ({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: { name, arguments: args, _meta: { ...ENVELOPE, ...(token === undefined ? {} : { progressToken: token }) } },
  });

  test("with the same ids and tokens get their own answers, with the whole envelope at the server", async () => {
    const rig = startRig({ env: { ERA: "modern" } });
    const asked = [1, 2, 3].map((steps) => rig.send({ headers: MODERN, message: call("same", "count", { steps, ms: 5 }, "t") }));
    for (const [index, one] of asked.entries()) {
      const { messages } = await one.done;
      expect(messages).toHaveLength(index + 2);
      expect(messages[0]).toMatchObject({ params: { progressToken: "t", progress: 1 } });
      expect(messages.at(-1)).toMatchObject({ id: "same" });
    }
    const heard = await heardBy(rig, undefined, ENVELOPE);
    expect(
      heard.filter(({ method }) => method === "tools/call").every(({ params }) => (params as { _meta: object })._meta !== undefined),
    ).toBe(true);
    expect(heard[1]).toMatchObject({ params: { _meta: ENVELOPE } });
  });

  test("that are closed are cancelled at the server; errors have their status", async () => {
    const rig = startRig({ env: { ERA: "modern" } });
    await rig.send({ headers: MODERN, message: call(1, "echo") }).done;
    const hanging = rig.send({ headers: MODERN, message: call(2, "hang") });
    hanging.open.cancel();
    expect((await hanging.done).fault).toMatchObject({ reason: "cancelled" });
    const heard = await heardBy(rig, undefined, ENVELOPE);
    const hung = heard.find(({ params }) => (params as { name?: string })?.name === "hang");
    expect(heard.find(({ method }) => method === "notifications/cancelled")?.params).toEqual({ requestId: hung?.id });
    const unknown = await rig.send({ headers: MODERN, message: { jsonrpc: "2.0", id: 3, method: "no/such", params: { _meta: ENVELOPE } } })
      .done;
    expect([unknown.status, unknown.messages[0]]).toMatchObject([404, { id: 3, error: { code: -32601 } }]);
  });

  test("that listen hear what is theirs, under their own id, until they leave", async () => {
    const rig = startRig({ env: { ERA: "modern" } });
    const listenAs = (id: string): ReturnType<typeof rig.send> => {
      const params = { notifications: { toolsListChanged: true }, _meta: ENVELOPE };
      return rig.send({ headers: MODERN, stream: true, message: { jsonrpc: "2.0", id, method: "subscriptions/listen", params } });
    };
    const [first, second] = [listenAs("a"), listenAs("b")];
    await until(() => first.messages.length === 1 && second.messages.length === 1);
    await rig.send({ headers: MODERN, message: call(1, "change") }).done;
    await rig.send({ headers: MODERN, message: call(2, "log", { text: "whose?" }) }).done;
    const subscriptionOf = (message: unknown): unknown =>
      (message as { params: { _meta: Record<string, unknown> } }).params._meta["io.modelcontextprotocol/subscriptionId"];
    for (const [id, told] of [
      ["a", first],
      ["b", second],
    ] as const) {
      expect(told.messages.map(({ method }) => method)).toEqual([
        "notifications/subscriptions/acknowledged",
        "notifications/tools/list_changed",
      ]);
      expect(told.messages.map(subscriptionOf)).toEqual([id, id]);
    }
    first.open.cancel();
    await rig.send({ headers: MODERN, message: call(3, "change") }).done;
    expect([first.messages.length, second.messages.length]).toEqual([2, 3]);
    const more = Array.from({ length: MAX_LISTENS_PER_OWNER }, (_, n) => listenAs(`more-${n}`));
    expect((await more.at(-1)?.done)?.fault).toMatchObject({ reason: "busy", sent: "not_sent" });
    expect(more.filter(({ ended }) => ended)).toHaveLength(1);
  });
});

describe("a process that crashes", () => {
  test("answers every call in flight, once; it is started again and the sessions go on", async () => {
    const rig = startRig();
    const [first, second] = [await rig.open("a"), await rig.open("b")];
    const uri = { uri: "a:1" };
    await rig.send({
      owner: "a",
      headers: { "mcp-session-id": first },
      message: { jsonrpc: "2.0", id: 1, method: "resources/subscribe", params: uri },
    }).done;
    const listening = rig.listen(first, "a");
    const [pid] = rig.server.pids;
    const hanging = [first, first, second].map((session, n) =>
      rig.call(session, "hang", {}, n === 1 ? { progressToken: 1 } : undefined, n === 2 ? "b" : "a"),
    );
    const crashed = rig.call(second, "crash", {}, undefined, "b");
    for (const call of [...hanging, crashed]) expect((await call.done).fault).toMatchObject({ reason: "broken", sent: "unknown" });
    expect((await rig.call(first, "echo", {}, undefined, "a").done).fault).toMatchObject({ reason: "connect", sent: "not_sent" });
    await until(() => rig.server.pids.length === 1 && rig.server.pids[0] !== pid);
    await until(() => listening.messages.some(({ method }) => method === "notifications/tools/list_changed"));
    expect(textOf(await rig.call(first, "echo", { text: "again" }, undefined, "a").done)).toBe("again");
    await rig.call(second, "update", uri, undefined, "b").done;
    expect(listening.messages.at(-1)).toMatchObject({ method: "notifications/resources/updated", params: uri });
    expect([...hanging, crashed].map(({ ends }) => ends)).toEqual([1, 1, 1, 1]);
    expect(rig.said.filter((line) => line.includes("ended by itself with code 7"))).toHaveLength(1);
    expect(isAlive(pid)).toBe(false);
  });

  test("and is another one when it comes back lets the sessions go, so that clients begin anew", async () => {
    const folder = makeFolder();
    const script = path.join(folder, "server.mjs");
    const puppet = readFileSync(path.join(import.meta.dirname, "puppet.mjs"), "utf8");
    writeFileSync(script, puppet);
    const rig = startRig({ args: [script] });
    const session = await rig.open();
    const listening = rig.listen(session);
    await until(() => listening.status === 200);
    writeFileSync(script, puppet.replace("resources: { subscribe: true }, ", ""));
    await rig.call(session, "crash").done;
    await listening.done;
    expect((await rig.call(session, "echo").done).status).toBe(404);
    expect(textOf(await rig.call(await rig.open(), "echo", { text: "anew" }).done)).toBe("anew");
  });

  test("by kill -9 under load leaves no call without its one answer", async () => {
    const rig = startRig();
    const sessions = await Promise.all([rig.open(), rig.open(), rig.open()]);
    const calls = Array.from({ length: 120 }, (_, n) => rig.call(sessions[n % 3], "echo", { text: String(n), ms: n % 40 }));
    await Promise.race(calls.map(({ done }) => done));
    process.kill(rig.server.pids[0] as number, "SIGKILL");
    const told = await Promise.all(calls.map(({ done }) => done));
    expect(calls.map(({ ends }) => ends)).toEqual(calls.map(() => 1));
    const answered = told.filter(({ fault }) => fault === undefined);
    expect(answered.length).toBeGreaterThan(0);
    for (const [n, { fault }] of told.entries()) {
      if (fault) expect(fault).toMatchObject({ reason: "broken", sent: "unknown" });
      else expect(textOf(told[n] as (typeof told)[number])).toBe(String(n));
    }
  });
});

describe("a process that does not start", () => {
  test("is told in words with what to look at, and asked again after a growing wait", async () => {
    const rig = startRig({ command: "no-such-command-here", bounds: { restartMinMs: 40 } });
    expect((await rig.call("any", "echo").done).fault).toMatchObject({ reason: "connect", sent: "not_sent" });
    const asked = performance.now();
    for (let n = 0; n < 20; n++) expect((await rig.call("any", "echo").done).fault).toMatchObject({ reason: "connect", sent: "not_sent" });
    await until(() => rig.said.length >= 4);
    expect(rig.said[0]).toMatch(/could not be started: the command was not found \(`no-such-command-here`\).*PATH.*without a shell/);
    expect(rig.said[0]).not.toMatch(/ENOENT|at .*\.ts/);
    const waits = rig.said.map((line) => Number(/again in ([\d.]+) s/.exec(line)?.[1]));
    expect(waits.length).toBeGreaterThan(3);
    // Each wait is at least half of 40, 80 and 160 ms: there can't have been more starts than that.
    expect(performance.now() - asked).toBeGreaterThan(120);
  });

  test("or ends at once, or in a folder that is not there, is told too; each session hears of it at once", async () => {
    const ending = startRig({
      process: "session",
      env: { EXIT: "3", SAY: "no licence" },
      bounds: { restartMinMs: 30_000, restartMaxMs: 30_000 },
    });
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } };
    const opening = { message: { jsonrpc: "2.0", id: 1, method: "initialize", params } };
    expect((await ending.send(opening).done).fault).toMatchObject({ reason: "broken" });
    await until(() => ending.said.some((line) => line.includes("ended by itself with code 3")));
    expect(ending.said.some((line) => line.includes("no licence"))).toBe(true);
    expect((await ending.send(opening).done).fault).toMatchObject({ reason: "connect", sent: "not_sent" });
    expect((await ending.send({ ...opening, owner: "another" }).done).fault).toMatchObject({ reason: "broken" });
    expect(ending.server.pids).toEqual([]);
    const nowhere = startRig({ cwd: "/nowhere/at/all" });
    expect((await nowhere.send(opening).done).fault).toMatchObject({ reason: "connect", sent: "not_sent" });
    expect(nowhere.said.join("")).toContain("the folder it starts in is not there");
  });

  test("because it speaks nothing known is stopped", async () => {
    const rig = startRig({
      command: "sleep",
      args: ["60"],
      bounds: { probeMs: 50, openMs: 300, restartMinMs: 60_000, restartMaxMs: 60_000 },
    });
    const asking = rig.call("any", "echo");
    const [pid] = rig.server.pids;
    expect((await asking.done).fault).toMatchObject({ reason: "connect", sent: "not_sent" });
    expect(rig.said.join("")).toContain("did not open the conversation in time");
    await until(() => !isAlive(pid));
  });
});

describe("the pace of starts", () => {
  test("never falls below half of the doubled wait nor above the bound, and begins anew after a process that lasted", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200_000), { maxLength: 60 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (lives, shake) => {
        const pace = new RestartPace({ restartMinMs: 500, restartMaxMs: 60_000, stableMs: 60_000 }, () => shake);
        let ends = 0;
        for (const readyMs of lives) {
          if (readyMs >= 60_000) ends = 0;
          const whole = Math.min(60_000, 500 * 2 ** ends++);
          const wait = pace.next(readyMs);
          if (wait < whole / 2 || wait > whole) return false;
        }
        return true;
      }),
    );
  });
});

describe("what a process is given and what it says", () => {
  test("is its own environment, its folder and no shell", async () => {
    const cwd = realpathSync(makeFolder());
    const rig = startRig({ env: { API_KEY: "k3y-of-the-puppet", PLAIN: "$(id)" }, cwd });
    const given = JSON.parse(textOf(await rig.call(await rig.open(), "pid").done)) as { cwd: string; env: Record<string, string> };
    expect(given.cwd).toBe(cwd);
    expect(given.env).toMatchObject({ API_KEY: "k3y-of-the-puppet", PLAIN: "$(id)" });
    expect(JSON.stringify(given.env)).not.toContain("never-handed-on");
  });

  test("is in the log without its secrets, and no more than so many lines of it", async () => {
    const key = "k3y-of-the-puppet";
    const rig = startRig({ env: { API_KEY: key, SAY: `starting with ${key}` }, secrets: [key] });
    const session = await rig.open();
    await rig.call(session, "secret").done;
    await rig.call(session, "flood", { lines: 2_000 }).done;
    await until(() => rig.said.length >= 200);
    const said = rig.said.join("");
    expect(said).toContain("starting with [secret]");
    expect(said).toContain("[a line that held a credential]");
    expect(said).not.toContain(key);
    expect(said).not.toContain(Buffer.from(key).toString("base64"));
    await rig.call(session, "echo").done;
    expect(rig.said.length).toBeLessThan(450);
  });
});

describe("a stop", () => {
  test("ends a process that hangs and what it started, while others are starting", async () => {
    const rig = startRig({ env: { STUBBORN: "1" } });
    const hanging = rig.call(await rig.open(), "hang");
    const [pid] = rig.server.pids;
    expect(isAlive(pid)).toBe(true);
    await rig.server.close();
    expect(isAlive(pid)).toBe(false);
    expect((await hanging.done).ends).toBe(1);
    const starting = startRig();
    const waiting = starting.call("any", "echo");
    const [young] = starting.server.pids;
    await starting.server.close();
    expect(isAlive(young)).toBe(false);
    expect((await waiting.done).fault).toMatchObject({ sent: "not_sent" });
    expect(starting.server.pids).toEqual([]);
  });

  test("also while it waits to start again starts nothing any more", async () => {
    const rig = startRig({ bounds: { restartMinMs: 50 } });
    await rig.call(await rig.open(), "crash").done;
    await rig.server.close();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(rig.server.pids).toEqual([]);
  });
});
