/** Results beyond what their server's entry allows are withheld whole, in words and with a code; others pass byte for byte. */
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startCallClock } from "../../src/gateway/result-caps.ts";
import { type RawGateway, startGateway } from "../support/raw-gateway.ts";
import type { HeaderList, RawAnswer } from "../support/raw-http.ts";
import { type Respond, tool } from "../support/raw-upstream.ts";

type Act = (response: ServerResponse, id: string) => void;
let act: Act | string = "{}";
const respond: Respond = (_arrived, { method }) => {
  if (method !== "tools/call" && method !== "prompts/get" && method !== "resources/read") return undefined;
  const now = act;
  return typeof now === "string" ? { result: now } : { act: (response, _socket, id) => now(response, id) };
};
const EVENTS: HeaderList = [["Accept", "application/json, text/event-stream"]];
let gateway: RawGateway;
beforeAll(async () => {
  const common = {
    policy: { version: "1", default: "allow", resources: { default: "allow" }, prompts: { default: "allow" } },
    tools: `[${tool("t")}]`,
    era: "legacy" as const,
    respond,
  };
  gateway = await startGateway({
    servers: {
      free: common,
      small: { ...common, entry: { results: { maxBytes: 1024, maxDepth: 8, types: ["text", "resource_link"] } } },
      quick: { ...common, entry: { results: { timeoutSeconds: 1 } } },
      none: { ...common, entry: { results: { types: [] } } },
    },
    grant: {
      server: undefined,
      policy: undefined,
      servers: { free: "free-policy", small: "small-policy", quick: "quick-policy", none: "none-policy" },
    },
  });
});
afterAll(() => gateway.stop());

/** The answer, and the outcome that is on record for it. */
async function ask(server: string, answer: Act | string, body?: string): Promise<{ answer: RawAnswer; outcome: Record<string, unknown> }> {
  act = answer;
  let got: RawAnswer | undefined;
  const how = { server, headers: EVENTS };
  const entries = await gateway.during(async () => {
    got = await (body === undefined ? gateway.call("t", "{}", how) : gateway.post(body, how));
  }, 2);
  const outcome = entries.find(({ kind }) => kind === "outcome");
  if (!got || !outcome) throw new Error(`no outcome among ${JSON.stringify(entries)}`);
  return { answer: got, outcome };
}
const content = (...blocks: string[]): string => `{"content":[${blocks.join(",")}]}`;
const TEXT = '{"type":"text","text":"ok"}';
const deep = (levels: number): string => `{"content":[],"x":${"[".repeat(levels)}${"]".repeat(levels)}}`;
const resultOf = (answer: RawAnswer) => answer.json().result;

describe("types of content", () => {
  test.each([
    content(TEXT),
    content(TEXT, '{"type":"resource_link","uri":"a:b","name":"n"}'),
    '{ "content" : [ {"type":"text","text":"1.0 \\u00e4"} ] , "structuredContent":{"n":1.0}, "x":1e2 }',
    "{}",
  ])("that are listed pass byte for byte: %s", async (result) => {
    const { answer, outcome } = await ask("small", result);
    expect(answer.text).toContain(`"result":${result}}`);
    expect(outcome).toMatchObject({ outcome: "ok" });
    expect(outcome["code"]).toBeNull();
  });

  test.each([
    content(TEXT, '{"type":"image","data":"aGk=","mimeType":"image/png"}'),
    content('{"type":"resource","resource":{"uri":"a:b","text":"x"}}'),
    content('{"type":"hologram"}'),
    content('{"text":"no type"}'),
    content("5"),
    content('{"type":"text","type":"image"}'),
    '{"content":{"type":"image"}}',
  ])("that are not are withheld whole: %s", async (result) => {
    const { answer, outcome } = await ask("small", result);
    expect(resultOf(answer)).toEqual({ isError: true, content: [{ type: "text", text: expect.stringContaining("content of a type") }] });
    expect(outcome).toMatchObject({ outcome: "ok", code: "content_withheld" });
  });

  test("an empty list lets none pass, an entry that says nothing all", async () => {
    expect(resultOf((await ask("none", content(TEXT))).answer).isError).toBe(true);
    expect((await ask("none", '{"content":[],"structuredContent":{}}')).outcome).toMatchObject({ code: "content_withheld" });
    const any = content('{"type":"hologram"}', '{"type":"image","data":"","mimeType":"x/y"}');
    expect((await ask("free", any)).answer.text).toContain(any);
  });

  test("a tool's own failure stays one on record", async () => {
    const failed = '{"isError":true,"content":[{"type":"image","data":"","mimeType":"x/y"}]}';
    expect((await ask("small", failed)).outcome).toMatchObject({ outcome: "tool_error", code: "content_withheld" });
  });

  test("hold for prompts and resources too", async () => {
    const prompt = '{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"p"}}';
    const read = '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"docs://a"}}';
    const image = '{"messages":[{"role":"user","content":{"type":"image","data":"","mimeType":"x/y"}}]}';
    expect((await ask("small", image, prompt)).answer.json()).toMatchObject({ error: { message: expect.stringContaining("withheld") } });
    const words = '{"messages":[{"role":"user","content":{"type":"text","text":"hi"}}]}';
    expect((await ask("small", words, prompt)).answer.text).toContain(words);
    expect((await ask("small", '{"contents":[]}', read)).outcome).toMatchObject({ code: "content_withheld" });
  });
});

