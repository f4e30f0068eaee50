/** One process on standard streams that many clients share: nobody gets what is another's, and nobody asks the clients. */
import { describe, expect, test } from "vitest";
import { listServerTools } from "../../src/upstream/list-tools.ts";
import { heardBy, isAlive, startRig, textOf, until } from "./stdio-rig.ts";

const INITIALIZE = {
  jsonrpc: "2.0",
  id: "a",
  method: "initialize",
  params: { protocolVersion: "2025-06-18", capabilities: { sampling: {} } },
};

describe("sessions", () => {
  test("are opened from one conversation with one process, which is offered nothing to ask", async () => {
    const rig = startRig();
    const opened = await Promise.all([rig.send({ message: INITIALIZE }).done, rig.send({ message: { ...INITIALIZE, id: 7 } }).done]);
    expect(opened.map(({ messages }) => messages[0]?.["id"])).toEqual(["a", 7]);
    const [first, second] = opened.map(({ headers }) => headers["mcp-session-id"]);
    expect(first).toMatch(/^[\x21-\x7e]{32,}$/);
    expect(first).not.toBe(second);
    expect(opened[0]?.messages[0]?.["result"]).toEqual({
      protocolVersion: "2025-11-25",
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true } },
      serverInfo: { name: "puppet", version: String(rig.server.pids[0]) },
      instructions: "Pull the strings.",
    });
    expect(rig.server.pids).toHaveLength(1);
    const heard = await heardBy(rig, String(first));
    expect(heard.map(({ method }) => method)).toEqual(["server/discover", "initialize", "notifications/initialized", "tools/call"]);
    expect(heard[1]).toMatchObject({ params: { capabilities: {}, clientInfo: { name: "rig" } } });
  });

  test("are their owner's alone, and gone after DELETE", async () => {
    const rig = startRig();
    const session = await rig.open("alice");
    expect(textOf(await rig.call(session, "echo", { text: "hi" }, undefined, "alice").done)).toBe("hi");
    expect((await rig.call(session, "echo", {}, undefined, "bob").done).status).toBe(404);
    expect((await rig.call(session, "echo", {}).done).status).toBe(404);
    expect((await rig.listen(session, "bob").done).status).toBe(404);
    const listening = rig.listen(session, "alice");
    await until(() => listening.status === 200);
    const headers = { "mcp-session-id": session };
    expect((await rig.send({ method: "DELETE", headers, owner: "bob" }).done).status).toBe(404);
    expect((await rig.send({ method: "DELETE", headers, owner: "alice" }).done).status).toBe(204);
    expect((await listening.done).fault).toBeUndefined();
    expect((await rig.call(session, "echo", {}, undefined, "alice").done).status).toBe(404);
  });

  test("are not needed where nothing is about one client alone", async () => {
    const rig = startRig();
    const listed = await rig.send({ message: { jsonrpc: "2.0", id: 1, method: "tools/list" } }).done;
    expect(listed.messages[0]).toMatchObject({ id: 1, result: { tools: expect.any(Array) } });
    for (const method of ["resources/subscribe", "resources/unsubscribe", "logging/setLevel"]) {
      const refused = await rig.send({ message: { jsonrpc: "2.0", id: 2, method, params: { uri: "a:1" } } }).done;
      expect([refused.status, refused.messages[0]]).toMatchObject([400, { id: 2, error: { code: -32600 } }]);
    }
    const hanging = rig.send({ owner: "a", message: { jsonrpc: "2.0", id: 3, method: "tools/call", params: { name: "hang" } } });
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 3 } };
    expect((await rig.send({ owner: "b", message: cancel }).done).status).toBe(202);
    expect((await heardBy(rig, await rig.open())).map(({ method }) => method)).not.toContain("notifications/cancelled");
    expect(hanging.ended).toBe(false);
    expect((await rig.send({ method: "GET", headers: {} }).done).status).toBe(405);
  });

  test("of a server of the oldest revision are told that it is", async () => {
    for (const process of ["server", "session"] as const) {
      const rig = startRig({ process, env: { REVISION: "2024-11-05" } });
      const opened = await rig.send({ message: INITIALIZE }).done;
      expect(opened.messages[0]).toMatchObject({ id: "a", result: { protocolVersion: "2024-11-05", instructions: "Pull the strings." } });
    }
  });
});

