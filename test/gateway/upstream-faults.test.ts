/** A server that fails, lies or leaks: the client always gets one good answer, and never an address or a credential. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type RawGateway, startGateway, TOKEN } from "../support/raw-gateway.ts";
import { OK_RESULT, type Reply, tool } from "../support/raw-upstream.ts";

const KEY = 'cred-"ab/c+d%é\\~_0123456789';
const BASIC = Buffer.from("robot:robot-password-canary").toString("base64");
const QUERY = "query-key-canary-0123";

let gateway: RawGateway;
beforeAll(async () => {
  const policy = {
    version: "1",
    default: "allow",
    tools: { paid: { limits: [{ window: "day", max: 2, count: "successes" }] } },
  };
  const tools = `[${tool("echo")},${tool("paid")}]`;
  gateway = await startGateway({
    servers: {
      alpha: {
        policy,
        tools,
        path: `/hidden-path-canary/mcp?key=${QUERY}`,
        headers: { "X-Key": KEY.replace("é", ""), Authorization: `Basic ${BASIC}` },
      },
    },
  });
  await gateway.call("echo");
});
afterAll(() => gateway.stop());
beforeEach(() => {
  gateway.upstream.forget();
  gateway.upstream.respond = () => undefined;
});

const SECRET = KEY.replace("é", "");

function answerCalls(reply: Reply): void {
  gateway.upstream.respond = (_arrived, asked) => (asked.method === "tools/call" ? reply : undefined);
}

const ADDRESS = (): RegExp =>
  new RegExp(`127\\.0\\.0\\.1|localhost|${gateway.upstream.port}|hidden-path-canary|ECONN|undici|socket|${QUERY}`, "i");

const FAULTS: readonly (readonly [string, Reply, string])[] = [
  ["resets the connection", { act: (_response, socket) => void socket.resetAndDestroy() }, "broken"],
  ["closes without a word", { act: (_response, socket) => void socket.end() }, "broken"],
  ["closes in its headers", { act: (_response, socket) => void socket.end("HTTP/1.1 200 OK\r\nContent-Ty") }, "broken"],
  [
    "closes in its body",
    {
      act: (_response, socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"json'),
    },
    "broken",
  ],
  ["speaks no HTTP", { act: (_response, socket) => void socket.end("SSH-2.0-OpenSSH_9.9\r\n") }, "broken"],
  [
    "answers an HTML 502",
    { act: (response) => void response.writeHead(502, { "content-type": "text/html" }).end("<html>upstream 127.0.0.1 is down</html>") },
    "refused",
  ],
  [
    "answers an HTML 200",
    { act: (response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>login</html>") },
    "not_mcp",
  ],
  [
    "answers 500 with JSON of its own",
    { act: (response) => void response.writeHead(500, { "content-type": "application/json" }).end('{"error":"at /srv/app on 127.0.0.1"}') },
    "",
  ],
  [
    "answers 401",
    { act: (response) => void response.writeHead(401, { "www-authenticate": 'Bearer resource_metadata="http://127.0.0.1/x"' }).end() },
    "login_required",
  ],
  ["answers 403", { act: (response) => void response.writeHead(403).end("no") }, "login_required"],
  ["answers 404", { act: (response) => void response.writeHead(404).end("no") }, "not_found"],
  ["answers 204", { act: (response) => void response.writeHead(204).end() }, "not_mcp"],
  ["answers 202", { act: (response) => void response.writeHead(202).end() }, "not_mcp"],
  ["redirects", { act: (response) => void response.writeHead(302, { location: "http://169.254.169.254/latest" }).end() }, "redirect"],
  ["redirects with 307", { act: (response) => void response.writeHead(307, { location: "/mcp" }).end() }, "redirect"],
  [
    "answers gzip that nobody asked for",
    {
      act: (response, _socket, id) =>
        void response
          .writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
          .end(gzipSync(`{"jsonrpc":"2.0","id":${id},"result":${OK_RESULT}}`)),
    },
    "encoding",
  ],
  [
    "answers something else's id",
    {
      act: (response) =>
        void response.writeHead(200, { "content-type": "application/json" }).end(`{"jsonrpc":"2.0","id":999999,"result":${OK_RESULT}}`),
    },
    "",
  ],
  [
    "answers a batch",
    {
      act: (response, _socket, id) =>
        void response.writeHead(200, { "content-type": "application/json" }).end(`[{"jsonrpc":"2.0","id":${id},"result":${OK_RESULT}}]`),
    },
    "invalid_answer",
  ],
  [
    "answers broken JSON",
    {
      act: (response, _socket, id) =>
        void response.writeHead(200, { "content-type": "application/json" }).end(`{"jsonrpc":"2.0","id":${id},"result":${OK_RESULT}`),
    },
    "invalid_answer",
  ],
  [
    "answers result and error",
    {
      act: (response, _socket, id) =>
        void response
          .writeHead(200, { "content-type": "application/json" })
          .end(`{"jsonrpc":"2.0","id":${id},"result":{},"error":{"code":1,"message":"x"}}`),
    },
    "invalid_answer",
  ],
  [
    "doubles its result",
    {
      act: (response, _socket, id) =>
        void response
          .writeHead(200, { "content-type": "application/json" })
          .end(`{"jsonrpc":"2.0","id":${id},"result":{},"result":{"content":[]}}`),
    },
    "invalid_answer",
  ],
  [
    "answers invalid UTF-8",
    {
      act: (response, _socket, id) =>
        void response
          .writeHead(200, { "content-type": "application/json" })
          .end(Buffer.concat([Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":{"a":"`), Buffer.from([0xff]), Buffer.from('"}}')])),
    },
    "invalid_answer",
  ],
  [
    "ends its events before the answer",
    { act: (response) => void response.writeHead(200, { "content-type": "text/event-stream" }).end(": nothing\n\n") },
    "no_answer",
  ],
];

describe("a server that", () => {
  test.each(FAULTS)("%s: one answer, an `isError` result without an address", async (_name, reply, code) => {
    answerCalls(reply);
    const entries = await gateway.during(async () => {
      const answer = await gateway.call("echo");
      expect(answer.status).toBe(200);
      const message = answer.headers["content-type"] === "text/event-stream" ? readEvent(answer.text) : answer.json();
      expect(message.result.isError).toBe(true);
      expect(message.result.content[0].text).toMatch(/^The /);
      expect(answer.bytes.toString("latin1")).not.toMatch(ADDRESS());
      expect(answer.headers["www-authenticate"]).toBeUndefined();
    }, 2);
    expect(gateway.upstream.calls()).toHaveLength(1);
    expect(entries.map(({ kind }) => kind)).toEqual(["intent", "outcome"]);
    expect(entries[1]).toMatchObject({ outcome: "unknown", ...(code === "" ? {} : { code }) });
    expect(entries[1]?.["exchange"]).toBe(entries[0]?.["exchange"]);
  });

  test("is not there: nothing was sent, nothing is counted, no address is told", async () => {
    const { port } = gateway.upstream;
    await gateway.upstream.stop();
    const entries = await gateway.during(async () => {
      for (let call = 0; call < 3; call++) {
        const answer = await gateway.call("paid");
        expect(answer.json().result.isError).toBe(true);
        expect(answer.text).not.toMatch(new RegExp(`${port}|127\\.0|ECONN|hidden-path|POLICY DENIED`));
      }
    }, 6);
    expect(entries.filter(({ kind }) => kind === "outcome")).toHaveLength(3);
    for (const entry of entries.filter(({ kind }) => kind === "outcome")) expect(entry).toMatchObject({ outcome: "not_sent" });
    await gateway.upstream.start();
    expect((await gateway.call("paid")).json().result.isError).toBeUndefined();
    expect((await gateway.call("paid")).json().result.isError).toBeUndefined();
    expect((await gateway.call("paid")).text).toContain("POLICY DENIED");
  });
});

// biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came.
function readEvent(text: string): any {
  const lines = text.split("\n").filter((line) => line.startsWith("data:") && line.length > 6);
  return JSON.parse((lines.at(-1) as string).slice(5));
}

const escapeAll = (text: string): string => [...text].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
const percentAll = (text: string): string => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
const base64 = (text: string): string => Buffer.from(text).toString("base64");

const ENCODINGS: readonly (readonly [string, (secret: string) => string])[] = [
  ["as it is", (secret) => JSON.stringify(secret).slice(1, -1)],
  ["inside other words", (secret) => JSON.stringify(`key=${secret}&x`).slice(1, -1)],
  ["escaped letter by letter", escapeAll],
  ["with slashes escaped", (secret) => JSON.stringify(secret).slice(1, -1).replaceAll("/", "\\/")],
  ["percent-encoded", encodeURIComponent],
  ["percent-encoded letter by letter", percentAll],
  ["in capitals of percent", (secret) => percentAll(secret).toUpperCase()],
  ["in base64", base64],
  ["in base64 behind one letter", (secret) => base64(`x${secret}`)],
  ["in base64 behind two letters", (secret) => base64(`xy${secret}zz`)],
  ["in base64 for URLs", (secret) => Buffer.from(secret).toString("base64url")],
  ["in JSON within JSON", (secret) => JSON.stringify(JSON.stringify({ secret })).slice(1, -1)],
];

describe("a credential of the server's", () => {
  const SECRETS = [
    ["a header", SECRET],
    ["basic", BASIC],
    ["the password in basic", "robot-password-canary"],
    ["the address", QUERY],
  ] as const;
  const rows = SECRETS.flatMap(([what, secret]) => ENCODINGS.map(([how, encode]) => [what, how, encode(secret)] as const));
  test.each(rows)("of %s, %s, is withheld", async (_what, _how, text) => {
    for (const reply of [
      { result: `{"content":[{"type":"text","text":"${text}"}]}` },
      { error: `{"code":-32000,"message":"${text}"}` },
    ] as const) {
      answerCalls(reply);
      const answer = await gateway.call("echo");
      expect(answer.text).not.toContain(text);
      expect(answer.json().result).toMatchObject({ isError: true });
      expect(answer.text).toContain("withheld");
    }
  });

  test("in an event, in a notification, in a list, in a member's name", async () => {
    const text = JSON.stringify(SECRET).slice(1, -1);
    const event = (id: string) =>
      `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"${text}"}}\n\ndata: {"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"${text}"}]}}\n\n`;
    answerCalls({ act: (response, _socket, id) => void response.writeHead(200, { "content-type": "text/event-stream" }).end(event(id)) });
    expect((await gateway.call("echo")).text).not.toContain(text);
    answerCalls({ result: `{"content":[],"${text}":1}` });
    expect((await gateway.call("echo")).text).not.toContain(text);
    gateway.upstream.respond = (_arrived, asked) =>
      asked.method === "prompts/list"
        ? { result: `{"resultType":"complete","prompts":[{"name":"p","description":"${text}"}]}` }
        : undefined;
    const list = await gateway.post('{"jsonrpc":"2.0","id":1,"method":"prompts/list"}');
    expect(list.text).not.toContain(text);
  });

  test("stands nowhere: not in the log, not on disk, not in what was said", async () => {
    answerCalls({ result: `{"content":[{"type":"text","text":${JSON.stringify(SECRET)}}]}` });
    const entries = await gateway.during(() => gateway.call("echo", '{"canary":"canary-argument-value"}'), 2);
    expect(entries[1]).toMatchObject({ kind: "outcome", outcome: "ok", code: "credential_withheld" });
    const kept = gateway.kept();
    for (const secret of [
      SECRET,
      JSON.stringify(SECRET).slice(1, -1),
      BASIC,
      "robot-password-canary",
      QUERY,
      TOKEN,
      "canary-argument-value",
    ]) {
      expect([secret, kept.includes(secret)]).toEqual([secret, false]);
    }
  });
});
