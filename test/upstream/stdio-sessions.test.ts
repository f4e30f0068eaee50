/** A process on standard streams for every session: all that both sides say passes, to the right stream; none is left. */
import { describe, expect, test } from "vitest";
import { heardBy, isAlive, type Rig, startRig, type Told, textOf, until } from "./stdio-rig.ts";

const start = (options: Parameters<typeof startRig>[0] = {}): Rig => startRig({ process: "session", ...options });
const post = (rig: Rig, session: string, message: object, owner?: string): Promise<Told> =>
  rig.send({ owner, headers: { "mcp-session-id": session }, message }).done;
const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } },
};

describe("each session", () => {
  test("has its own process, to which its client introduces itself", async () => {
    const rig = start();
    const [first, second] = [await rig.open("a", { elicitation: {} }), await rig.open("b")];
    expect(rig.server.pids).toHaveLength(2);
    const pidOf = async (session: string, owner: string): Promise<number> =>
      (JSON.parse(textOf(await rig.call(session, "pid", {}, undefined, owner).done)) as { pid: number }).pid;
    expect(await pidOf(first, "a")).not.toBe(await pidOf(second, "b"));
    expect((await rig.call(first, "pid", {}, undefined, "b").done).status).toBe(404);
    const heard = JSON.parse(textOf(await rig.call(first, "heard", {}, undefined, "a").done)) as { method: string; params: object }[];
    expect(heard.map(({ method }) => method).slice(0, 2)).toEqual(["initialize", "notifications/initialized"]);
    expect(heard[0]?.params).toMatchObject({ capabilities: { elicitation: {} }, clientInfo: { name: "client" } });
  });

  test("is told all that the server can, logs too", async () => {
    const rig = start();
    const opened = await rig.send({ message: INITIALIZE }).done;
    expect(opened.messages[0]).toMatchObject({ id: 1, result: { capabilities: { logging: {} } } });
    const session = String(opened.headers["mcp-session-id"]);
    const logged = await rig.call(session, "log", { text: "mine" }).done;
    expect(logged.messages.map(({ method }) => method)).toEqual(["notifications/message", undefined]);
    expect(
      (await post(rig, session, { jsonrpc: "2.0", id: 2, method: "logging/setLevel", params: { level: "debug" } })).messages[0],
    ).toEqual({
      jsonrpc: "2.0",
      id: 2,
      result: {},
    });
  });

  test("ends with its owner where nothing is under way in it", async () => {
    const rig = start();
    await rig.open("a");
    const busy = await rig.open("a");
    const other = await rig.open("b");
    const hanging = rig.call(busy, "hang", {}, undefined, "a");
    await until(() => rig.server.pids.length === 3);
    rig.server.endOwner?.("a");
    await until(() => rig.server.pids.length === 2);
    expect((await rig.call(other, "echo", {}, undefined, "b").done).status).toBe(200);
    expect((await rig.call(busy, "echo", {}, undefined, "a").done).status).toBe(200);
    hanging.open.cancel();
  });

  test("ends with DELETE, and its process with it", async () => {
    const rig = start();
    const session = await rig.open("a");
    const [pid] = rig.server.pids;
    const listening = rig.listen(session, "a");
    const hanging = rig.call(session, "hang", {}, undefined, "a");
    await until(() => listening.status === 200);
    const headers = { "mcp-session-id": session };
    expect((await rig.send({ method: "DELETE", headers, owner: "b" }).done).status).toBe(404);
    expect((await rig.send({ method: "DELETE", headers, owner: "a" }).done).status).toBe(204);
    expect((await hanging.done).fault).toMatchObject({ reason: "cancelled" });
    await listening.done;
    await until(() => !isAlive(pid));
    expect((await rig.call(session, "echo", {}, undefined, "a").done).status).toBe(404);
    expect(rig.server.pids).toEqual([]);
  });

  test("ends with its process: each call in flight is answered once, the others live on", async () => {
    const rig = start();
    const [first, second] = [await rig.open(), await rig.open()];
    const listening = rig.listen(first);
    const calls = [rig.call(first, "hang"), rig.call(first, "hang", {}, { progressToken: 1 }), rig.call(first, "crash")];
    for (const call of calls) expect((await call.done).fault).toMatchObject({ reason: "broken", sent: "unknown" });
    await listening.done;
    expect((await rig.call(first, "echo").done).status).toBe(404);
    expect(textOf(await rig.call(second, "echo", { text: "well" }).done)).toBe("well");
    expect([...calls, listening].map(({ ends }) => ends)).toEqual([1, 1, 1, 1]);
    expect(rig.said.filter((line) => line.includes("ended by itself with code 7"))).toHaveLength(1);
  });
});

