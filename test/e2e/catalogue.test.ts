/** The catalogue as it is served: by a gateway, from what ships and from a file of its folder, and by itself. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningApp, startApp } from "../../src/app.ts";
import { CATALOGUE_FILE } from "../../src/find-catalogue.ts";
import { createLog } from "../../src/observe/log.ts";
import { serveCatalogue } from "../../src/serve-catalogue.ts";
import { runCommand } from "../support/commands.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "sallyport-catalogue-e2e-"));
let app: RunningApp;
const said: string[] = [];

beforeAll(async () => {
  const log = createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() });
  app = await startApp({ dataDir: folder, port: 0, env: {}, log });
});
afterAll(async () => {
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

function ask(url: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: options.method ?? "GET", headers: options.headers ?? {} }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => (body += part));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asked.on("error", reject);
    asked.end(options.body);
  });
}

describe("a catalogue that is served", () => {
  it("is the one that ships, where a gateway has none of its own", async () => {
    const { status, body } = await ask(`${app.url}/catalog/index.json`);
    expect(status, said.join("")).toBe(200);
    expect((JSON.parse(body) as { servers: number }).servers).toBeGreaterThanOrEqual(40);
    const page = await ask(`${app.url}/catalog/servers/modelcontextprotocol-server-filesystem/write_file`);
    expect(page.status).toBe(200);
    expect(page.body).toContain("policy.json");
    expect((await ask(`${app.url}/attacks`)).status).toBe(200);
  });

  it("is refused to hosts and origins that are not the gateway's, and to methods and bodies that no form sends", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded" };
    expect((await ask(`${app.url}/catalog`, { headers: { host: "evil.example" } })).status).toBe(403);
    expect((await ask(`${app.url}/catalog/contact`, { method: "POST", headers: { ...form, origin: "https://evil.example" } })).status).toBe(
      403,
    );
    expect((await ask(`${app.url}/catalog`, { method: "DELETE" })).status).toBe(405);
    expect((await ask(`${app.url}/catalog/contact`, { method: "POST", headers: { "content-type": "text/plain" }, body: "x" })).status).toBe(
      415,
    );
    expect((await ask(`${app.url}/catalog/contact`, { method: "POST", headers: form, body: "x".repeat(200_000) })).status).toBe(413);
    expect((await ask(`${app.url}/catalog/search?q=${"x".repeat(5_000)}`)).status).toBe(400);
    expect((await ask(`${app.url}/catalogue`)).status).toBe(404);
    const head = await ask(`${app.url}/catalog`, { method: "HEAD" });
    expect([head.status, head.body]).toEqual([200, ""]);
  });

  it("is the folder's own from the next request on, once there is one", async () => {
    const list = path.join(folder, "mine.json");
    writeFileSync(list, JSON.stringify([{ name: "pay_invoice", description: "Pays an invoice." }]));
    const built = await runCommand(["catalog", "build", list, "--out", path.join(folder, CATALOGUE_FILE), "--json"]);
    expect([built.code, JSON.parse(built.out)]).toMatchObject([0, { servers: 1, tools: 1 }]);
    expect(JSON.parse((await ask(`${app.url}/catalog/index.json`)).body)).toMatchObject({ servers: 1, tools: 1 });
    expect((await ask(`${app.url}/catalog/servers/mine/pay_invoice`)).status).toBe(200);
  });

  it("takes a message and prints it to whoever has the folder", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded", origin: app.url };
    const sent = await ask(`${app.url}/catalog/contact`, { method: "POST", headers: form, body: "name=Ann&email=&message=Hello" });
    expect(sent.status).toBe(201);
    const { code, out } = await runCommand(["catalog", "messages", "--data", folder]);
    expect([code, JSON.parse(out)]).toMatchObject([0, { name: "Ann", message: "Hello" }]);
  });

  it("is served without a gateway too", async () => {
    const lines: string[] = [];
    const choice = {
      file: path.join(folder, CATALOGUE_FILE),
      dataDir: folder,
      host: "127.0.0.1",
      port: 0,
      say: (words: string) => void lines.push(words),
    };
    const serving = await serveCatalogue(choice);
    try {
      expect((await ask(serving.url)).status, lines.join("")).toBe(200);
      expect((await ask(new URL("/mcp/x", serving.url).href)).status).toBe(404);
    } finally {
      await serving.stop();
    }
  });

  it("says in words that a file which was named is not there", async () => {
    const lines: string[] = [];
    const choice = {
      file: path.join(folder, "none.db"),
      dataDir: folder,
      host: "127.0.0.1",
      port: 0,
      say: (words: string) => void lines.push(words),
    };
    const serving = await serveCatalogue(choice);
    try {
      expect((await ask(serving.url)).status).toBe(503);
      expect(lines.join("")).toContain("There is no such catalogue.");
    } finally {
      await serving.stop();
    }
  });
});
