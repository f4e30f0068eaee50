/** A grant that is revoked: the next request, the open streams, the answer that was under way, and what is on record. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway, waitUntil } from "../support/gateway.ts";
import { type LegacyServer, startLegacyServer } from "./legacy-server.ts";
import { call, openSession, openStream, post } from "./raw-client.ts";
import { connectV1 } from "./sdk-clients.ts";

/** Within a second where the machine has time; it may have none. */
const SOON_MS = 15_000;
const tokenOf = (label: string): string => `token-of-${label}-00000000001`;
const LABELS = ["early", "streaming", "waiting", "bystander"];
let upstream: LegacyServer;
let stateless: LegacyServer;
let gateway: TestGateway;
let url: URL;

beforeAll(async () => {
  upstream = await startLegacyServer();
  stateless = await startLegacyServer({ stateless: true });
  const allow = { version: "1", default: "allow" };
  const servers = { small: "all", json: "json" };
  gateway = await startGateway({
    servers: { small: { url: upstream.url }, json: { url: stateless.url } },
    policies: { all: { server: "small", document: allow }, json: { server: "json", document: allow } },
    grants: Object.fromEntries(LABELS.map((label) => [label, { servers, token: tokenOf(label) }])),
  });
  url = gateway.addressOf("small");
});

afterAll(async () => {
  await gateway?.stop();
  await upstream?.stop();
  await stateless?.stop();
});

describe("a revoked grant", () => {
  it("is turned away at its next request, whatever it was told before", async () => {
    const { client, session } = await connectV1(url, tokenOf("early"));
    await client.callTool({ name: "echo", arguments: { text: "before" } });
    const heard = upstream.heard.length;
    await gateway.revoke("early");
    const answered = await post(url, call(1, "echo", { text: "after" }), { token: tokenOf("early"), session });
    expect(answered.status).toBe(401);
    expect(answered.headers.get("www-authenticate")).toContain("Bearer");
    expect((await fetch(url, { headers: { authorization: `Bearer ${tokenOf("early")}`, accept: "text/event-stream" } })).status).toBe(401);
    expect(upstream.heard.slice(heard).some(({ text }) => text.includes("after"))).toBe(false);
    await client.close();
  });

  it("loses its streams within a second, and the answer under way is dropped and recorded", async () => {
    const token = tokenOf("streaming");
    const session = await openSession(url, token);
    const bystanding = await openSession(url, tokenOf("bystander"));
    const listening = await openStream(url, { token, session });
    const kept = await openStream(url, { token: tokenOf("bystander"), session: bystanding });
    const stream = await openStream(url, { token, session, body: call("lost", "wait", {}, { progressToken: 1 }) });
    await waitUntil(() => stream.messages.length === 1);
    await gateway.revoke("streaming");
    const startedMs = performance.now();
    await Promise.all([listening.ended, stream.ended]);
    expect(performance.now() - startedMs).toBeLessThan(SOON_MS);
    expect(kept.isEnded).toBe(false);
    upstream.release();
    await waitUntil(async () => (await gateway.readLog()).some(({ requestId, code }) => requestId === "lost" && code === "grant_revoked"));
    expect(JSON.stringify(stream.messages)).not.toContain("waited");
    const entry = (await gateway.readLog()).find(({ requestId, kind }) => requestId === "lost" && kind === "outcome");
    expect(entry).toMatchObject({ outcome: "ok", code: "grant_revoked", decision: "allow" });
    kept.cut();
  });

  it("does not see an answer in JSON that was under way", async () => {
    const token = tokenOf("waiting");
    const heard = stateless.heard.length;
    const waiting = post(gateway.addressOf("json"), call("late", "wait"), { token });
    await waitUntil(() => stateless.heard.slice(heard).some(({ text }) => text.includes('"wait"')));
    await gateway.revoke("waiting");
    stateless.release();
    const answered = await waiting;
    expect(answered.status).toBe(401);
    expect(answered.text).not.toContain("waited");
    await waitUntil(async () => (await gateway.readLog()).some(({ requestId, code }) => requestId === "late" && code === "grant_revoked"));
  });

  it("leaves the others alone, and stands in the log", async () => {
    const session = await openSession(url, tokenOf("bystander"));
    const answered = await post(url, call(1, "echo", { text: "here" }), { token: tokenOf("bystander"), session });
    expect(answered.messages.at(-1)).toMatchObject({ result: { content: [{ text: "here" }] } });
    const log = await gateway.readLog();
    expect(log.filter(({ kind, code }) => kind === "authentication" || code === "unauthenticated").length).toBeGreaterThan(0);
    for (const label of LABELS) expect(JSON.stringify(log)).not.toContain(tokenOf(label));
  });
});
