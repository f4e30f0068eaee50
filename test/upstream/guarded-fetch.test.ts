import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { FailureError } from "../../src/kernel/failure.ts";
import { createAddressGuard } from "../../src/upstream/address-guard.ts";
import { createGuardedFetch, fetchJson, type GuardedFetch } from "../../src/upstream/guarded-fetch.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./certificate.ts";
import { type Answer, startServer } from "./loopback-server.ts";

const LOOPBACK = ["127.0.0.1/32"];

function open(
  allow: readonly string[] = LOOPBACK,
  more: { names?: Record<string, string[]>; timeoutMs?: number; maxAnswerBytes?: number; anyKind?: boolean } = {},
): GuardedFetch {
  const { names = {}, ...bounds } = more;
  const resolve = (name: string): Promise<string[]> => Promise.resolve(names[name] ?? ["203.0.113.7"]);
  return createGuardedFetch({ guard: createAddressGuard({ allow, resolve }), ca: TEST_CERTIFICATE, ...bounds });
}

const json = (response: Parameters<Answer>[1], body: unknown, status = 200, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers }).end(JSON.stringify(body));
};

async function failureOf(asking: Promise<unknown>): Promise<string> {
  const error = await asking.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FailureError);
  const [failure] = (error as FailureError).failures;
  return `${failure?.code}: ${failure?.message}`;
}

