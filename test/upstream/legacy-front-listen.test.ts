/** What a legacy client hears unasked through the legacy front: one listen at the server, changed and mended without loss. */
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { HttpUpstream } from "../../src/upstream/http-upstream.ts";
import type { LegacyFrontBounds } from "../../src/upstream/legacy-front/bounds.ts";
import { createHandover } from "../../src/upstream/legacy-front/handover.ts";
import type { Listen } from "../../src/upstream/legacy-front/listen.ts";
import { createLegacyFront } from "../../src/upstream/legacy-front.ts";
import {
  type Answered,
  type Arrived,
  ask,
  createFakeModernServer,
  DISCOVERED,
  type FakeModernServer,
  openSession,
  send,
  settled,
} from "./fake-modern-server.ts";

const KEY = "io.modelcontextprotocol/subscriptionId";
const fronts: HttpUpstream[] = [];

afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});

interface Stage {
  readonly server: FakeModernServer;
  readonly front: HttpUpstream;
  readonly session: string;
  readonly listens: () => Arrived[];
  readonly open: () => Arrived[];
}

async function start(bounds: Partial<LegacyFrontBounds> = {}, discovered = DISCOVERED): Promise<Stage> {
  const server = createFakeModernServer();
  server.respond = (one) => {
    if (one.message.method === "server/discover") one.result(discovered);
  };
  const front = createLegacyFront({
    upstream: server,
    clientInfo: { name: "sallyport", version: "1" },
    paramHeadersOf: () => [],
    bounds: { listenRetryMs: 2, listenRetryMaxMs: 4, handoverMs: 5, ...bounds },
  });
  fronts.push(front);
  const listens = (): Arrived[] => server.of("subscriptions/listen");
  const open = (): Arrived[] => listens().filter(({ isCancelled }) => !isCancelled);
  return { server, front, session: await openSession(front), listens, open };
}

const listenTo = ({ front, session }: Stage): Promise<Answered> => send(front, undefined, { session, method: "GET" });
const subscribe = ({ front, session }: Stage, uri: string, method = "subscribe"): Promise<Answered> =>
  send(front, ask(uri.slice(0, 64), `resources/${method}`, { uri }), { session });

function acknowledge(listen: Arrived | undefined, honoured: object | undefined = listen?.message.params.notifications): void {
  listen?.event(
    JSON.stringify({
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: { notifications: honoured, _meta: { [KEY]: listen.message.id } },
    }),
  );
}

function say(listen: Arrived | undefined, method: string, params: object = {}): void {
  listen?.event(
    JSON.stringify({ jsonrpc: "2.0", method: `notifications/${method}`, params: { ...params, _meta: { [KEY]: listen.message.id } } }),
  );
}

const updated = (listen: Arrived | undefined, uri: string): void => say(listen, "resources/updated", { uri });
const heard = (answered: Answered): string[] =>
  answered.messages.map(({ method, params }) =>
    method === "notifications/resources/updated" ? params.uri : method.replace("notifications/", ""),
  );

