/** The sample as a process: what it keeps, what it never shows, and when it ends. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { start } from "../../../samples/sendit/run.ts";
import { makeFolder, readFolder, startHere, startReceiver, startSample } from "./support.ts";

const API_KEY = "secret-key-123456";

test("31 keys in a row are all taken, as one connection", async () => {
  const sample = await startHere(makeFolder());
  const ids = new Set<string>();
  for (let n = 0; n < 31; n++) {
    const { isError, structuredContent } = await sample.call("connect_connector", { connector: "notion", apiKey: API_KEY });
    expect(isError).toBeUndefined();
    ids.add(structuredContent.connection.id);
  }
  expect(ids.size).toBe(1);
  const another = await sample.call("connect_connector", { connector: "notion", apiKey: "another-key-654321" });
  expect(ids.has(another.structuredContent.connection.id)).toBe(false);
});

test("keys and webhooks stand nowhere in clear, survive a restart, and are gone when disconnected", async () => {
  const dir = makeFolder();
  const { origin, received } = await startReceiver(204);
  const webhookUrl = `${origin}/services/T0000/very-secret-path?token=abcdef`;
  const env = { SENDIT_ALLOW_LOOPBACK: "1" };
  const first = await startSample(dir, env);
  const said = [
    await first.call("connect_connector", { connector: "notion", apiKey: API_KEY }),
    await first.call("connect_connector", { connector: "webhook", webhookUrl }),
    await first.call("list_connectors", {}),
    await first.call("list_connected_connectors", {}),
  ];
  expect(received).toHaveLength(1);
  expect(said.map(({ isError }) => isError)).toEqual([undefined, undefined, undefined, undefined]);
  for (const text of [JSON.stringify(said), readFolder(dir)]) {
    for (const secret of [API_KEY, "very-secret-path", "abcdef", Buffer.from(API_KEY).toString("base64")])
      expect(text).not.toContain(secret);
  }
  const host = new URL(origin).host;
  const held = said[3]?.structuredContent.connections;
  expect(held).toMatchObject([
    { connector: "notion", kind: "api_key", status: "connected", credential: "****3456" },
    { connector: "webhook", kind: "webhook", status: "connected", credential: `${host}/…` },
  ]);
  for (const name of ["connections.json", "webhook-secret"]) expect(statSync(path.join(dir, name)).mode & 0o777).toBe(0o600);
  await first.stop();

  const second = await startSample(dir, env);
  expect((await second.call("list_connected_connectors", {})).structuredContent.connections).toEqual(held);
  const sealed: string[] = JSON.parse(readFileSync(path.join(dir, "connections.json"), "utf8")).connections.map(
    (row: { sealed: string }) => row.sealed,
  );
  for (const connector of ["notion", "webhook"]) await second.call("disconnect_connector", { connector });
  expect(sealed).toHaveLength(2);
  for (const text of sealed) expect(readFolder(dir)).not.toContain(text);
  expect((await second.call("list_connected_connectors", {})).structuredContent.connections).toEqual([]);
  const nothing = await second.call("disconnect_connector", { connector: "notion" });
  expect(nothing.structuredContent).toMatchObject({ removed: 0, message: "Nothing was connected." });
});

test("what a caller gets wrong is answered in words that repeat nothing", async () => {
  const sample = await startHere(makeFolder());
  const url = "https://hooks.example/secret-path-123456";
  const wrong: [string, object, RegExp][] = [
    ["connect_connector", {}, /needs `connector`/],
    ["connect_connector", { connector: API_KEY }, /no such connector\. There are: notion/],
    ["connect_connector", { connector: "notion" }, /takes an `apiKey`/],
    ["connect_connector", { connector: "notion", webhookUrl: url }, /takes an `apiKey`/],
    ["connect_connector", { connector: "notion", apiKey: API_KEY, webhookUrl: url }, /no `webhookUrl`/],
    ["connect_connector", { connector: "notion", apiKey: "short" }, /8 to 512/],
    ["connect_connector", { connector: "notion", apiKey: "x".repeat(513) }, /8 to 512/],
    ["connect_connector", { connector: "notion", apiKey: `${API_KEY}\n` }, /without blanks/],
    ["connect_connector", { connector: "notion", apiKey: 12345678 }, /`apiKey` must be text/],
    ["connect_connector", { connector: "webhook", apiKey: API_KEY }, /takes a `webhookUrl`/],
    ["connect_connector", { connector: "webhook", webhookUrl: "http://127.0.0.1/secret-path-123456" }, /must begin with https/],
    ["connect_connector", { connector: "notion", apiKey: API_KEY, [API_KEY]: "x" }, /takes only `connector`, `apiKey`, `webhookUrl`/],
    ["disconnect_connector", { connector: "notion", apiKey: API_KEY }, /takes only `connector`/],
    ["disconnect_connector", { connector: API_KEY }, /no such connector/],
    ["list_connectors", { connector: "notion" }, /takes no arguments/],
    ["list_connected_connectors", { x: 1 }, /takes no arguments/],
  ];
  for (const [name, args, words] of wrong) {
    const { isError, content, structuredContent } = await sample.call(name, args);
    const text = content[0]?.text ?? "";
    expect([isError, structuredContent]).toEqual([true, undefined]);
    expect(text).toMatch(words);
    expect(text).not.toMatch(/123456|513/);
  }
  expect((await sample.call("list_connected_connectors", {})).structuredContent.connections).toEqual([]);
});

test("it ends with SIGTERM, and with the program that started it", async () => {
  const asked = await startSample(makeFolder());
  asked.child.kill("SIGTERM");
  expect(await asked.ended).toBe(0);
  const left = await startSample(makeFolder());
  left.child.stdin?.end();
  expect(await left.ended).toBe(0);
});

test("without SENDIT_KEY a key file is made, and used again", async () => {
  const dir = makeFolder();
  const first = await startSample(dir, { SENDIT_KEY: undefined as unknown as string });
  await first.call("connect_connector", { connector: "notion", apiKey: API_KEY });
  await first.stop();
  expect(statSync(path.join(dir, "key")).mode & 0o777).toBe(0o600);
  expect(Buffer.from(readFileSync(path.join(dir, "key"), "utf8"), "base64")).toHaveLength(32);
  const second = await startSample(dir, { SENDIT_KEY: undefined as unknown as string });
  expect((await second.call("list_connected_connectors", {})).structuredContent.connections).toHaveLength(1);
  await second.stop();
  await expect(startSample(dir)).rejects.toThrow(/ended with 2: .*sealed with another key/);
});

test.each([
  ["no folder", ["--port", "0"], {}, /--data DIR is needed/],
  ["a port that is none", ["--port", "70000"], {}, /--port must be/],
  ["an unknown option", ["--prot", "0"], {}, /--prot/],
  ["a key of another length", ["--data", "DIR"], { SENDIT_KEY: "c2hvcnQ=" }, /32 bytes in base64/],
  ["OAuth2 connectors that are not JSON", ["--data", "DIR"], { SENDIT_OAUTH2: "{" }, /SENDIT_OAUTH2 is not JSON/],
])("%s: it says so and does not start", async (_what, args, env, words) => {
  const dir = makeFolder();
  const asked = args.map((arg) => (arg === "DIR" ? dir : arg));
  await expect(start(asked, env as Record<string, string>)).rejects.toThrow(words);
});

test("a webhook secret of the operator's own is kept; a bad one is refused", async () => {
  const dir = makeFolder();
  writeFileSync(path.join(dir, "webhook-secret"), `whsec_${Buffer.alloc(24, 5).toString("base64")}\n`);
  const sample = await startHere(dir);
  await sample.stop();
  writeFileSync(path.join(dir, "webhook-secret"), "guess");
  await expect(startHere(dir)).rejects.toThrow(/webhook-secret must hold/);
});
