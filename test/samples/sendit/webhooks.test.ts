/** A webhook's URL is looked at, pinned and pinged; a real receiver checks the signature by the scheme's own words. */
import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { type Address, resolveHost } from "../../../samples/sendit/addresses.ts";
import type { WebhookConnector } from "../../../samples/sendit/connectors.ts";
import { type Outgoing, type Sent, send } from "../../../samples/sendit/outgoing.ts";
import { createWebhooks, maskUrl, signMessage } from "../../../samples/sendit/webhooks.ts";
import { listen, type Received, startReceiver } from "./support.ts";

const SECRET = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;
const NOW_MS = Date.UTC(2026, 10, 1);
const any: WebhookConnector = { kind: "webhook", id: "webhook", name: "Any webhook", textField: undefined };
const slack: WebhookConnector = { kind: "webhook", id: "slack", name: "Slack", textField: "text" };

function createChecks(addresses: readonly Address[] | Error, allowLoopback = false, answer: Sent = { ok: true, status: 204, text: "" }) {
  const sent: Outgoing[] = [];
  const webhooks = createWebhooks({
    secret: SECRET,
    allowLoopback,
    now: () => NOW_MS,
    resolve: async () => {
      if (addresses instanceof Error) throw addresses;
      return addresses;
    },
    send: async (outgoing) => {
      sent.push(outgoing);
      return answer;
    },
  });
  return { sent, check: (url: string, connector = any) => webhooks.check(connector, url) };
}

const PUBLIC: Address = { address: "93.184.215.14", family: 4 };
const PUBLIC_6: Address = { address: "2606:4700::1111", family: 6 };
const PRIVATE: Address = { address: "10.0.0.1", family: 4 };
const LOCAL: Address = { address: "127.0.0.1", family: 4 };

test("the ping goes to the address that was looked at", async () => {
  const { check, sent } = createChecks([PUBLIC_6, PUBLIC]);
  expect(await check("https://hooks.example/a?b=c")).toBeUndefined();
  expect(sent).toHaveLength(1);
  expect(sent[0]).toMatchObject({ method: "POST", address: PUBLIC, read: false });
  expect(JSON.parse(sent[0]?.body ?? "")).toMatchObject({ type: "webhook.ping", timestamp: "2026-11-01T00:00:00.000Z" });
});

test("a service that wants a message gets one", async () => {
  const { check, sent } = createChecks([PUBLIC]);
  await check("https://hooks.example/a", slack);
  expect(JSON.parse(sent[0]?.body ?? "")).toEqual({ text: "This webhook is now connected as Slack." });
});

test.each([
  ["http", "http://hooks.example/", [PUBLIC], /https/],
  ["another scheme", "ftp://hooks.example/", [PUBLIC], /https/],
  ["no URL", "hooks.example", [PUBLIC], /not a URL/],
  ["a long URL", `https://hooks.example/${"x".repeat(2048)}`, [PUBLIC], /not a URL/],
  ["a password", "https://u:p@hooks.example/", [PUBLIC], /password/],
  ["a private address", "https://10.0.0.1/", [], /private or special/],
  ["a private address in disguise", "https://0x0a000001/", [], /private or special/],
  ["a private IPv6 address", "https://[fd00::1]/", [], /private or special/],
  ["a mapped address", "https://[::ffff:127.0.0.1]/", [], /private or special/],
  ["the metadata of a cloud", "https://169.254.169.254/latest", [], /private or special/],
  ["a name with a private address", "https://hooks.example/", [PRIVATE], /private or special/],
  ["a name with one private address", "https://hooks.example/", [PUBLIC, PRIVATE], /private or special/],
  ["this machine, not switched on", "https://hooks.example/", [LOCAL], /private or special/],
  ["a name without an address", "https://hooks.example/", [], /no address/],
  ["a name that is unknown", "https://hooks.example/", Object.assign(new Error("x"), { code: "ENOTFOUND" }), /no such host/],
])("%s is refused, and nothing is sent", async (_what, url, addresses, reason) => {
  const { check, sent } = createChecks(addresses);
  const said = await check(url);
  expect(said).toMatch(reason);
  expect(said).not.toContain("hooks.example");
  expect(sent).toEqual([]);
});

