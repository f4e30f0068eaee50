/** Calls of several rounds through the legacy front: what the client is asked, what the server gets back, and every bad end. */
import { afterEach, describe, expect, it } from "vitest";
import type { HttpUpstream } from "../../src/upstream/http-upstream.ts";
import type { LegacyFrontBounds } from "../../src/upstream/legacy-front/bounds.ts";
import { createLegacyFront } from "../../src/upstream/legacy-front.ts";
import {
  type Answered,
  type Arrived,
  ask,
  call,
  createFakeModernServer,
  type FakeModernServer,
  notify,
  openSession,
  send,
  settled,
} from "./fake-modern-server.ts";

const ALL = { elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: {} };
const fronts: HttpUpstream[] = [];

afterEach(async () => {
  for (const front of fronts.splice(0)) await front.close();
});

interface Stage {
  readonly server: FakeModernServer;
  readonly front: HttpUpstream;
  readonly session: string;
}

async function start(capabilities: object = ALL, version?: string, bounds: Partial<LegacyFrontBounds> = {}): Promise<Stage> {
  const server = createFakeModernServer();
  const front = createLegacyFront({ upstream: server, clientInfo: { name: "sallyport", version: "1" }, paramHeadersOf: () => [], bounds });
  fronts.push(front);
  return { server, front, session: await openSession(front, capabilities, version) };
}

async function pass(
  { front, server, session }: Stage,
  body: string | object = call(2, "t"),
): Promise<{ answered: Answered; arrived: Arrived }> {
  const before = server.arrived.length;
  const answered = await send(front, body, { session });
  return { answered, arrived: server.arrived[before] as Arrived };
}

const reply = async ({ front, session }: Stage, id: unknown, result: string): Promise<number> =>
  (await send(front, `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`, { session })).status;

const ELICIT =
  '{"method":"elicitation/create","params":{"mode":"form","message":"Who?","requestedSchema":{"type":"object","properties":{}}}}';
const SAMPLE = '{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1.0}}';
const required = (requests: string, state?: string): string =>
  `{"resultType":"input_required","inputRequests":{${requests}}${state === undefined ? "" : `,"requestState":${JSON.stringify(state)}`}}`;