describe("a guarded fetch", () => {
  test("sends a form and gives the answer", async () => {
    const server = await startServer((_request, response) => json(response, { a: 1 }, 201));
    const answer = await open()(server.url, {
      method: "POST",
      body: new URLSearchParams({ grant: "x y" }),
      headers: { accept: "application/json" },
    });
    expect(answer.status).toBe(201);
    expect(await answer.json()).toEqual({ a: 1 });
    expect(server.arrived[0]).toMatchObject({ method: "POST", body: "grant=x+y" });
    expect(server.arrived[0]?.headers["accept-encoding"]).toBe("identity");
  });

  test.each([301, 302, 303, 307, 308])("follows no redirect (%d)", async (status) => {
    const target = await startServer((_request, response) => json(response, {}));
    const server = await startServer((_request, response) => void response.writeHead(status, { location: target.url }).end());
    expect(await failureOf(open()(server.url))).toContain("redirect");
    expect(target.arrived).toEqual([]);
  });

  test("stops at its bound of bytes, and of time", async () => {
    const large = await startServer((_request, response) => json(response, { text: "x".repeat(5000) }));
    expect(await failureOf(open(LOOPBACK, { maxAnswerBytes: 4096 })(large.url))).toContain("too large");
    const silent = await startServer(() => undefined);
    expect(await failureOf(open(LOOPBACK, { timeoutMs: 200 })(silent.url))).toContain("in time");
    const slow = await startServer((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" }).write("{");
    });
    expect(await failureOf(open(LOOPBACK, { timeoutMs: 300 })(slow.url))).toContain("in time");
  });

  test("has no use for other kinds of answers, and none for encoded ones", async () => {
    const page = await startServer((_request, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<p>hello"));
    const answer = await open()(page.url);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe("");
    const encoded = await startServer((_request, response) => json(response, {}, 200, { "content-encoding": "gzip" }));
    expect(await failureOf(open()(encoded.url))).toContain("encoded");
  });

  test("says nothing of path, query or user where it fails", async () => {
    const said = await failureOf(open()("http://127.0.0.1:1/secret-path?token=secret-query"));
    expect(said).not.toContain("secret");
    expect(await failureOf(open()("http://secret-user:secret-word@127.0.0.1:1/"))).not.toContain("secret");
  });

  test("takes http to this computer alone, and that only where it is allowed", async () => {
    const server = await startServer((_request, response) => json(response, {}));
    expect(await failureOf(open()("http://auth.example/token"))).toContain("not one of https");
    expect(await failureOf(open(["10.0.0.0/8"])("http://10.0.0.1/token"))).toContain("not one of https");
    expect(await failureOf(open([])(server.url))).toContain("address_refused");
    expect(await failureOf(open()("file:///etc/passwd"))).toContain("address_refused");
    expect(server.arrived).toEqual([]);
  });

  test.each([
    "https://169.254.169.254/latest/meta-data",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://169.254.43518/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[fd00:ec2::254]/",
    "https://127.1/",
    "https://0/",
    "https://[::1]/",
    "https://[::]/",
    "https://10.1.2.3/",
    "https://192.168.0.1./",
    "https://①②⑦.0.0.1/",
    "https://localhost/",
    "https://inside.example/",
    "https://both.example/",
    "https://metadata.example/",
  ])("connects to no private or special address, however it is spelled: %s", async (url) => {
    const names = {
      localhost: ["127.0.0.1", "::1"],
      "inside.example": ["10.0.0.7"],
      "both.example": ["203.0.113.7", "192.168.1.1"],
      "metadata.example": ["169.254.169.254"],
    };
    expect(await failureOf(open([], { names, timeoutMs: 2_000 })(url))).toContain("address_refused");
  });

  test("asks for a name's addresses again for each request, and connects to what was judged", async () => {
    const tls = createTlsServer({ cert: TEST_CERTIFICATE, key: TEST_KEY }, (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
    await new Promise<void>((resolve) => tls.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => new Promise<void>((resolve) => (tls.close(() => resolve()), tls.closeAllConnections())));
    const { port } = tls.address() as AddressInfo;
    const answers = [["127.0.0.1"], ["10.0.0.1"]];
    const guard = createAddressGuard({ allow: LOOPBACK, resolve: () => Promise.resolve(answers.shift() ?? []) });
    const fetch = createGuardedFetch({ guard, ca: TEST_CERTIFICATE });
    const first = await fetch(`https://server.example:${port}/`).catch((error: unknown) => error);
    expect(first).toBeInstanceOf(Response);
    expect(await failureOf(fetch(`https://server.example:${port}/`))).toContain("address_refused");
  });
});

describe("a document", () => {
  const get = (url: string, signal = new AbortController().signal) =>
    fetchJson(open(LOOPBACK, { anyKind: true, maxAnswerBytes: 4096, timeoutMs: 1_000 }), url, signal);

  test("is taken of whatever kind it says to be, and asked for without a credential", async () => {
    const server = await startServer((_request, response) => void response.writeHead(200, { "content-type": "text/plain" }).end('{"a":1}'));
    expect(await get(server.url)).toEqual({ a: 1 });
    expect(server.arrived[0]).toMatchObject({ method: "GET", body: "" });
    expect(server.arrived[0]?.headers["authorization"]).toBeUndefined();
  });

  test.each<[string, RegExp, Answer]>([
    ["a redirect", /redirect/, (_, response) => response.writeHead(302, { location: "/elsewhere" }).end()],
    ["an error", /answered 500$/, (_, response) => response.writeHead(500).end("secret words")],
    ["nothing", /answered 204$/, (_, response) => response.writeHead(204).end()],
    ["words", /did not answer with JSON$/, (_, response) => response.end("<html>secret words</html>")],
    ["a key twice", /did not answer with JSON$/, (_, response) => response.end('{"keys":[],"keys":[]}')],
    ["no UTF-8", /did not answer with JSON$/, (_, response) => response.end(Buffer.from([0x22, 0xff, 0x22]))],
    ["a length over the bound", /too large$/, (_, response) => response.end(`"${"x".repeat(4096)}"`)],
    ["a broken body", /or it broke$/, (_, response) => void response.write('{"a":', () => response.destroy())],
  ])("is none: %s", async (_, words, answer) => {
    const server = await startServer(answer);
    const said = await failureOf(get(`${server.url}?secret`));
    expect(said).toMatch(words);
    expect(said).not.toContain("secret");
    expect(server.arrived.length).toBe(1);
  });

  test("is not waited for longer than whoever asks wants", async () => {
    const silent = await startServer(() => undefined);
    expect(await failureOf(get(silent.url, AbortSignal.timeout(100)))).toContain("in time");
    expect(await failureOf(get(silent.url))).toContain("in time");
  });
});
