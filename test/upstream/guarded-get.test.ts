/** A document is got from where it may be got from, once, bounded, and says nothing of what stands behind it. */
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { createAddressGuard } from "../../src/upstream/address-guard.ts";
import { getJson, MAX_DOCUMENT_BYTES } from "../../src/upstream/guarded-get.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./certificate.ts";
import { type Answer, startServer } from "./loopback-server.ts";

const LOOPBACK = ["127.0.0.1/32"];
const guardOf = (allow: readonly string[] = LOOPBACK) => createAddressGuard({ allow, resolve: () => Promise.resolve(["127.0.0.1"]) });
const signal = (): AbortSignal => new AbortController().signal;
const get = (url: string, over: Partial<Parameters<typeof getJson>[2]> = {}) => getJson(url, signal(), { guard: guardOf(), ...over });

async function startSecure(): Promise<string> {
  const server = createSecureServer({ cert: TEST_CERTIFICATE, key: TEST_KEY }, (_request, response) => response.end('{"keys":[]}'));
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return `https://server.example:${(server.address() as AddressInfo).port}/keys`;
}

describe("a document", () => {
  it("comes over TLS from a name that its certificate has", async () => {
    const url = await startSecure();
    expect(await get(url, { ca: TEST_CERTIFICATE })).toEqual({ keys: [] });
    await expect(get(url)).rejects.toThrow(/can't be reached$/);
    await expect(get(url.replace("server.example", "other.example"), { ca: TEST_CERTIFICATE })).rejects.toThrow(/can't be reached$/);
  });

  it("comes in plain text from this machine alone, where that is allowed", async () => {
    const server = await startServer((_, response) => response.end('{"a":1}'));
    expect(await get(server.url)).toEqual({ a: 1 });
    expect(server.arrived[0]).toMatchObject({ method: "GET", url: "/mcp", body: "" });
    expect(server.arrived[0]?.headers["authorization"]).toBeUndefined();
    await expect(get(server.url, { guard: guardOf([]) })).rejects.toThrow(/has an address that may not be connected to$/);
    await expect(get(`http://idp.example.com:${server.port}/`)).rejects.toThrow(/is not one with `https/);
    expect(server.arrived.length).toBe(1);
  });

  it.each([
    "ftp://127.0.0.1/x",
    "file:///etc/passwd",
    "data:application/json,{}",
    "http://user:pw@127.0.0.1/",
    "not an address",
    "http://127.0.0.1.nip.io/",
  ])("does not come from `%s`", async (url) => {
    await expect(get(url)).rejects.toThrow("an address is not one with `https://`");
  });

  it("does not come from a name that leads to an address within", async () => {
    const guard = createAddressGuard({ allow: [], resolve: () => Promise.resolve(["10.0.0.1"]) });
    await expect(getJson("https://idp.example.com/keys", signal(), { guard })).rejects.toThrow(/may not be connected to$/);
  });

  it.each<[string, RegExp, Answer]>([
    ["a redirect", /answered 302$/, (_, response) => response.writeHead(302, { location: "/elsewhere" }).end()],
    ["an error", /answered 500$/, (_, response) => response.writeHead(500).end("secret words")],
    ["nothing", /answered 204$/, (_, response) => response.writeHead(204).end()],
    ["words", /did not answer with JSON$/, (_, response) => response.end("<html>secret words</html>")],
    ["a key twice", /did not answer with JSON$/, (_, response) => response.end('{"keys":[],"keys":[]}')],
    ["no UTF-8", /did not answer with JSON$/, (_, response) => response.end(Buffer.from([0x22, 0xff, 0x22]))],
    ["an encoding", /encoding that was not asked for$/, (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end("x")],
    ["a length over the bound", /more than the bound$/, (_, response) => response.end(`"${"x".repeat(MAX_DOCUMENT_BYTES)}"`)],
    [
      "a length over the bound, piece by piece",
      /more than the bound$/,
      (_, response) => {
        const more = (): void => {
          if (!response.destroyed && response.write("x".repeat(65_536))) setImmediate(more);
          else response.once("drain", more);
        };
        more();
      },
    ],
    ["a broken connection", /can't be reached$/, (_, response) => response.destroy()],
    ["a broken body", /can't be reached$/, (_, response) => void response.write('{"a":', () => response.destroy())],
  ])("is none: %s", async (_, words, answer) => {
    const server = await startServer(answer);
    const failed = await get(server.url).catch((error: Error) => error);
    expect(failed).toBeInstanceOf(Error);
    expect((failed as Error).message).toMatch(words);
    expect((failed as Error).message).not.toContain("secret");
    expect(server.arrived.length).toBe(1);
  });

  it("is not waited for longer than it may take, silent or drop by drop", async () => {
    const silent = await startServer(() => undefined);
    await expect(get(silent.url, { timeoutMs: 200 })).rejects.toThrow(/did not answer in time$/);
    const dripping = await startServer((_, response) => {
      const timer = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(timer));
    });
    await expect(get(dripping.url, { timeoutMs: 300 })).rejects.toThrow(/did not answer in time$/);
    const abort = AbortSignal.timeout(100);
    await expect(getJson(silent.url, abort, { guard: guardOf() })).rejects.toThrow(/did not answer in time$/);
  });
});