describe("a client that listens", () => {
  it("hears of what the server said it tells, and nothing of the listen itself", async () => {
    const stage = await start();
    expect(stage.listens()).toHaveLength(0);
    const answered = await listenTo(stage);
    expect([answered.status, answered.isStream]).toEqual([200, true]);
    const [listen] = stage.listens();
    expect(listen?.request).toMatchObject({ stream: true, owner: "alice", headers: { "mcp-method": "subscriptions/listen" } });
    expect(listen?.message.params.notifications).toEqual({ toolsListChanged: true, resourcesListChanged: true });
    acknowledge(listen);
    expect(answered.texts).toEqual([]);
    say(listen, "tools/list_changed");
    say(listen, "resources/list_changed", { _meta: undefined });
    say(listen, "prompts/list_changed");
    say(listen, "message", { level: "error", data: "x" });
    updated(listen, "docs://never-asked-for");
    listen?.event(
      '{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"other"}}}',
    );
    listen?.event('{"jsonrpc":"2.0","id":4,"method":"roots/list"}');
    expect(answered.messages).toEqual([
      { jsonrpc: "2.0", method: "notifications/tools/list_changed", params: {} },
      { jsonrpc: "2.0", method: "notifications/resources/list_changed", params: {} },
    ]);
    answered.open?.cancel();
    expect(stage.open()).toHaveLength(0);
  });

  it("stays connected to a server that has nothing to tell, which is not asked", async () => {
    const stage = await start({}, DISCOVERED.replaceAll('"listChanged":true', '"listChanged":false'));
    const answered = await listenTo(stage);
    await settled();
    expect([answered.status, answered.isOver, stage.listens().length]).toEqual([200, false, 0]);
  });

  it("has one stream: a new one takes the place of the old", async () => {
    const stage = await start();
    const first = await listenTo(stage);
    acknowledge(stage.listens()[0]);
    const second = await listenTo(stage);
    expect(first.isEnded).toBe(true);
    say(stage.listens()[0], "tools/list_changed");
    expect([heard(first), heard(second)]).toEqual([[], ["tools/list_changed"]]);
    expect(stage.listens()).toHaveLength(1);
  });

  it("is told, when it comes back, what it may have missed", async () => {
    const stage = await start();
    const first = await listenTo(stage);
    acknowledge(stage.listens()[0]);
    first.open?.cancel();
    expect(stage.open()).toEqual([]);
    const second = await listenTo(stage);
    acknowledge(stage.listens()[1]);
    expect(heard(second)).toEqual(["tools/list_changed", "resources/list_changed"]);
  });

  it("lets its server pause, and go on", async () => {
    const stage = await start();
    const answered = await listenTo(stage);
    const [listen] = stage.listens();
    acknowledge(listen);
    answered.takesMore = false;
    say(listen, "tools/list_changed");
    expect(listen?.wantsMore).toBe(false);
    answered.open?.resume();
    expect(listen?.isResumed).toBe(1);
  });
});