describe("calls of several sessions at once", () => {
  test("with the same ids and tokens get their own answers and their own progress", async () => {
    const rig = startRig();
    const sessions = await Promise.all(["a", "b", "c"].map((owner) => rig.open(owner)));
    const calls = sessions.map((session, index) => {
      const params = { name: "count", arguments: { steps: index + 1, ms: 5 }, _meta: { progressToken: "same" } };
      const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params };
      return rig.send({ owner: "abc"[index], headers: { "mcp-session-id": session }, message });
    });
    for (const [index, call] of calls.entries()) {
      const { messages } = await call.done;
      expect(messages.slice(0, -1).map(({ params }) => params)).toEqual(
        Array.from({ length: index + 1 }, (_, n) => ({ progressToken: "same", progress: n + 1 })),
      );
      expect(messages.at(-1)).toMatchObject({ id: 1, result: { content: [{ text: "counted" }] } });
      expect(call.headers["content-type"]).toBe("text/event-stream");
    }
  });

  test("in any order of answers, ids of any kind, and bytes as they were", async () => {
    const rig = startRig();
    const session = await rig.open();
    const ids = ['"1"', "1", "-5", '"\\u0061"', "12345678901", '"with \\"quotes\\""', '"sallyport-1"', "1"];
    const calls = ids.map((id, index) => {
      const args = `{"text":"${index}","ms":${(ids.length - index) * 10},"n":12345678901234567890,"d":1.0}`;
      const message = `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":${args}}}`;
      return rig.send({ headers: { "mcp-session-id": session }, message });
    });
    for (const [index, call] of calls.entries()) {
      expect(textOf(await call.done)).toBe(String(index));
      expect(call.messages[0]?.["id"]).toBe(JSON.parse(ids[index] as string));
      expect(call.ends).toBe(1);
    }
  });

  test("hear no progress that is not theirs, and no log at all", async () => {
    const rig = startRig();
    const [mine, theirs] = [await rig.open("me"), await rig.open("them")];
    const listening = rig.listen(mine, "me");
    const own = rig.call(mine, "hang", {}, { progressToken: "mine" }, "me");
    for (const token of ["mine", "nobody's", 999, 0, null, {}]) {
      await rig.call(theirs, "foreign", { token }, undefined, "them").done;
    }
    await rig.call(theirs, "log", { text: "between us" }, undefined, "them").done;
    await rig.call(theirs, "log", { text: "between us" }, { progressToken: 1 }, "them").done;
    await rig.call(mine, "echo", {}, undefined, "me").done;
    expect(own.messages).toEqual([]);
    expect(listening.messages).toEqual([]);
    expect((await rig.send({ owner: "me", headers: { "mcp-session-id": mine }, message: LEVEL }).done).messages[0]).toMatchObject({
      error: { code: -32601 },
    });
  });
});

const LEVEL = { jsonrpc: "2.0", id: 1, method: "logging/setLevel", params: { level: "debug" } };

describe("a cancelled call", () => {
  test("is told to the process once, under its own id there, by whichever road", async () => {
    const rig = startRig();
    const [mine, theirs] = [await rig.open("me"), await rig.open("them")];
    const headers = { "mcp-session-id": mine };
    const hang = { jsonrpc: "2.0", id: 5, method: "tools/call", params: { name: "hang" } };
    const first = rig.send({ owner: "me", headers, message: hang });
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 5, reason: "enough" } };
    await rig.send({ owner: "them", headers: { "mcp-session-id": theirs }, message: cancel }).done;
    await rig.send({ owner: "me", headers, message: { ...cancel, params: { requestId: 6 } } }).done;
    await rig.send({ owner: "me", headers, message: cancel }).done;
    first.open.cancel();
    first.open.cancel();
    expect((await first.done).fault).toMatchObject({ reason: "cancelled", sent: "unknown" });
    const abort = new AbortController();
    const second = rig.send({ owner: "me", headers, message: hang, signal: abort.signal });
    abort.abort();
    await second.done;
    const heard = JSON.parse(textOf(await rig.call(mine, "heard", {}, undefined, "me").done)) as {
      method: string;
      id: number;
      params: object;
    }[];
    const hung = heard.filter(({ params }) => (params as { name?: string })?.name === "hang").map(({ id }) => id);
    expect(heard.filter(({ method }) => method === "notifications/cancelled").map(({ params }) => params)).toEqual([
      { requestId: hung[0], reason: "enough" },
      { requestId: hung[1] },
    ]);
    expect([first.ends, second.ends]).toEqual([1, 1]);
  });

  test("ends with its session", async () => {
    const rig = startRig();
    const session = await rig.open();
    const hanging = rig.call(session, "hang");
    await rig.send({ method: "DELETE", headers: { "mcp-session-id": session } }).done;
    expect((await hanging.done).fault).toMatchObject({ reason: "cancelled" });
  });

  test("and one that is never answered ends by time, with the process told", async () => {
    const rig = startRig({ bounds: { answerMs: 3_000 } });
    const session = await rig.open();
    expect((await rig.call(session, "hang").done).fault).toMatchObject({ reason: "answer_timeout", sent: "unknown" });
    expect(textOf(await rig.call(session, "count", { steps: 3, ms: 1_500 }, { progressToken: 1 }).done)).toBe("counted");
    expect((await heardBy(rig, session)).filter(({ method }) => method === "notifications/cancelled")).toHaveLength(1);
  });
});