describe("a round", () => {
  it("asks its client and repeats the same request, under a new id, with the answers and the exact state", async () => {
    const stage = await start();
    const odd = '{ "n": 1.0, "big": 12345678901234567890 }';
    const body = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"t","arguments":${odd},"_meta":{"progressToken":5}}}`;
    const { answered, arrived } = await pass(stage, body);
    const state = 'é "quoted" \u0001 \u{1F600} ' + "x".repeat(1000);
    arrived.result(required(`"a":${ELICIT},"__proto__":${SAMPLE},"c":{"method":"roots/list"}`, state));
    expect(answered.isStream).toBe(true);
    expect(answered.texts).toHaveLength(3);
    const [first, second, third] = answered.messages;
    expect(first).toEqual({ jsonrpc: "2.0", id: first.id, ...JSON.parse(ELICIT) });
    expect(answered.texts[1]).toContain('"maxTokens":1.0');
    expect(third).toEqual({ jsonrpc: "2.0", id: third.id, method: "roots/list" });
    expect(new Set([first.id, second.id, third.id]).size).toBe(3);
    expect(await reply(stage, third.id, '{"roots":[]}')).toBe(202);
    expect(await reply(stage, first.id, '{"action":"accept","content":{"n":1.0}}')).toBe(202);
    expect(stage.server.of("tools/call")).toHaveLength(1);
    expect(await reply(stage, second.id, '{"role":"assistant","big":12345678901234567890}')).toBe(202);
    const [, again] = stage.server.of("tools/call") as [Arrived, Arrived];
    expect(again.message.id).not.toBe(arrived.message.id);
    expect(again.request.headers).toEqual(arrived.request.headers);
    expect(again.text).toContain(`"arguments":${odd}`);
    expect(again.text).toContain('"a":{"action":"accept","content":{"n":1.0}}');
    expect(again.text).toContain('"__proto__":{"role":"assistant","big":12345678901234567890}');
    expect(again.text).toContain('"c":{"roots":[]}');
    expect(again.message.params.requestState).toBe(state);
    expect(again.message.params._meta).toEqual(arrived.message.params._meta);
    again.event('{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":5,"progress":1}}');
    again.event('{"jsonrpc":"2.0","id":ID,"result":{"resultType":"complete","content":[]}}');
    expect(answered.messages.slice(3)).toMatchObject([{ method: "notifications/progress" }, { id: 2, result: { content: [] } }]);
    expect(answered.isEnded).toBe(true);
    // What was answered can't be answered again.
    expect(await reply(stage, first.id, "{}")).toBe(400);
    expect(stage.server.of("tools/call")).toHaveLength(2);
  });

  it("has no state where the server gave none, and no answers of an earlier one", async () => {
    const stage = await start();
    const { answered, arrived } = await pass(stage);
    arrived.result(required(`"a":${ELICIT}`, "one"));
    await reply(stage, answered.messages[0].id, '{"action":"decline"}');
    const second = stage.server.of("tools/call")[1] as Arrived;
    second.result(required(`"b":${ELICIT}`));
    await reply(stage, answered.messages[1].id, '{"action":"cancel"}');
    const third = stage.server.of("tools/call")[2] as Arrived;
    expect(third.message.params).toMatchObject({ inputResponses: { b: { action: "cancel" } } });
    expect(third.message.params.inputResponses).not.toHaveProperty("a");
    expect(third.message.params).not.toHaveProperty("requestState");
    third.result('{"resultType":"complete","content":[]}');
    expect(answered.messages.at(-1)).toEqual({ jsonrpc: "2.0", id: 2, result: { content: [] } });
  });

  it("that asks nothing is repeated with the state alone", async () => {
    const stage = await start(ALL, undefined, { emptyRoundWaitMs: 1 });
    const { answered, arrived } = await pass(stage);
    arrived.result('{"resultType":"input_required","requestState":"later"}');
    await expect.poll(() => stage.server.of("tools/call").length).toBe(2);
    const again = stage.server.of("tools/call")[1] as Arrived;
    expect(again.message.params.requestState).toBe("later");
    expect(again.message.params).not.toHaveProperty("inputResponses");
    again.result('{"resultType":"complete","content":[]}');
    expect(answered.messages).toEqual([{ jsonrpc: "2.0", id: 2, result: { content: [] } }]);
  });

  it.each([
    ["prompts/get", { name: "p" }],
    ["resources/read", { uri: "docs://x" }],
  ])("comes for %s too", async (method, params) => {
    const stage = await start();
    const { answered, arrived } = await pass(stage, ask(2, method, params));
    arrived.result(required(`"a":${ELICIT}`));
    await reply(stage, answered.messages[0].id, '{"action":"accept","content":{}}');
    const again = stage.server.of(method)[1] as Arrived;
    expect(again.message.params).toMatchObject({ ...params, inputResponses: { a: { action: "accept" } } });
    again.error(-32_603, "broken");
    expect(answered.messages.at(-1)).toMatchObject({ id: 2, error: { code: -32_603 } });
  });

  it("speaks the client's revision: no word for the mode before there were two", async () => {
    const stage = await start(ALL, "2025-06-18");
    const { answered, arrived } = await pass(stage);
    arrived.result(required(`"a":${ELICIT}`));
    expect(answered.messages[0].params).toEqual({ message: "Who?", requestedSchema: { type: "object", properties: {} } });
  });

  it("opens a page under an id that was made up, where the revision has pages", async () => {
    const url = '{"method":"elicitation/create","params":{"mode":"url","message":"Sign","url":"https://example.com/"}}';
    const stage = await start();
    const one = await pass(stage);
    one.arrived.result(required(`"a":${url}`));
    expect(one.answered.messages[0].params).toEqual({
      mode: "url",
      message: "Sign",
      url: "https://example.com/",
      elicitationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    const older = await pass(await start(ALL, "2025-06-18"));
    older.arrived.result(required(`"a":${url}`));
    expect(older.answered.messages).toMatchObject([
      { id: 2, result: { isError: true, content: [{ text: expect.stringContaining("URL") }] } },
    ]);
  });

  it("can be answered by its own session alone", async () => {
    const stage = await start();
    const { answered, arrived } = await pass(stage);
    arrived.result(required(`"a":${ELICIT}`));
    const { id } = answered.messages[0];
    const other = { ...stage, session: await openSession(stage.front, ALL) };
    expect(await reply(other, id, '{"action":"accept"}')).toBe(400);
    expect(await reply({ ...stage, session: "none" }, id, '{"action":"accept"}')).toBe(404);
    const stolen = await send(stage.front, { jsonrpc: "2.0", id, result: {} }, { session: stage.session, owner: "bob" });
    expect(stolen.status).toBe(404);
    expect(stage.server.of("tools/call")).toHaveLength(1);
  });
});

describe("a round that comes to nothing", () => {
  const failed = (words: string): object => ({
    id: 2,
    result: { isError: true, content: [{ type: "text", text: expect.stringContaining(words) }] },
  });

  it.each([
    ["elicitation", ELICIT, {}],
    ["elicitation", ELICIT, { elicitation: { url: {} }, roots: {} }],
    ["sampling", SAMPLE, { roots: {} }],
    ["roots", '{"method":"roots/list"}', { sampling: {} }],
    ["sampling with tools", '{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1,"tools":[]}}', { sampling: {} }],
    [
      "elicitation of a URL",
      '{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://e"}}',
      { elicitation: {} },
    ],
  ])("because the client never offered %s", async (words, question, capabilities) => {
    const stage = await start(capabilities);
    const call_ = await pass(stage);
    call_.arrived.result(required(`"a":${question}`));
    expect(call_.answered.messages).toMatchObject([failed(words)]);
    const read = await pass(stage, ask(3, "resources/read", { uri: "docs://x" }));
    read.arrived.result(required(`"a":${question}`));
    expect(read.answered.messages).toMatchObject([{ id: 3, error: { code: -32_603, message: expect.stringContaining(words) } }]);
    expect(stage.server.of("tools/call")).toHaveLength(1);
  });

  it("because the client answers with an error; what else it was asked is taken back", async () => {
    const stage = await start();
    const { answered, arrived } = await pass(stage);
    arrived.result(required(`"a":${ELICIT},"b":${SAMPLE}`));
    const [first, second] = answered.messages;
    const error = { code: -1, message: `The person is away ${"!".repeat(1000)}` };
    expect((await send(stage.front, { jsonrpc: "2.0", id: first.id, error }, { session: stage.session })).status).toBe(202);
    expect(answered.messages.slice(2)).toMatchObject([
      { method: "notifications/cancelled", params: { requestId: second.id } },
      failed("The person is away"),
    ]);
    expect(answered.texts.at(-1)?.length).toBeLessThan(500);
    expect(await reply(stage, second.id, "{}")).toBe(400);
    expect(stage.server.of("tools/call")).toHaveLength(1);
  });

  it("because the client does not answer in time", async () => {
    const stage = await start(ALL, undefined, { answerWaitMs: 5 });
    const { answered, arrived } = await pass(stage);
    arrived.result(required(`"a":${ELICIT}`));
    await expect.poll(() => answered.isEnded).toBe(true);
    expect(answered.messages.slice(1)).toMatchObject([{ method: "notifications/cancelled" }, failed("in time")]);
  });

  it("because the client takes its request back, or ends the session", async () => {
    const stage = await start();
    const one = await pass(stage);
    one.arrived.result(required(`"a":${ELICIT}`));
    await send(stage.front, notify("notifications/cancelled", { requestId: 2 }), { session: stage.session });
    expect(one.answered.messages.at(-1)).toEqual(notify("notifications/cancelled", { requestId: one.answered.messages[0].id }));
    expect(one.answered.fault).toMatchObject({ reason: "cancelled", sent: "unknown" });
    const two = await pass(stage, call(3, "t"));
    two.arrived.result(required(`"a":${ELICIT}`));
    await send(stage.front, undefined, { session: stage.session, method: "DELETE" });
    expect(two.answered.fault).toMatchObject({ reason: "cancelled", sent: "unknown" });
    expect(stage.server.of("tools/call")).toHaveLength(2);
  });

  it("because the server asks for ever", async () => {
    const stage = await start(ALL, undefined, { rounds: 4, emptyRoundWaitMs: 1 });
    const { answered, arrived } = await pass(stage);
    stage.server.respond = (one) => one.result(required(`"a":${ELICIT}`, "more"));
    arrived.result(required(`"a":${ELICIT}`, "more"));
    let seen = 0;
    while (!answered.isOver) {
      const question = answered.messages.at(-1);
      await reply(stage, question.id, '{"action":"accept","content":{}}');
      await settled();
      if (++seen > 20) break;
    }
    expect(answered.messages.at(-1)).toMatchObject(failed("more often"));
    expect(stage.server.of("tools/call")).toHaveLength(4);
    stage.server.respond = undefined;
    const empty = await pass(stage, call(3, "t"));
    stage.server.respond = (one) => one.result('{"resultType":"input_required","requestState":"more"}');
    empty.arrived.result('{"resultType":"input_required","requestState":"more"}');
    await expect.poll(() => empty.answered.isEnded).toBe(true);
    expect(empty.answered.messages).toMatchObject([{ id: 3, result: { isError: true } }]);
    expect(stage.server.of("tools/call").length).toBeLessThanOrEqual(8);
  });

  it("because too many questions wait for the client", async () => {
    const stage = await start(ALL, undefined, { asksPerSession: 1 });
    const one = await pass(stage);
    one.arrived.result(required(`"a":${ELICIT}`));
    const two = await pass(stage, call(3, "t"));
    two.arrived.result(required(`"a":${ELICIT}`));
    expect(two.answered.messages).toMatchObject([{ id: 3, result: { isError: true } }]);
    expect(one.answered.isOver).toBe(false);
  });

  it("because a later sending did not leave: what the first one did is not known", async () => {
    const stage = await start();
    const { answered, arrived } = await pass(stage);
    arrived.result(required(`"a":${ELICIT}`));
    stage.server.respond = (one) => one.fault("connect", "not_sent");
    await reply(stage, answered.messages[0].id, '{"action":"accept"}');
    await settled();
    expect(answered.fault).toMatchObject({ reason: "connect", sent: "unknown" });
    const other = await pass(stage, call(3, "t"));
    await settled();
    expect(other.answered.fault).toMatchObject({ reason: "connect", sent: "not_sent" });
  });

  const many = Array.from({ length: 40 }, (_none, index) => `"k${index}":{"method":"roots/list"}`).join(",");
  it.each([
    ["nothing at all", '{"resultType":"input_required"}'],
    ["an empty map and no state", required("")],
    ["a state that is no text", '{"resultType":"input_required","requestState":{"a":1}}'],
    ["requests that are no map", '{"resultType":"input_required","inputRequests":[]}'],
    ["a request that is none", required('"a":1')],
    ["an unknown request", required('"a":{"method":"tools/call","params":{}}')],
    ["params that are none", required('"a":{"method":"elicitation/create","params":[]}')],
    ["no params", required('"a":{"method":"sampling/createMessage"}')],
    ["a key twice", required(`"a":${ELICIT},"a":${ELICIT}`)],
    ["more questions than a round has", required(many)],
    ["a huge state", required(`"a":${ELICIT}`, "x".repeat(1024 * 1024 + 1))],
    ["a huge question", required(`"a":{"method":"sampling/createMessage","params":{"x":"${"y".repeat(4 * 1024 * 1024)}"}}`)],
  ])("because the server says %s", async (_name, result) => {
    const stage = await start();
    const { answered, arrived } = await pass(stage);
    arrived.result(result);
    expect(answered.fault).toMatchObject({ reason: "invalid_answer", sent: "unknown" });
    expect(answered.texts).toEqual([]);
    expect(stage.server.of("tools/call")).toHaveLength(1);
  });

  it("because its method has no rounds", async () => {
    const stage = await start();
    const { answered, arrived } = await pass(stage, ask(2, "tools/list"));
    arrived.result(required(`"a":${ELICIT}`));
    expect(answered.fault).toMatchObject({ reason: "invalid_answer" });
  });

  it("leaves nothing behind: the session goes on", async () => {
    const stage = await start();
    const bad = await pass(stage);
    bad.arrived.result('{"resultType":"input_required"}');
    const good = await pass(stage);
    good.arrived.result('{"resultType":"complete","content":[]}');
    expect(good.answered.messages).toEqual([{ jsonrpc: "2.0", id: 2, result: { content: [] } }]);
  });
});