describe("size and depth", () => {
  const asEvent =
    (result: string): Act =>
    (response, id) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      // The stream stays open: nobody waits for its end.
      response.write(`data: {"jsonrpc":"2.0","id":${id},"result":${result}}\n\n`);
    };
  const long = content(`{"type":"text","text":"${"x".repeat(1_100)}"}`);

  test.each([
    ["too_large", "larger", long],
    ["too_deep", "deeper", deep(9)],
  ])("beyond the cap: %s, as JSON and on a stream", async (code, word, result) => {
    for (const how of [result, asEvent(result)]) {
      const { answer, outcome } = await ask("small", how);
      const text = answer.text.startsWith("{")
        ? answer.text
        : (answer.text.split("data: ").find((part) => part.includes('"result"')) ?? "");
      expect(JSON.parse(text.split("\n")[0] as string).result).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining(word) }],
      });
      expect(outcome).toMatchObject({ outcome: "unknown", code });
    }
    expect((await ask("free", result)).answer.text).toContain(result);
  });

  test("up to the cap all is well", async () => {
    expect((await ask("small", deep(5))).outcome).toMatchObject({ outcome: "ok" });
    expect((await ask("small", content(`{"type":"text","text":"${"x".repeat(900)}"}`))).outcome).toMatchObject({ outcome: "ok" });
  });

  test("lists are not capped by them", async () => {
    gateway.upstreams["small"]!.tools = `[${tool("t")},${tool("u", `,"description":"${"x".repeat(2_000)}"`)}]`;
    const answer = await gateway.post('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', { server: "small", headers: EVENTS });
    expect(answer.json().result.tools).toHaveLength(1);
  });
});

describe("time", () => {
  test("a call that is late ends in words, and what it did is not known", async () => {
    const { answer, outcome } = await ask("quick", () => undefined);
    expect(resultOf(answer)).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("in time") }] });
    expect(outcome).toMatchObject({ outcome: "unknown", code: "answer_timeout" });
  });

  test("progress gives it more", async () => {
    const { outcome } = await ask("quick", (response, id) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      let count = 0;
      const timer = setInterval(() => {
        count++;
        if (count < 4)
          response.write(`data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":${count}}}\n\n`);
        else {
          clearInterval(timer);
          response.end(`data: {"jsonrpc":"2.0","id":${id},"result":{"content":[]}}\n\n`);
        }
      }, 400);
    });
    expect(outcome).toMatchObject({ outcome: "ok" });
  });

  test("but not for ever, and a call that has ended is left alone", () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    try {
      let late = 0;
      const clock = startCallClock(1_000, () => late++);
      for (let second = 0; second < 19; second++) {
        vi.advanceTimersByTime(500);
        clock.extend();
      }
      expect(late).toBe(0);
      vi.advanceTimersByTime(600);
      expect(late).toBe(1);
      const other = startCallClock(1_000, () => late++);
      other.stop();
      vi.advanceTimersByTime(5_000);
      expect(late).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });
});
