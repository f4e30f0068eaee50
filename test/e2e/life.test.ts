/** A gateway's life as a process: killed, stopped, started twice, reconfigured, and managed from outside while it runs. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { codeOf, FILE_TOKEN, startGatewayProcess, until } from "../support/gateway-process.ts";
import { runProgram, startProgram } from "../support/program.ts";
import { sendHttp } from "../support/raw-http.ts";
import { tool } from "../support/raw-upstream.ts";

const TIMEOUT = { timeout: 90_000 };
const ALLOW = { version: "1", default: "allow" };

test("killed in mid-load and started again: limits still count, and the log verifies", TIMEOUT, async () => {
  const policy = { version: "1", default: "allow", tools: { echo: { limits: [{ window: "hour", max: 60 }] } } };
  const gateway = await startGatewayProcess({ policy });
  await until(
    async () => codeOf(await gateway.call("other")),
    (code) => code !== "unavailable",
  );
  const asked = Array.from({ length: 40 }, () => gateway.call("echo").then(codeOf, () => "cut"));
  await until(
    async () => gateway.upstream.calls().length,
    (count) => count >= 10,
  );
  const killed = await gateway.running.kill("SIGKILL");
  expect(killed.signal).toBe("SIGKILL");
  await Promise.all(asked);
  const before = gateway.upstream.calls().length;
  expect(before).toBeGreaterThanOrEqual(10);
  await gateway.start();
  const verified = await runProgram(["audit", "verify", "--data", gateway.data], {});
  expect([verified.code, verified.err]).toEqual([0, ""]);
  const codes: string[] = [];
  for (let round = 0; round < 7; round++)
    codes.push(...(await Promise.all(Array.from({ length: 10 }, async () => codeOf(await gateway.call("echo"))))));
  const after = gateway.upstream.calls().length;
  expect(after).toBeLessThanOrEqual(60);
  expect(codes.filter((code) => code === "passed").length + before).toBeLessThanOrEqual(60);
  expect(codes).toContain("limit_exceeded");
  // What was charged without reaching the server is at most what was under way when it was killed.
  expect(after).toBeGreaterThanOrEqual(60 - 40);
  const intents = (
    await runProgram(["audit", "search", "--kind", "intent", "--tool", "echo", "--json", "--limit", "1000"].concat("--data", gateway.data))
  ).out
    .trim()
    .split("\n");
  expect(intents).toHaveLength(60);
});

test("SIGTERM lets a slow call end, takes no new one, and exits 0", TIMEOUT, async () => {
  const gateway = await startGatewayProcess({
    policy: ALLOW,
    respond: (_arrived, asked) =>
      asked.method !== "tools/call"
        ? undefined
        : {
            act: (response, _socket, id) =>
              void setTimeout(
                () =>
                  response
                    .writeHead(200, { "content-type": "application/json" })
                    .end(`{"jsonrpc":"2.0","id":${id},"result":{"content":[],"slow":true}}`),
                1_500,
              ),
          },
  });
  expect((await gateway.get("/healthz")).status).toBe(200);
  expect((await gateway.get("/readyz")).status).toBe(200);
  const slow = gateway.call("echo");
  await until(
    async () => gateway.upstream.calls().length,
    (count) => count === 1,
  );
  gateway.running.child.kill("SIGTERM");
  await gateway.running.says(/Stopping/, "err");
  const late = await gateway.call("echo").then(
    (answer) => answer.status,
    () => "refused",
  );
  expect(["refused", 503]).toContain(late);
  expect((await slow).json().result.slow).toBe(true);
  const ended = await gateway.running.ended;
  expect([ended.code, ended.signal]).toEqual([0, null]);
  expect(gateway.upstream.calls()).toHaveLength(1);
  const entries = (await runProgram(["audit", "search", "--json", "--data", gateway.data])).out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(entries.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["start", "intent", "outcome", "stop"]));
  expect(entries[0].kind).toBe("stop");
});

test("a second start on the folder is refused in words, and a killed one does not block it", TIMEOUT, async () => {
  const gateway = await startGatewayProcess({ policy: ALLOW });
  const second = await runProgram(["start", "--config", gateway.config, "--data", gateway.data, "--port", "0"]);
  expect(second.code).toBe(2);
  expect(second.out).toBe("");
  expect(second.err).toContain(gateway.data);
  expect(second.err).not.toMatch(/at .*\.ts|Error:/);
  expect((await gateway.get("/healthz")).status).toBe(200);
  const port = await runProgram(["start", "--data", path.join(gateway.folder, "other"), "--port", String(gateway.port)]);
  expect(port.code).toBe(2);
  expect(port.err).toContain(String(gateway.port));
  await gateway.running.kill("SIGKILL");
  await gateway.start();
  expect((await gateway.get("/readyz")).status).toBe(200);
});

test("grants are added, rotated, revoked and restored while it runs, from the next request on", TIMEOUT, async () => {
  const gateway = await startGatewayProcess({ policy: ALLOW });
  await until(
    async () => codeOf(await gateway.call("echo")),
    (code) => code === "passed",
  );
  const at = ["--data", gateway.data];
  const grant = async (...args: string[]) => await runProgram(["grant", ...args, ...at]);
  const added = await grant("add", "laptop", "--server", "alpha=standard", "--identity", "ann@example.com", "--tag", "team=a");
  expect(added.code).toBe(0);
  const token = added.out.trim();
  expect(token).toMatch(/^spg_[0-9A-Za-z]+_[0-9A-Za-z]+$/);
  expect(added.err).not.toContain(token);
  expect(codeOf(await gateway.call("echo", "{}", token))).toBe("passed");
  const rotated = JSON.parse((await grant("rotate", "laptop", "--json")).out);
  expect(codeOf(await gateway.call("echo", "{}", token))).toBe("401");
  expect(codeOf(await gateway.call("echo", "{}", rotated.token))).toBe("passed");
  expect((await grant("revoke", "laptop")).code).toBe(0);
  expect(codeOf(await gateway.call("echo", "{}", rotated.token))).toBe("401");
  expect((await grant("restore", "laptop")).code).toBe(0);
  expect(codeOf(await gateway.call("echo", "{}", rotated.token))).toBe("passed");
  // A grant of the file is revoked by its label, and stays so over a restart and under a new token.
  expect((await grant("rotate", "filed")).code).toBe(2);
  expect((await grant("revoke", "filed")).code).toBe(0);
  expect(codeOf(await gateway.call("echo"))).toBe("401");
  const listed = JSON.parse((await grant("list", "--json")).out);
  expect(listed).toHaveLength(2);
  expect(listed).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        label: "laptop",
        state: "current",
        identity: "ann@example.com",
        tags: { team: "a" },
        servers: { alpha: "standard" },
      }),
      expect.objectContaining({ label: "filed", state: "revoked" }),
    ]),
  );
  await gateway.running.kill("SIGTERM");
  const text = (await import("node:fs")).readFileSync(gateway.config, "utf8");
  writeFileSync(gateway.config, text.replace(FILE_TOKEN, "another-token-from-the-file"));
  await gateway.start();
  expect(codeOf(await gateway.call("echo", "{}", "another-token-from-the-file"))).toBe("401");
  expect((await grant("restore", "filed")).code).toBe(0);
  expect(codeOf(await gateway.call("echo", "{}", "another-token-from-the-file"))).not.toBe("401");
  expect(codeOf(await gateway.call("echo"))).toBe("401");
  const admin = (await runProgram(["audit", "search", "--kind", "admin", "--json", ...at])).out;
  for (const action of ["grant.added", "grant.rotated", "grant.revoked", "grant.restored"]) expect(admin).toContain(action);
  expect(admin).not.toContain(token.split("_")[2]);
  for (const bad of [
    ["add", "laptop", "--server", "alpha"],
    ["add", "Bad Label", "--server", "alpha"],
    ["add", "x", "--server", "nowhere"],
    ["add", "x", "--server", "alpha=nothing"],
    ["add", "x"],
    ["revoke", "nobody"],
    ["rotate", "nobody"],
  ]) {
    const refused = await grant(...bad);
    expect([bad, refused.code, refused.out]).toEqual([bad, 2, ""]);
    expect(refused.err).not.toMatch(/at .*\.ts/);
  }
});

describe("a changed file", () => {
  const deny = { version: "1", default: "allow", tools: { echo: { action: "deny", reason: "Closed." } } };

  test("holds within ten seconds, in place and by rename; a bad one changes nothing", TIMEOUT, async () => {
    const gateway = await startGatewayProcess({ policy: ALLOW, tools: `[${tool("echo")},${tool("other")}]` });
    const code = async () => codeOf(await gateway.call("echo"));
    expect(await until(code, (is) => is === "passed")).toBe("passed");
    writeFileSync(gateway.policy, JSON.stringify(deny));
    expect(await until(code, (is) => is === "denied", 10_000)).toBe("denied");
    writeFileSync(`${gateway.policy}.new`, JSON.stringify(ALLOW));
    renameSync(`${gateway.policy}.new`, gateway.policy);
    expect(await until(code, (is) => is === "passed", 10_000)).toBe("passed");
    // After a rename the new file is watched too.
    writeFileSync(gateway.policy, JSON.stringify(deny));
    expect(await until(code, (is) => is === "denied", 10_000)).toBe("denied");

    writeFileSync(gateway.policy, '{"version":"1","default":"allow","tolls":{}}');
    await gateway.running.says(/tolls/, "err");
    expect(await code()).toBe("denied");
    rmSync(gateway.policy);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await code()).toBe("denied");
    writeFileSync(gateway.policy, JSON.stringify(ALLOW));
    expect(await until(code, (is) => is === "passed", 10_000)).toBe("passed");

    const config = (await import("node:fs")).readFileSync(gateway.config, "utf8");
    writeFileSync(gateway.config, config.replace('"grants"', '"grunts"'));
    await gateway.running.says(/grunts/, "err");
    expect(await code()).toBe("passed");
    writeFileSync(`${gateway.config}.new`, config.replace(FILE_TOKEN, "a-changed-token-of-the-file"));
    renameSync(`${gateway.config}.new`, gateway.config);
    expect(await until(code, (is) => is === "401", 10_000)).toBe("401");
    expect(codeOf(await gateway.call("echo", "{}", "a-changed-token-of-the-file"))).toBe("passed");
    expect(gateway.running.err()).not.toContain("a-changed-token");
  });
});

test("readiness follows the store", TIMEOUT, async () => {
  const gateway = await startGatewayProcess({ policy: ALLOW });
  await until(
    async () => codeOf(await gateway.call("echo")),
    (code) => code === "passed",
  );
  // The gateway may be writing an outcome just now: whoever wants the whole database waits for that.
  const database = new DatabaseSync(path.join(gateway.data, "sallyport.db"), { timeout: 10_000 });
  database.exec("begin exclusive");
  gateway.upstream.forget();
  const [ready, alive, call] = await Promise.all([gateway.get("/readyz"), gateway.get("/healthz"), gateway.call("echo")]);
  expect([ready.status, alive.status]).toEqual([503, 200]);
  expect(codeOf(call)).toBe("unavailable");
  expect(gateway.upstream.calls()).toEqual([]);
  database.exec("rollback");
  database.close();
  expect(
    await until(
      async () => (await gateway.get("/readyz")).status,
      (status) => status === 200,
    ),
  ).toBe(200);
  expect(codeOf(await gateway.call("echo"))).toBe("passed");
  expect(ready.text).not.toContain(gateway.data);
});

test("a database that was taken away or replaced is noticed: nothing is decided that nobody could read", TIMEOUT, async () => {
  const gateway = await startGatewayProcess({ policy: ALLOW });
  await until(
    async () => codeOf(await gateway.call("echo")),
    (code) => code === "passed",
  );
  gateway.upstream.forget();
  for (const name of ["sallyport.db", "sallyport.db-wal", "sallyport.db-shm"])
    renameSync(path.join(gateway.data, name), path.join(gateway.folder, name));
  expect((await gateway.get("/readyz")).status).toBe(503);
  expect(codeOf(await gateway.call("echo"))).toMatch(/unavailable|503/);
  expect(gateway.upstream.calls()).toEqual([]);
  for (const name of ["sallyport.db", "sallyport.db-wal", "sallyport.db-shm"])
    renameSync(path.join(gateway.folder, name), path.join(gateway.data, name));
  expect((await gateway.get("/readyz")).status).toBe(200);
  expect(codeOf(await gateway.call("echo"))).toBe("passed");
});

test("a data folder that was deleted under it stops every call, and not the stop", TIMEOUT, async () => {
  const gateway = await startGatewayProcess({ policy: ALLOW });
  await until(
    async () => codeOf(await gateway.call("echo")),
    (code) => code === "passed",
  );
  rmSync(gateway.data, { recursive: true });
  gateway.upstream.forget();
  expect(codeOf(await gateway.call("echo"))).toBe("unavailable");
  expect((await gateway.get("/readyz")).status).toBe(503);
  expect(gateway.upstream.calls()).toEqual([]);
  const ended = await gateway.running.kill("SIGTERM");
  expect(ended.code).toBe(0);
  expect(ended.err).not.toMatch(/at .*\.ts/);
});

test("a body that never comes holds nobody up", TIMEOUT, async () => {
  const gateway = await startGatewayProcess({ policy: ALLOW });
  const { connect } = await import("node:net");
  const sockets = Array.from({ length: 50 }, () => {
    const socket = connect(gateway.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(
      `POST /mcp/alpha HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${FILE_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
    );
    return socket;
  });
  const answer = await sendHttp(gateway.port, {
    method: "GET",
    path: "/healthz",
    headers: [
      ["Host", "x"],
      ["Connection", "close"],
    ],
  });
  expect(answer.status).toBe(200);
  const ended = await gateway.running.kill("SIGTERM");
  expect(ended.code).toBe(0);
  for (const socket of sockets) socket.destroy();
});

test("the log is followed from another process as it grows, until a signal", TIMEOUT, async () => {
  const gateway = await startGatewayProcess({ policy: ALLOW });
  const tail = startProgram(["audit", "tail", "--data", gateway.data, "--kind", "denial", "--json"]);
  await gateway.call("nobody");
  await tail.says(/"tool":"nobody"[^\n]*\n/);
  await gateway.call("nobody-else");
  await tail.says(/"tool":"nobody-else"[^\n]*\n/);
  const ended = await tail.kill("SIGTERM");
  expect([ended.code, ended.signal]).toEqual([0, null]);
  for (const line of ended.out.trim().split("\n")) expect(JSON.parse(line)).toMatchObject({ kind: "denial" });
});

test("nothing that was given stands in what is printed", TIMEOUT, async () => {
  const gateway = await startGatewayProcess({ policy: ALLOW });
  await gateway.call("echo", '{"canary":"canary-of-an-argument"}');
  await gateway.call("echo", "{}", "canary-of-a-bad-token");
  const ended = await gateway.running.kill("SIGTERM");
  expect(`${ended.out}${ended.err}`).not.toMatch(/canary|the-token-from/);
  const started = startProgram(["start", "--config", gateway.config, "--data", gateway.data, "--port", "0", "--log-json"]);
  await started.says(/gateway\s+http/);
  const again = await started.kill("SIGTERM");
  for (const line of again.err.trim().split("\n"))
    expect(JSON.parse(line)).toMatchObject({ time: expect.any(String), level: expect.any(String), event: expect.any(String) });
});
