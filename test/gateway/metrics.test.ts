/** What `/metrics` tells, to whom, and that its page names every metric and no other. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startApp } from "../../src/app.ts";
import { createLog } from "../../src/observe/log.ts";
import { waitUntil } from "../support/gateway.ts";
import { type RawGateway, startGateway } from "../support/raw-gateway.ts";
import { type HeaderList, type RawAnswer, sendHttp } from "../support/raw-http.ts";
import { tool } from "../support/raw-upstream.ts";

const ADMIN = "the-admin-token-of-this-test";
let gateway: RawGateway;
beforeAll(async () => {
  const policy = { version: "1", default: "deny", tools: { good: {}, twice: { limits: [{ window: "hour", max: 1 }] } } };
  gateway = await startGateway({ servers: { alpha: { policy, tools: `[${tool("good")},${tool("twice")},${tool("secret-tool")}]` } } });
  await gateway.call("good");
});
afterAll(() => gateway.stop());

const ask = (port: number, headers: HeaderList = [], method = "GET", host = "localhost"): Promise<RawAnswer> =>
  sendHttp(port, { method, path: "/metrics", headers: [["Host", host], ["Connection", "close"], ...headers], body: "" });
const page = async (): Promise<string> => (await ask(gateway.port)).text;
const lines = (text: string, name: string): string[] =>
  text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));

describe("the page", () => {
  test("counts decisions, outcomes and failures by server and code", async () => {
    await gateway.call("twice");
    await gateway.call("twice");
    await gateway.call("secret-tool");
    await gateway.post("{", {});
    await gateway.call("good", "{}", { token: "no-such-token-anywhere" });
    await waitUntil(async () => (await page()).includes('outcome="ok"'));
    const text = await page();
    const exchanges = lines(text, "sallyport_exchanges_total");
    expect(exchanges).toContain('sallyport_exchanges_total{server="alpha",kind="tool_call",decision="allow",code=""} 2');
    expect(exchanges).toContain('sallyport_exchanges_total{server="alpha",kind="tool_call",decision="deny",code="limit_exceeded"} 1');
    expect(exchanges).toContain('sallyport_exchanges_total{server="alpha",kind="tool_call",decision="deny",code="not_allowed"} 1');
    expect(lines(text, "sallyport_outcomes_total")).toEqual(['sallyport_outcomes_total{server="alpha",outcome="ok",code=""} 2']);
    expect(lines(text, "sallyport_refused_total")).toHaveLength(1);
    expect(lines(text, "sallyport_authentication_failures_total")).toEqual([
      'sallyport_authentication_failures_total{reason="unknown_token"} 1',
    ]);
    expect(lines(text, "sallyport_upstream_seconds_count")).toEqual(['sallyport_upstream_seconds_count{server="alpha"} 2']);
    expect(lines(text, "sallyport_tools")).toContain('sallyport_tools{server="alpha",state="accepted"} 3');
    expect(lines(text, "sallyport_requests_in_flight")).toEqual(["sallyport_requests_in_flight 0"]);
    const value = (name: string): number => Number(lines(text, name)[0]?.split(" ")[1]);
    expect(value("sallyport_audit_entries")).toBeGreaterThanOrEqual(7);
    expect(value("sallyport_store_writes_total")).toBeGreaterThanOrEqual(value("sallyport_store_groups_total"));
    expect(value("sallyport_process_resident_bytes")).toBeGreaterThan(10_000_000);
  });

  test("tells quarantined tools", async () => {
    gateway.upstream.tools = `[${tool("good", ',"description":"other"')},${tool("added")}]`;
    // A look comes at most once a second.
    await waitUntil(async () => {
      await gateway.post('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
      return lines(await page(), "sallyport_tools").includes('sallyport_tools{server="alpha",state="changed"} 1');
    });
    const states = lines(await page(), "sallyport_tools");
    for (const [state, count] of [
      ["changed", 1],
      ["new", 1],
      ["missing", 2],
      ["accepted", 0],
    ]) {
      expect(states).toContain(`sallyport_tools{server="alpha",state="${state}"} ${count}`);
    }
  });

  test("names no grant, person, tool or token", async () => {
    const text = await page();
    for (const word of ["first", "example.com", "good", "secret-tool", "twice", "the-token-of"]) expect(text).not.toContain(word);
  });

  test("is read by the rules of the format: one HELP and TYPE for each, buckets that rise", async () => {
    const text = await page();
    const helped = [...text.matchAll(/^# HELP (\S+) /gm)].map(([, name]) => name);
    expect(new Set(helped).size).toBe(helped.length);
    expect(helped).toEqual([...text.matchAll(/^# TYPE (\S+) (?:counter|gauge|histogram)$/gm)].map(([, name]) => name));
    for (const line of text.split("\n")) expect(line).toMatch(/^(?:# (?:HELP|TYPE) .*|[a-z_]+(?:\{[^{}]*\})? -?[\d.e+-]+|)$/);
    const buckets = lines(text, "sallyport_upstream_seconds_bucket").map((line) => Number(line.split(" ").at(-1)));
    expect(buckets).toHaveLength(16);
    expect(buckets).toEqual([...buckets].sort((left, right) => left - right));
    expect(lines(text, "sallyport_upstream_seconds_bucket").at(-1)).toContain('le="+Inf"');
  });

  test("and its page in the docs name the same, with types and labels", async () => {
    const docs = readFileSync(path.resolve(import.meta.dirname, "../../docs/metrics.md"), "utf8");
    const rows = [...docs.matchAll(/^\| `(sallyport_\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`);
    const told = [...(await page()).matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    expect(rows).toEqual(told);
  });
});

describe("the door", () => {
  test("is for this machine, by a name of the gateway's", async () => {
    for (const host of ["elsewhere.example", "localhost.elsewhere.example:80", ""])
      expect((await ask(gateway.port, [], "GET", host)).status).toBe(401);
    expect((await ask(gateway.port)).status).toBe(200);
    expect((await ask(gateway.port, [], "HEAD")).status).toBe(200);
    expect((await ask(gateway.port, [], "POST")).status).toBe(405);
  });

  test.each(["Forwarded", "Via", "X-Forwarded-For", "X-Real-IP", "Origin"])(
    "is closed to what comes through something else: %s",
    async (header) => {
      const answer = await ask(gateway.port, [[header, "127.0.0.1"]]);
      expect(answer.status).toBe(401);
      expect(answer.text).not.toContain("sallyport_");
    },
  );

  test("opens to the admin's token alone, where there is one", async () => {
    const log = createLog({ form: "words", write: () => undefined, now: () => Date.now() });
    const app = await startApp({
      dataDir: path.join(gateway.dir, "other"),
      host: "127.0.0.1",
      port: 0,
      env: { SALLYPORT_ADMIN_TOKEN: ADMIN },
      log,
    });
    const port = Number(new URL(app.url).port);
    const from = (bearer: string): HeaderList => [
      ["X-Forwarded-For", "203.0.113.7"],
      ["Authorization", `Bearer ${bearer}`],
    ];
    try {
      expect((await ask(port, from(ADMIN))).status).toBe(200);
      for (const wrong of [`${ADMIN}x`, ADMIN.slice(0, -1), ADMIN.toUpperCase(), "undefined"])
        expect((await ask(port, from(wrong))).status).toBe(401);
      expect((await ask(port, from(ADMIN))).text).not.toContain(ADMIN);
      expect((await ask(port, from(ADMIN), "GET", "elsewhere.example")).status).toBe(200);
    } finally {
      await app.stop();
    }
    const short = startApp({ dataDir: path.join(gateway.dir, "short"), port: 0, env: { SALLYPORT_ADMIN_TOKEN: "short" }, log });
    await expect(short).rejects.toThrow(/at least 16 characters; it has 5/);
  });
});
