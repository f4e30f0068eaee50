/** What arrives is what was sent, to the byte, and what must not arrive does not: credentials, either way. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { type HandMade, openEvents, sendJson, startHandMade } from "./hand-made-server.ts";
import { call, openSession, openStream, post } from "./raw-client.ts";

const TOKEN = "token-of-alice-0000000001";
const SECRET = "the/upstream=secret+0001";
const ODD =
  '{"name":"odd","title":"Öd\\u0064","inputSchema":{"type":"object","$comment":"kept","maximum":1.0},"x-own":[1e2,{"b":1,"a":2}],"annotations":{"readOnlyHint":true,"x":null},"_meta":{"k":12345678901234567890}}';
let upstream: HandMade;
let gateway: TestGateway;
let url: URL;
let session: string;

beforeAll(async () => {
  upstream = await startHandMade([]);
  upstream.lists.set(undefined, `{"tools":[{"name":"shut","inputSchema":{"type":"object"}},${ODD}],"nextCursor":"","x-page":1.0}`);
  upstream.lists.set("", '{"tools":[{"name":"later","inputSchema":{"type":"object"}}]}');
  gateway = await startGateway({
    servers: { made: { url: upstream.url, headers: { authorization: `Bearer ${SECRET}`, "x-team": "blue" }, meta: ["example.com/trace"] } },
    policies: { most: { server: "made", document: { version: "1", default: "allow", hide: ["shut"] } } },
    grants: { alice: { servers: { made: "most" }, token: TOKEN } },
  });
  url = gateway.addressOf("made");
  session = await openSession(url, TOKEN);
});

afterAll(async () => {
  await gateway?.stop();
  await upstream?.stop();
});

describe("what goes to the server", () => {
  it("holds the arguments as they were written", async () => {
    upstream.plays.set("odd", ({ id }, response) => sendJson(response, `{"jsonrpc":"2.0","id":${String(id)},"result":{"content":[]}}`));
    const args = '{"big":12345678901234567890,"one":1.0,"tiny":1e-7,"text":"\\u00e9\\/é","deep":{"z":1,"a":[ 1 , 2 ]},"minus":-0}';
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"odd","arguments":${args},"_meta":{"progressToken":"p","example.com/trace":"t","example.com/other":"o"}}}`;
    expect((await post(url, body, { token: TOKEN, session })).status).toBe(200);
    const sent = upstream.heard.at(-1);
    expect(sent?.text).toContain(`"arguments":${args}`);
    expect(sent?.text).toContain('"example.com/trace":"t"');
    expect(sent?.text).not.toContain("example.com/other");
  });

  it("carries the server's own credential and session, and nothing of the client's", async () => {
    const headers = {
      cookie: "who=client",
      "x-forwarded-for": "10.1.1.1",
      "proxy-authorization": "Basic eA==",
      "x-own": "client",
      "user-agent": "client/1",
    };
    await post(url, call(2, "odd"), { token: TOKEN, session, headers });
    const sent = upstream.heard.at(-1);
    expect(sent?.headers).toMatchObject({ authorization: `Bearer ${SECRET}`, "x-team": "blue", "mcp-protocol-version": "2025-11-25" });
    expect(sent?.headers["mcp-session-id"]).toMatch(/^of-the-server-\d+$/);
    for (const name of ["cookie", "x-forwarded-for", "proxy-authorization", "x-own"]) expect(sent?.headers).not.toHaveProperty(name);
    expect(JSON.stringify(sent)).not.toContain(TOKEN);
    expect(JSON.stringify(sent)).not.toContain(session);
    expect(JSON.stringify(sent)).not.toContain("client/1");
  });

  it("is one call for one call, whatever becomes of it", async () => {
    const before = upstream.heard.length;
    upstream.plays.set("later", (_asked, response) => void response.destroy());
    const answered = await post(url, call(3, "later"), { token: TOKEN, session });
    expect(answered.messages).toMatchObject([{ id: 3, result: { isError: true } }]);
    expect(upstream.heard.length - before).toBe(1);
  });
});

describe("what comes back", () => {
  it("is a list cut to the grant, page by page, each tool as it was spelled", async () => {
    const first = await post(url, { jsonrpc: "2.0", id: "p1", method: "tools/list" }, { token: TOKEN, session });
    expect(first.text).toBe(`{"jsonrpc":"2.0","id":"p1","result":{"tools":[${ODD}],"nextCursor":"","x-page":1.0}}`);
    const second = await post(url, { jsonrpc: "2.0", id: "p2", method: "tools/list", params: { cursor: "" } }, { token: TOKEN, session });
    expect(second.text).toBe('{"jsonrpc":"2.0","id":"p2","result":{"tools":[{"name":"later","inputSchema":{"type":"object"}}]}}');
  });

  it("is the result as it was written, under the client's id as it was written", async () => {
    const result =
      '{"content":[{"type":"unknown-type","x":12345678901234567890}],"structuredContent":{"n":1.0,"b":2,"a":1},"isError":false,"x-own":"\\u0041"}';
    upstream.plays.set("odd", ({ id }, response) =>
      sendJson(response, `{"x-envelope":1,"id":${String(id)},"jsonrpc":"2.0","result":${result}}`),
    );
    for (const id of ["1.0", '"\\u0061"', "9007199254740991", "-3", '""']) {
      const answered = await post(url, `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"odd"}}`, {
        token: TOKEN,
        session,
      });
      expect(answered.text).toBe(`{"jsonrpc":"2.0","id":${id},"result":${result}}`);
    }
  });

  it("is a server's error with its own code, message and data", async () => {
    const error = '{"code":4711,"message":"Out of stock","data":{"left":0.0}}';
    upstream.plays.set("odd", ({ id }, response) => sendJson(response, `{"jsonrpc":"2.0","id":${String(id)},"error":${error}}`));
    const answered = await post(url, call(4, "odd"), { token: TOKEN, session });
    expect(answered.text).toBe(`{"jsonrpc":"2.0","id":4,"error":${error}}`);
  });

  it("never holds the server's credential, in any of its spellings, on any way", async () => {
    const spellings = [SECRET, SECRET.replaceAll("/", "\\/"), encodeURIComponent(SECRET), Buffer.from(SECRET).toString("base64")];
    for (const [index, spelled] of spellings.entries()) {
      const said = `{"content":[{"type":"text","text":"it is ${spelled}, keep it"}]}`;
      upstream.plays.set("odd", ({ id }, response) => sendJson(response, `{"jsonrpc":"2.0","id":${String(id)},"result":${said}}`));
      const answered = await post(url, call(index, "odd"), { token: TOKEN, session });
      expect(answered.messages).toMatchObject([
        { id: index, result: { isError: true, content: [{ text: expect.stringContaining("withheld") }] } },
      ]);
      expect(answered.text).not.toContain(spelled);
    }
    upstream.plays.set("odd", ({ id }, response) => {
      openEvents(response);
      const told = { jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: SECRET } };
      const harmless = { ...told, params: { level: "info", data: "harmless" } };
      const error = { jsonrpc: "2.0", id, error: { code: 1, message: `no: ${SECRET}` } };
      response.end([told, harmless, error].map((message) => `data: ${JSON.stringify(message)}\n\n`).join(""));
    });
    const stream = await openStream(url, { token: TOKEN, session, body: call(9, "odd") });
    await stream.ended;
    expect(stream.messages).toMatchObject([{ params: { data: "harmless" } }, { id: 9 }]);
    expect(JSON.stringify(stream.messages)).not.toContain(SECRET);
    const log = await gateway.readLog();
    expect(log.filter(({ code }) => code === "credential_withheld")).toHaveLength(spellings.length + 1);
  });

  it("leaves no secret in the folder, in the log or on standard error", async () => {
    const files = readdirSync(gateway.dataDir, { recursive: true })
      .map((name) => path.join(gateway.dataDir, String(name)))
      // The configuration is where the secrets were written by hand.
      .filter((file) => statSync(file).isFile() && !file.endsWith("sallyport.json"));
    expect(files.length).toBeGreaterThan(1);
    for (const file of files) {
      const bytes = readFileSync(file);
      for (const secret of [TOKEN, SECRET]) expect(bytes.includes(secret), `${file} holds ${secret}`).toBe(false);
    }
    expect(gateway.said.join("")).not.toContain(SECRET);
  });
});