describe("what the server asks", () => {
  const answer = { jsonrpc: "2.0", id: "own-1", result: { action: "accept" } };

  test("goes with the one call in flight, and the client's answer finds it", async () => {
    const rig = start();
    const session = await rig.open(undefined, { elicitation: {} });
    const listening = rig.listen(session);
    await until(() => listening.status === 200);
    const asking = rig.call(session, "ask");
    await until(() => asking.messages.length === 1);
    expect(asking.messages[0]).toMatchObject({ id: "own-1", method: "elicitation/create", params: { message: "Your name?" } });
    expect((await post(rig, session, answer)).status).toBe(202);
    expect(JSON.parse(textOf(await asking.done))).toEqual({ result: { action: "accept" } });
    expect(listening.messages).toEqual([]);
  });

  test("goes to the stream where it could belong to several, and without one to the latest, so that none waits for ever", async () => {
    const rig = start();
    const session = await rig.open(undefined, { elicitation: {} });
    const hanging = rig.call(session, "hang");
    const asking = rig.call(session, "ask");
    await until(() => asking.messages.length === 1);
    await post(rig, session, answer);
    await asking.done;
    const listening = rig.listen(session);
    await until(() => listening.status === 200);
    const again = rig.call(session, "ask");
    await until(() => listening.messages.length === 1);
    expect([again.messages, hanging.messages]).toEqual([[], []]);
    await post(rig, session, { ...answer, id: "own-2" });
    expect(JSON.parse(textOf(await again.done))).toEqual({ result: { action: "accept" } });
  });

  test("and says while nobody listens waits, and what is about the whole session never goes with a call", async () => {
    const rig = start();
    const session = await rig.open();
    expect((await rig.call(session, "change").done).messages).toHaveLength(1);
    expect((await rig.call(session, "update", { uri: "a:1" }).done).messages).toHaveLength(1);
    const listening = rig.listen(session);
    await until(() => listening.messages.length === 2);
    expect(listening.messages.map(({ method }) => method)).toEqual(["notifications/tools/list_changed", "notifications/resources/updated"]);
    const again = rig.listen(session);
    await listening.done;
    await rig.call(session, "change").done;
    await until(() => again.messages.length === 1);
  });

  test("progress goes with its call, under the client's own token, also beside other calls", async () => {
    const rig = start();
    const session = await rig.open();
    const [one, two] = [
      rig.call(session, "count", { ms: 5 }, { progressToken: "x" }),
      rig.call(session, "count", { ms: 5 }, { progressToken: 0 }),
    ];
    for (const [token, call] of [
      ["x", one],
      [0, two],
    ] as const) {
      const { messages } = await call.done;
      expect(messages.slice(0, -1).map(({ params }) => (params as { progressToken: unknown }).progressToken)).toEqual([
        token,
        token,
        token,
      ]);
    }
  });
});