test("http is for this machine alone, where it is switched on", async () => {
  expect(await createChecks([LOCAL], true).check("http://localhost/")).toBeUndefined();
  expect(await createChecks([PUBLIC], true).check("http://hooks.example/")).toMatch(/http beyond this machine/);
  expect(await createChecks([PRIVATE], true).check("https://hooks.example/")).toMatch(/private or special/);
});

test.each([
  [{ ok: true, status: 404, text: "" }, /404; 2xx is needed/],
  [{ ok: true, status: 302, text: "" }, /redirects are not followed/],
  [{ ok: false, reason: "there was no answer in time" }, /no answer in time/],
] as const)("the answer %j does not register", async (answer, reason) => {
  expect(await createChecks([PUBLIC], false, answer).check("https://hooks.example/")).toMatch(reason);
});

test("a mask shows the host alone", () => {
  expect(maskUrl("https://hooks.example:8443/services/T0/B0/token?key=1")).toBe("hooks.example:8443/…");
});

test("the signature is the scheme's own example", () => {
  const headers = signMessage("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}');
  expect(headers["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
});

function verify({ headers, body }: Received): boolean {
  const signed = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
  const expected = createHmac("sha256", Buffer.from(SECRET.slice(6), "base64"))
    .update(signed)
    .digest("base64");
  return String(headers["webhook-signature"]).split(" ").includes(`v1,${expected}`);
}

const onLoopback = () => createWebhooks({ secret: SECRET, allowLoopback: true, now: () => NOW_MS, resolve: resolveHost, send });

test("a receiver can verify the ping", async () => {
  const { origin, received } = await startReceiver(200);
  expect(await onLoopback().check(any, `${origin}/hook/secret-path`)).toBeUndefined();
  expect(received).toMatchObject([{ method: "POST", url: "/hook/secret-path" }]);
  const [ping] = received as [Received];
  expect(verify(ping)).toBe(true);
  expect(verify({ ...ping, body: `${ping.body} ` })).toBe(false);
  expect(ping.headers["webhook-timestamp"]).toBe(String(NOW_MS / 1000));
});

test("a redirect is not followed", async () => {
  const target = await startReceiver(200);
  const { origin } = await startReceiver(307, { location: target.origin });
  expect(await onLoopback().check(any, origin)).toMatch(/307; redirects/);
  expect(target.received).toEqual([]);
});

test("what does not answer, or not as it should, is said at once", async () => {
  const closed = await listen((request) => void request.socket.destroy());
  expect(await onLoopback().check(any, closed)).toMatch(/closed without an answer/);
  expect(await onLoopback().check(any, "http://127.0.0.1:9/")).toMatch(/refused/);
  expect(await onLoopback().check(any, closed.replace("http:", "https:"))).toMatch(/closed without an answer|TLS/);
});

test("the pinned address is the one that is connected to, whatever the name says elsewhere", async () => {
  const { origin, received } = await startReceiver(204);
  const url = new URL(origin.replace("127.0.0.1", "name.invalid"));
  const sent = await send({ url, method: "POST", headers: {}, address: LOCAL, timeoutMs: 2000, read: false });
  expect(sent).toMatchObject({ ok: true, status: 204 });
  expect(received[0]?.headers.host).toBe(url.host);
});

test("an answer has a time limit and a length", async () => {
  const silent = await listen(() => undefined);
  const late = await send({ url: new URL(silent), method: "GET", headers: {}, timeoutMs: 60, read: true });
  expect(late).toEqual({ ok: false, reason: "there was no answer in time" });
  const trickle = await listen((_, response) => void response.writeHead(200).write("x"));
  const cut = await send({ url: new URL(trickle), method: "GET", headers: {}, timeoutMs: 60, read: true });
  expect(cut).toEqual({ ok: false, reason: "there was no answer in time" });
  const long = await listen((_, response) => void response.end("x".repeat(70_000)));
  const much = await send({ url: new URL(long), method: "GET", headers: {}, timeoutMs: 2000, read: true });
  expect(much).toEqual({ ok: false, reason: "the answer was longer than 64 KiB" });
});