describe("a subscription", () => {
  it("is in force when the server has acknowledged it, and over when it is taken back", async () => {
    const stage = await start();
    const answered = await listenTo(stage);
    acknowledge(stage.listens()[0]);
    const asked = await subscribe(stage, "docs://one");
    expect(asked.isOver).toBe(false);
    const [first, second] = stage.listens();
    expect(second?.message.params.notifications).toEqual({
      toolsListChanged: true,
      resourcesListChanged: true,
      resourceSubscriptions: ["docs://one"],
    });
    acknowledge(second);
    expect(asked.messages).toEqual([{ jsonrpc: "2.0", id: "docs://one", result: {} }]);
    updated(second, "docs://one");
    updated(second, "docs://one/part");
    updated(second, "docs://two");
    await expect.poll(() => first?.isCancelled).toBe(true);
    expect(heard(answered)).toEqual(["docs://one", "docs://one/part"]);
    expect((await subscribe(stage, "docs://one")).messages).toMatchObject([{ result: {} }]);
    expect(stage.listens()).toHaveLength(2);
    expect((await subscribe(stage, "docs://one", "unsubscribe")).messages).toMatchObject([{ result: {} }]);
    // Its last words are no longer wanted, though it still speaks.
    updated(second, "docs://one");
    expect(heard(answered)).toHaveLength(2);
    const third = stage.listens()[2];
    expect(third?.message.params.notifications).not.toHaveProperty("resourceSubscriptions");
    acknowledge(third);
    await expect.poll(() => stage.open()).toEqual([third]);
  });

  it("is kept for a client that does not listen yet, one change of each thing", async () => {
    const stage = await start();
    const asked = subscribe(stage, "docs://one");
    await settled();
    acknowledge(stage.listens()[0]);
    expect((await asked).messages).toMatchObject([{ result: {} }]);
    for (let count = 0; count < 3; count++) updated(stage.listens()[0], "docs://one");
    say(stage.listens()[0], "tools/list_changed");
    const answered = await listenTo(stage);
    expect(heard(answered)).toEqual(["docs://one", "tools/list_changed"]);
  });

  it("that is taken back before it is in force has its answer too", async () => {
    const stage = await start();
    const first = await subscribe(stage, "docs://one");
    const second = await subscribe(stage, "docs://two");
    for (const uri of ["docs://two", "docs://one"])
      expect((await subscribe(stage, uri, "unsubscribe")).messages).toMatchObject([{ result: {} }]);
    for (const asked of [first, second]) expect(asked.messages).toMatchObject([{ error: { code: -32_603 } }]);
    expect(stage.open()).toEqual([]);
    const third = await subscribe(stage, "docs://three");
    await send(stage.front, undefined, { session: stage.session, method: "DELETE" });
    expect(third.messages).toMatchObject([{ error: { code: -32_603 } }]);
  });

  it("of a client that stays away is listened to no longer, until it comes back", async () => {
    const stage = await start({ unheardMs: 20 });
    const asked = subscribe(stage, "docs://one");
    await settled();
    acknowledge(stage.listens()[0]);
    expect((await asked).messages).toMatchObject([{ result: {} }]);
    await expect.poll(() => stage.open().length).toBe(0);
    const answered = await listenTo(stage);
    expect(stage.open()[0]?.message.params.notifications.resourceSubscriptions).toEqual(["docs://one"]);
    acknowledge(stage.open()[0]);
    expect(heard(answered)).toContain("docs://one");
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(stage.open()).toHaveLength(1);
  });

  it("keeps no more than its bounds, and no more of a change than it has to", async () => {
    const stage = await start();
    const asked = subscribe(stage, "docs://");
    await settled();
    const [listen] = stage.listens();
    acknowledge(listen);
    await asked;
    for (let index = 0; index < 1030; index++) updated(listen, `docs://${index}`);
    say(listen, "resources/updated", { uri: "docs://large", more: "x".repeat(20_000) });
    updated(listen, `docs://${"y".repeat(9000)}`);
    const answered = await listenTo(stage);
    expect(heard(answered)).toHaveLength(1024);
    expect(heard(answered)[0]).toBe("docs://7");
    expect(answered.messages.at(-1)).toEqual({
      jsonrpc: "2.0",
      method: "notifications/resources/updated",
      params: { uri: "docs://large" },
    });
    answered.open?.cancel();
    for (let index = 0; index < 100; index++) updated(listen, `docs://${index}/${"z".repeat(8000)}`);
    expect(heard(await listenTo(stage)).length).toBeLessThan(33);
  });

  it("that comes with many others is asked for together", async () => {
    const stage = await start();
    const answers = ["a", "b", "c", "d"].map((name) => subscribe(stage, `docs://${name}`));
    await settled();
    expect(stage.listens()).toHaveLength(1);
    acknowledge(stage.listens()[0]);
    await settled();
    expect(stage.listens()).toHaveLength(2);
    expect(stage.listens()[1]?.message.params.notifications.resourceSubscriptions).toEqual([
      "docs://a",
      "docs://b",
      "docs://c",
      "docs://d",
    ]);
    acknowledge(stage.listens()[1]);
    for (const answer of answers) expect((await answer).messages).toMatchObject([{ result: {} }]);
  });

  it("is refused where the server does not take it, can't be asked, or there are too many", async () => {
    const stage = await start({ acknowledgeWaitMs: 50 });
    const answered = await listenTo(stage);
    acknowledge(stage.listens()[0]);
    const refused = await subscribe(stage, "docs://shut");
    acknowledge(stage.listens()[1], { toolsListChanged: true });
    expect(refused.messages).toMatchObject([{ id: "docs://shut", error: { code: -32_602 } }]);
    const silent = await subscribe(stage, "docs://silent");
    await expect.poll(() => silent.isEnded).toBe(true);
    expect(silent.messages).toMatchObject([{ error: { code: -32_603 } }]);
    expect(answered.isOver).toBe(false);
    for (const uri of ["", 7]) {
      expect((await send(stage.front, ask(3, "resources/subscribe", { uri }), { session: stage.session })).messages).toMatchObject([
        { error: { code: -32_602 } },
      ]);
    }
    const other = { ...stage, session: await openSession(stage.front) };
    stage.server.respond = (one) => acknowledge(one);
    await Promise.all(Array.from({ length: 1024 }, (_none, index) => subscribe(stage, `docs://${index}`)));
    expect((await subscribe(stage, "docs://too-many")).messages).toMatchObject([{ error: { code: -32_603 } }]);
    for (let index = 0; index < 16; index++) {
      expect((await subscribe(other, `docs://${index}/${"x".repeat(8100)}`)).messages).toMatchObject([{ result: {} }]);
    }
    expect((await subscribe(other, `docs://${"x".repeat(8100)}`)).messages).toMatchObject([{ error: { code: -32_603 } }]);
  });

  it("is unknown to a server that has none", async () => {
    const stage = await start({}, DISCOVERED.replace('"subscribe":true', '"subscribe":false'));
    for (const method of ["subscribe", "unsubscribe"]) {
      expect((await subscribe(stage, "docs://one", method)).messages).toMatchObject([{ error: { code: -32_601 } }]);
    }
  });
});