describe("what the server says unasked", () => {
  test("that a list has changed reaches every session, once, also one that comes to listen later", async () => {
    const rig = startRig();
    const [first, second, third] = [await rig.open(), await rig.open(), await rig.open()];
    const listening = [rig.listen(first), rig.listen(second)];
    await until(() => listening.every(({ status }) => status === 200));
    await rig.call(third, "change").done;
    await rig.call(third, "change").done;
    const late = rig.listen(third);
    await until(() => late.messages.length > 0);
    const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
    for (const { messages } of listening) expect(messages).toEqual([changed, changed]);
    expect(late.messages).toEqual([changed]);
  });

  test("that a resource was updated reaches those who subscribed, and the last one who leaves ends it there", async () => {
    const rig = startRig();
    const [first, second] = [await rig.open(), await rig.open()];
    const listening = [rig.listen(first), rig.listen(second)];
    const ask = (session: string, method: string, uri: string): Promise<unknown> =>
      rig.send({ headers: { "mcp-session-id": session }, message: { jsonrpc: "2.0", id: 1, method, params: { uri } } }).done;
    await ask(first, "resources/subscribe", "a:1");
    await ask(second, "resources/subscribe", "a:2");
    await ask(second, "resources/subscribe", "a:1");
    for (const uri of ["a:1", "a:2", "a:3"]) await rig.call(first, "update", { uri }).done;
    const updatesOf = (at: number): unknown[] => listening[at]?.messages.map(({ params }) => (params as { uri: string }).uri) ?? [];
    expect([updatesOf(0), updatesOf(1)]).toEqual([["a:1"], ["a:1", "a:2"]]);
    await ask(first, "resources/unsubscribe", "a:1");
    await ask(first, "resources/unsubscribe", "a:1");
    await rig.call(first, "update", { uri: "a:1" }).done;
    expect([updatesOf(0), updatesOf(1)]).toEqual([["a:1"], ["a:1", "a:2", "a:1"]]);
    const unsubscribed = async (): Promise<unknown[]> =>
      (await heardBy(rig, first))
        .filter(({ method }) => method === "resources/unsubscribe")
        .map(({ params }) => (params as { uri: string }).uri);
    expect(await unsubscribed()).toEqual([]);
    await rig.send({ method: "DELETE", headers: { "mcp-session-id": second } }).done;
    expect((await unsubscribed()).toSorted()).toEqual(["a:1", "a:2"]);
  });

  test("a question is answered for all: a ping is well, anything else is not asked of anybody", async () => {
    const rig = startRig();
    const session = await rig.open(undefined, { elicitation: {}, sampling: {}, roots: {} });
    const listening = rig.listen(session);
    const answered = async (method: string): Promise<unknown> => JSON.parse(textOf(await rig.call(session, "ask", { method }).done));
    expect(await answered("ping")).toEqual({ result: {} });
    for (const method of ["elicitation/create", "sampling/createMessage", "roots/list", "tasks/get"]) {
      expect(await answered(method)).toMatchObject({ error: { code: -32601 } });
    }
    expect(listening.messages).toEqual([]);
  });

  test("garbage is dropped in words, and an answer that can't be read ends its own call alone", async () => {
    const rig = startRig();
    const session = await rig.open();
    const other = rig.call(session, "echo", { text: "unharmed", ms: 100 });
    expect(textOf(await rig.call(session, "garbage").done)).toBe("after the garbage");
    const twice = await rig.call(session, "twice").done;
    expect([twice.ends, twice.status]).toEqual([1, 200]);
    expect(textOf(await other.done)).toBe("unharmed");
    expect(rig.said.filter((line) => line.includes("was dropped")).length).toBeGreaterThan(2);
    expect(rig.said.join("")).not.toContain("this is no message");
  });
});

test("the gateway's own look at the tools works, and leaves no session behind", async () => {
  const rig = startRig();
  const clientInfo = { name: "rig", version: "1" };
  const listed = await listServerTools({ upstream: rig.server, clientInfo, nowMs: 0 });
  expect(listed).toMatchObject({ ok: true, value: { verdict: { era: "legacy", revision: "2025-11-25" } } });
  expect(listed.ok && listed.value.tools.length).toBe(15);
  const [pid] = rig.server.pids;
  await rig.server.close();
  expect(isAlive(pid)).toBe(false);
  expect((await rig.call("any", "echo").done).fault).toMatchObject({ reason: "closed", sent: "not_sent" });
});
