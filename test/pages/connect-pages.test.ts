import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createConnectPages } from "../../src/pages/connect-pages.ts";
import { type RawAnswer, sendHttp } from "../support/raw-http.ts";

const BROWSER = "b".repeat(43);

interface Seen {
  readonly begun: unknown[];
  readonly finished: unknown[];
  get(path: string, cookie?: string): Promise<RawAnswer>;
}

async function serve(baseUrl: string): Promise<Seen> {
  const begun: unknown[] = [];
  const finished: unknown[] = [];
  const desk = {
    baseUrl,
    begin: async (...asked: unknown[]) => (begun.push(asked), { url: "https://auth.example/authorize?a=b", browser: BROWSER }),
    finish: async (parameters: URLSearchParams, browser: string | undefined) => {
      finished.push([Object.fromEntries(parameters), browser]);
      return { ok: parameters.get("state") === "good", words: 'Words with <b>marks</b> & "quotes".' };
    },
  };
  const pages = createConnectPages(desk, { hosts: new Set(["gateway.example"]), endpoints: new Map() });
  const server = createServer((request, response) => {
    if (!pages(request, response)) response.writeHead(418).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => new Promise<void>((resolve) => (server.close(() => resolve()), server.closeAllConnections())));
  const { port } = server.address() as AddressInfo;
  return {
    begun,
    finished,
    get: (path, cookie) => {
      const cookies: [string, string][] = cookie === undefined ? [] : [["Cookie", cookie]];
      return sendHttp(port, { method: "GET", path, headers: [["Host", "gateway.example"], ["Connection", "close"], ...cookies] });
    },
  };
}

test("over https the cookie is this very host's, and the gateway's document is there to be read", async () => {
  const seen = await serve("https://gateway.example");
  const begun = await seen.get("/connect/mail?ticket=t");
  expect(begun.status).toBe(303);
  expect(begun.headers["location"]).toBe("https://auth.example/authorize?a=b");
  expect(begun.headers["set-cookie"]).toBe(`__Host-sallyport_connect=${BROWSER}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure`);
  expect(begun.headers["cache-control"]).toBe("no-store");
  const document = await seen.get("/oauth/client-metadata.json");
  expect(document.headers["content-type"]).toBe("application/json");
  expect(document.json()).toMatchObject({ client_id: "https://gateway.example/oauth/client-metadata.json" });
});

test("only the one cookie of the right name and form is a browser's", async () => {
  const seen = await serve("https://gateway.example");
  const name = "__Host-sallyport_connect";
  const cookies = [
    undefined,
    `sallyport_connect=${BROWSER}`,
    `${name}=short`,
    `${name}=${BROWSER}; ${name}=${"c".repeat(43)}`,
    `other=1; ${name}=${BROWSER}`,
  ];
  for (const cookie of cookies) await seen.get("/oauth/callback?state=good&code=c", cookie);
  const expected = [undefined, undefined, undefined, undefined, BROWSER];
  expect(seen.finished).toEqual(expected.map((browser) => [{ state: "good", code: "c" }, browser]));
});

test("what is told is text, whatever stands in it", async () => {
  const seen = await serve("http://127.0.0.1:8420");
  const landed = await seen.get("/oauth/callback?state=bad&error=%3Cscript%3E");
  expect(landed.status).toBe(400);
  expect(landed.text).toContain("Words with &lt;b&gt;marks&lt;/b&gt; &amp; &quot;quotes&quot;.");
  expect(landed.text).not.toContain("<script");
  expect(landed.headers["content-security-policy"]).toContain("default-src 'none'");
  expect(landed.headers["content-security-policy"]).not.toContain("unsafe");
  expect(landed.headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
  });
});

test("other paths are not these pages', and without a ticket nothing is begun", async () => {
  const seen = await serve("http://127.0.0.1:8420");
  for (const path of [
    "/",
    "/connect",
    "/connect/",
    "/connect/Mail",
    "/connect/a/b",
    `/connect/${"a".repeat(33)}`,
    "/oauth/callback/",
    "/oauth",
  ]) {
    expect((await seen.get(path)).status).toBe(418);
  }
  expect((await seen.get("/connect/mail")).status).toBe(200);
  expect((await seen.get("/connect/mail?other=1")).text).toContain("sallyport server connect mail");
  expect(seen.begun).toEqual([]);
});