describe("processes", () => {
  test("are bounded in all and for each owner; who finds no room is told so, and nothing else ends for it", async () => {
    const rig = start({ bounds: { sessionProcesses: 3, sessionProcessesPerOwner: 2, evictIdleMs: 60_000 } });
    const first = await rig.open("a");
    await rig.open("a");
    const refused = await rig.send({ owner: "a", message: INITIALIZE }).done;
    expect([refused.status, refused.messages[0]]).toMatchObject([
      503,
      { id: 1, error: { message: expect.stringContaining("Too many conversations") } },
    ]);
    await rig.open("b");
    expect((await rig.send({ owner: "c", message: INITIALIZE }).done).status).toBe(503);
    expect(rig.server.pids).toHaveLength(3);
    await rig.send({ method: "DELETE", owner: "a", headers: { "mcp-session-id": first } }).done;
    await rig.open("c");
  });

  test("that nobody uses make room for the next, longest unused first, and never one that is in use", async () => {
    const rig = start({ bounds: { sessionProcesses: 3, sessionProcessesPerOwner: 3, evictIdleMs: 0 } });
    const [used, old, newer] = [await rig.open(), await rig.open(), await rig.open()];
    rig.call(used, "hang");
    await rig.call(newer, "echo").done;
    await rig.open();
    expect((await rig.call(old, "echo").done).status).toBe(404);
    expect(textOf(await rig.call(newer, "echo", { text: "here" }).done)).toBe("here");
    expect(textOf(await rig.call(used, "echo", { text: "here" }).done)).toBe("here");
  });

  test("that nobody uses for long end by themselves; one that is listened to does not", async () => {
    const rig = start({ bounds: { sessionIdleMs: 1_000 } });
    const heard = await rig.open();
    const listening = rig.listen(heard);
    const idle = await rig.open();
    await until(() => rig.server.pids.length === 1);
    expect((await rig.call(idle, "echo").done).status).toBe(404);
    expect(textOf(await rig.call(heard, "echo", { text: "still" }).done)).toBe("still");
    expect(listening.ended).toBe(false);
  });

  test("on their way out count too, each for its owner", async () => {
    const rig = start({
      env: { STUBBORN: "1" },
      bounds: { sessionProcesses: 8, sessionProcessesPerOwner: 2, child: { stopInputMs: 1_500, stopTermMs: 1_500 } },
    });
    for (let n = 0; n < 2; n++) {
      const session = await rig.open("a");
      await rig.send({ method: "DELETE", owner: "a", headers: { "mcp-session-id": session } }).done;
    }
    expect((await rig.send({ owner: "a", message: INITIALIZE }).done).status).toBe(503);
    await rig.open("b");
  });

  test("that open nothing that is known are not kept", async () => {
    const rig = start({ env: { REVISION: "1999-01-01" } });
    const opened = await rig.send({ message: INITIALIZE }).done;
    expect(opened.messages[0]).toMatchObject({ id: 1, result: { protocolVersion: "1999-01-01" } });
    expect(opened.headers["mcp-session-id"]).toBeUndefined();
    expect(rig.server.pids).toEqual([]);
  });

  test("whose client leaves before they have answered end too, and all of them with the server", async () => {
    const rig = start({ env: { STUBBORN: "1" } });
    const leaving = rig.send({ message: INITIALIZE });
    const [young] = rig.server.pids;
    leaving.open.cancel();
    expect((await leaving.done).fault).toMatchObject({ reason: "cancelled" });
    expect(rig.server.pids).toEqual([]);
    await Promise.all([rig.open(), rig.open()]);
    const { pids } = rig.server;
    expect(pids).toHaveLength(2);
    await rig.server.close();
    for (const pid of [young, ...pids]) expect(isAlive(pid)).toBe(false);
  });
});

test("a client that reads slowly loses nothing", async () => {
  const rig = start();
  const session = await rig.open();
  const body = {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "count", arguments: { steps: 5_000 }, _meta: { progressToken: 1 } },
  };
  let taken = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const open = rig.server.exchange(
    { method: "POST", headers: { "mcp-session-id": session }, body: Buffer.from(JSON.stringify(body)) },
    {
      onStart: () => undefined,
      onData(chunk) {
        taken += chunk.toString().split("data: ").length - 1;
        if (taken % 50 !== 0) return true;
        setTimeout(() => open.resume(), 1);
        return false;
      },
      onEnd: resolve,
      onFault: () => resolve(),
    },
  );
  await promise;
  expect(taken).toBe(5_001);
  expect((await heardBy(rig, session)).length).toBeGreaterThan(2);
});