describe("a listen that ends", () => {
  const ends: [string, (listen: Arrived | undefined) => void][] = [
    ["with its connection", (listen) => listen?.fault("broken")],
    ["with its stream", (listen) => listen?.end()],
    ["in good order", (listen) => listen?.event('{"jsonrpc":"2.0","id":ID,"result":{"resultType":"complete"}}')],
    ["by the server's word", (listen) => say(listen, "cancelled", { requestId: listen?.message.id })],
  ];

  it.each(ends)("%s, is opened again, and what may have been missed is told", async (_name, end) => {
    const stage = await start();
    const answered = await listenTo(stage);
    acknowledge(stage.listens()[0]);
    const asked = subscribe(stage, "docs://one");
    await settled();
    acknowledge(stage.listens()[1]);
    await asked;
    await expect.poll(() => stage.listens()[0]?.isCancelled).toBe(true);
    end(stage.listens()[1]);
    await expect.poll(() => stage.listens().length).toBe(3);
    expect(heard(answered)).toEqual([]);
    acknowledge(stage.listens()[2]);
    expect(heard(answered).toSorted()).toEqual(["docs://one", "resources/list_changed", "tools/list_changed"]);
    expect(answered.isOver).toBe(false);
  });

  it("again and again, is opened ever more slowly, and no longer once nobody listens", async () => {
    const stage = await start({ listenRetryMs: 8, listenRetryMaxMs: 1000 });
    stage.server.respond = (one) => one.fault("connect", "not_sent");
    const startedMs = performance.now();
    const answered = await listenTo(stage);
    await expect.poll(() => stage.listens().length, { timeout: 10_000 }).toBeGreaterThan(4);
    // Four waits of at least half of 8, 16, 32 and 64, less what a timer may be early.
    expect(performance.now() - startedMs).toBeGreaterThan(50);
    answered.open?.cancel();
    const count = stage.listens().length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(stage.listens()).toHaveLength(count);
  });

  it("because the server knows none is not opened again until something else is wanted", async () => {
    const stage = await start();
    stage.server.respond = (one) => one.error(-32_601, "Method not found", undefined, 404);
    const answered = await listenTo(stage);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(stage.listens()).toHaveLength(1);
    expect(answered.isOver).toBe(false);
    expect((await subscribe(stage, "docs://one")).messages).toMatchObject([{ error: { code: -32_603 } }]);
    expect(stage.listens()).toHaveLength(2);
  });

  it("at once because it takes nothing of what is asked is not opened again either", async () => {
    const stage = await start();
    stage.server.respond = (one) => {
      acknowledge(one, {});
      one.event('{"jsonrpc":"2.0","id":ID,"result":{"resultType":"complete"}}');
    };
    await listenTo(stage);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(stage.listens()).toHaveLength(1);
  });

  it("without an acknowledgement is given up and tried again", async () => {
    const stage = await start({ acknowledgeWaitMs: 5 });
    await listenTo(stage);
    await expect.poll(() => stage.listens().length).toBeGreaterThan(2);
    expect(stage.open().length).toBeLessThanOrEqual(1);
  });
});

