/** `npm start` in a checkout, as a newcomer does it: what is printed works, limits hold, and the log proves itself. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { makeFolder, runProgram, startProgram } from "../support/program.ts";
import { sendHttp } from "../support/raw-http.ts";

const shell = promisify(execFile);

/** Everything in the folder, as bytes. */
function readAll(dir: string): Buffer {
  return Buffer.concat(
    readdirSync(dir).map((name) => {
      const file = path.join(dir, name);
      return statSync(file).isDirectory() ? readAll(file) : readFileSync(file);
    }),
  );
}

test("the demo from its first start to a log that was tampered with", { timeout: 240_000 }, async () => {
  const cwd = makeFolder();
  const first = startProgram(["start", "--demo", "--port", "0"], { cwd });
  await first.says(/audit tail/);
  const said = first.out();
  const port = Number(/gateway\s+http:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1]);
  const token = /token\s+(spg_\w+)/.exec(said)?.[1] ?? "";
  expect(token).toMatch(/^spg_[0-9A-Za-z]+_[0-9A-Za-z]{43,}$/);
  expect(said).toContain(`http://127.0.0.1:${port}/mcp/sendit`);
  const entry = JSON.parse(said.slice(said.indexOf("{"), said.indexOf("\n    }\n") + 6));
  expect(entry.mcpServers.sendit).toMatchObject({
    url: `http://127.0.0.1:${port}/mcp/sendit`,
    headers: { Authorization: `Bearer ${token}` },
  });
  expect(first.err()).not.toContain(token);
  expect(existsSync(path.join(cwd, ".sallyport"))).toBe(true);

  const line = said.split("\n").find((one) => one.includes("curl ")) ?? "";
  const { stdout } = await shell("sh", ["-c", line]);
  const [allowed, refused] = stdout
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text));
  expect(allowed.result.isError ?? false).toBe(false);
  expect(refused.result.isError).toBe(true);
  expect(refused.result.content[0].text).toMatch(/^\[POLICY DENIED\] Tool "disconnect_connector" is not allowed by policy\.$/);

  const call = (n: number) =>
    sendHttp(port, {
      path: "/mcp/sendit",
      headers: [
        ["Host", `127.0.0.1:${port}`],
        ["Authorization", `Bearer ${token}`],
        ["Content-Type", "application/json"],
        ["Connection", "close"],
      ],
      body: `{"jsonrpc":"2.0","id":${n},"method":"tools/call","params":{"name":"connect_connector","arguments":{"connector":"notion","apiKey":"canary-api-key-${n}"}}}`,
    });
  const results = [];
  for (let n = 1; n <= 31; n++) results.push((await call(n)).json().result);
  expect(results.filter((result) => !result.content[0].text.startsWith("[POLICY DENIED]"))).toHaveLength(30);
  const last = results[30];
  expect(last.isError).toBe(true);
  expect(last.content[0].text).toMatch(/^\[POLICY DENIED\] /);
  const decision = last._meta["sallyport/decision"];
  expect(decision).toMatchObject({ code: "limit_exceeded", rule: "/tools/connect_connector/limits/0" });
  expect(decision.retryAfterMs).toBeGreaterThan(0);
  expect(decision.retryAfterMs).toBeLessThanOrEqual(61_000);

  const searched = await runProgram(["audit", "search", "--code", "limit_exceeded", "--json"], { cwd });
  expect(searched.code).toBe(0);
  const found = searched.out
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text));
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({
    server: "sendit",
    grant: "demo",
    identity: "demo@localhost",
    method: "tools/call",
    tool: "connect_connector",
    decision: "deny",
    code: "limit_exceeded",
    rule: "/tools/connect_connector/limits/0",
    requestId: 31,
    policyRevision: expect.any(String),
  });

  const second = await runProgram(["start", "--demo", "--port", "0"], { cwd });
  expect(second.code).toBe(2);
  expect(second.err).toMatch(/already|another|in use|running/i);

  const stopped = await first.kill("SIGTERM");
  expect([stopped.code, stopped.signal]).toEqual([0, null]);
  const again = startProgram(["start", "--demo", "--port", "0"], { cwd });
  await again.says(/audit tail/);
  expect(again.out()).not.toContain("spg_");
  expect(again.out()).toContain("grant rotate demo");
  await again.kill("SIGTERM");
  expect(readAll(path.join(cwd, ".sallyport")).includes(token)).toBe(false);
  expect(readAll(path.join(cwd, ".sallyport")).includes(token.split("_")[2] as string)).toBe(false);
  expect(readAll(path.join(cwd, ".sallyport")).includes("canary-api-key")).toBe(false);
  expect(statSync(path.join(cwd, ".sallyport")).mode & 0o077).toBe(0);
  for (const name of readdirSync(path.join(cwd, ".sallyport")).filter((one) => /key|db/.test(one)))
    expect([name, statSync(path.join(cwd, ".sallyport", name)).mode & 0o077]).toEqual([name, 0]);

  expect((await runProgram(["audit", "verify"], { cwd })).code).toBe(0);
  const file = path.join(cwd, "log.jsonl");
  expect((await runProgram(["audit", "export", "--json", "--out", file], { cwd })).code).toBe(0);
  const key = (await runProgram(["audit", "key"], { cwd })).out.trim();
  const verify = async (lines: readonly string[]) => {
    writeFileSync(file, `${lines.join("\n")}\n`);
    return await runProgram(["audit", "verify", file, "--key", key], { cwd });
  };
  const lines = readFileSync(file, "utf8").trim().split("\n");
  expect((await verify(lines)).code).toBe(0);
  const at = lines.findIndex((one) => one.includes('"limit_exceeded"'));
  const id = JSON.parse(lines[at] as string).id as string;
  const tampered: readonly (readonly [string, string[]])[] = [
    ["changed", lines.with(at, (lines[at] as string).replace("limit_exceeded", "denied"))],
    ["removed", lines.toSpliced(at, 1)],
    ["inserted", lines.toSpliced(at, 0, lines[at] as string)],
    ["cut", lines.slice(0, at)],
  ];
  for (const [how, some] of tampered) {
    const verdict = await verify(some);
    expect([how, verdict.code]).toEqual([how, 1]);
    expect(verdict.out).toMatch(/does not hold/);
  }
  expect((await verify(tampered[0]?.[1] ?? [])).out).toContain(id);

  const database = new DatabaseSync(path.join(cwd, ".sallyport", "sallyport.db"), { timeout: 10_000 });
  database.exec(`update audit_entry set line = replace(line, '"limit_exceeded"', '"denied"') where line like '%${id}%'`);
  database.close();
  const verdict = await runProgram(["audit", "verify", "--json"], { cwd });
  expect(verdict.code).toBe(1);
  expect(JSON.parse(verdict.out)).toMatchObject({ ok: false, fault: { id } });
});