describe("two listens side by side", () => {
  it("tell each change once, whichever is first", async () => {
    const stage = await start({ handoverMs: 60_000 });
    const answered = await listenTo(stage);
    const asked = subscribe(stage, "docs://one");
    const [old] = stage.listens();
    acknowledge(old);
    await settled();
    const next = stage.listens()[1];
    say(old, "tools/list_changed");
    acknowledge(next);
    await asked;
    expect(heard(answered)).toEqual(["tools/list_changed"]);
    say(old, "tools/list_changed");
    say(next, "tools/list_changed");
    say(next, "resources/list_changed");
    say(old, "resources/list_changed");
    updated(next, "docs://one");
    expect(heard(answered).slice(1)).toEqual(["tools/list_changed", "resources/list_changed", "docs://one"]);
    // What only the new one has told so far is owed when the old one ends.
    say(next, "tools/list_changed");
    expect(heard(answered)).toHaveLength(4);
    old?.fault("broken");
    expect(heard(answered).slice(4)).toEqual(["tools/list_changed"]);
    say(next, "tools/list_changed");
    expect(heard(answered)).toHaveLength(6);
  });

  it("are never more than two: what the oldest still owed is told when a third comes", async () => {
    const stage = await start({ handoverMs: 60_000 });
    const answered = await listenTo(stage);
    acknowledge(stage.listens()[0]);
    await subscribe(stage, "docs://one");
    acknowledge(stage.listens()[1]);
    say(stage.listens()[1], "tools/list_changed");
    await subscribe(stage, "docs://two");
    expect(heard(answered)).toEqual([]);
    acknowledge(stage.listens()[2]);
    expect(stage.listens()[0]?.isCancelled).toBe(true);
    expect(stage.open()).toHaveLength(2);
    expect(heard(answered)).toEqual(["tools/list_changed"]);
  });

  const keys = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 });
  const turns = fc.array(fc.boolean(), { maxLength: 24 });

  /** The old listen tells `changes` up to `oldEnd`, the new one from `newStart` on, each in order, by turns. */
  function play(changes: readonly string[], order: readonly boolean[], oldEnd: number, newStart: number, end: "in time" | "cut") {
    vi.useFakeTimers();
    const filter = { lists: new Set(["a", "b", "c"]), uris: new Set<string>() };
    const side = (): Listen => ({ asked: filter, honoured: filter, cancel: () => undefined }) as unknown as Listen;
    const [old, next] = [side(), side()];
    let step = 0;
    const told: { readonly key: string; readonly step: number }[] = [];
    const firstSeen = new Map<number, number>();
    const handover = createHandover(old, next, 10, (owed) => told.push(...owed.map(({ key }) => ({ key, step }))));
    const tell = (listen: Listen, index: number): void => {
      const key = changes[index];
      if (key === undefined) return;
      step++;
      if (!firstSeen.has(index)) firstSeen.set(index, step);
      if (handover.isFirst(listen, { key, method: key, uri: undefined, bytes: Buffer.alloc(0) })) told.push({ key, step });
    };
    let [oldAt, newAt] = [0, newStart];
    for (const turn of order) {
      if (turn && oldAt < Math.min(oldEnd, changes.length)) tell(old, oldAt++);
      else tell(next, newAt++);
    }
    const isLate = newAt < oldAt;
    if (end === "cut") handover.cut();
    else vi.advanceTimersByTime(10);
    vi.useRealTimers();
    while (newAt < changes.length) tell(next, newAt++);
    return { told, firstSeen, isLate };
  }

  /** Whatever happened last was told when or after it was first known. */
  function expectNothingLost(changes: readonly string[], { told, firstSeen }: ReturnType<typeof play>): void {
    for (const key of new Set(changes)) {
      const seen = firstSeen.get(changes.lastIndexOf(key));
      if (seen !== undefined) expect(told.findLast((one) => one.key === key)?.step).toBeGreaterThanOrEqual(seen);
    }
  }

  it("lose nothing and double nothing, in whichever order they are heard", () => {
    fc.assert(
      fc.property(keys, turns, fc.nat(12), (changes, order, oldEnd) => {
        const played = play(changes, order, oldEnd, 0, "in time");
        expectNothingLost(changes, played);
        // Only a new listen that lags behind the end of the old one tells again what that one told.
        if (played.isLate) return;
        for (const key of new Set(changes)) {
          const count = played.told.filter((one) => one.key === key).length;
          expect(count).toBeLessThanOrEqual(changes.filter((change) => change === key).length);
        }
      }),
    );
  });

  it("lose nothing where the old one breaks off, though it heard of things before the new one's time", () => {
    fc.assert(
      fc.property(keys, turns, fc.nat(12), fc.nat(3), (changes, order, oldEnd, newStart) => {
        expectNothingLost(changes, play(changes, order, oldEnd, Math.min(newStart, oldEnd), "cut"));
      }),
    );
  });
});
