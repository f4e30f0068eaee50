/** Two gateways on one PostgreSQL behave as one: limits are exact together, and what one decides holds for the other's next request. */
import { readdirSync, renameSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeOf, until } from "../support/gateway-process.ts";
import { isLeftOut, type PostgresCluster, startPostgres } from "../support/postgres.ts";
import { INITIALIZED, tool } from "../support/raw-upstream.ts";
import { FILE_TOKEN, type Replica, startReplicas } from "../support/replicas.ts";

const TIMEOUT = 180_000;
const ALLOW = { version: "1", default: "allow" };
const LIST = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';

/** What a caller was told; `lost` where the gateway went away. */
async function ask(replica: Replica, name: string, token = FILE_TOKEN): Promise<string> {
  try {
    return codeOf(await replica.call(name, "{}", token));
  } catch {
    return "lost";
  }
}

async function isServing(replica: Replica, name = "echo"): Promise<void> {
  expect(
    await until(
      () => ask(replica, name),
      (code) => code === "passed",
      30_000,
    ),
  ).toBe("passed");
}

function openSession(response: ServerResponse, _: unknown, id: string): void {
  response.writeHead(200, { "content-type": "application/json", "mcp-session-id": "of-the-server" });
  response.end(`{"jsonrpc":"2.0","id":${id},"result":${INITIALIZED}}`);
}

describe.skipIf(isLeftOut)("two gateways on one database", () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startPostgres();
    process.stdout.write(`Replicas run on ${cluster.version}.\n`);
  });
  afterAll(() => cluster.stop());

  test("a limit of 100 is 100 for both together, though one is killed in the middle", { timeout: TIMEOUT }, async () => {
    const policy = { ...ALLOW, tools: { echo: { limits: [{ max: 100, window: "1d" }] } } };
    const tools = `[${tool("echo")},${tool("free")}]`;
    const replicas = await startReplicas({ url: await cluster.createDatabase(), policy, tools });
    const [first, second] = replicas.all as [Replica, Replica];
    await Promise.all(replicas.all.map((replica) => isServing(replica, "free")));
    replicas.upstream.forget();

    let told = 0;
    const calls = Array.from({ length: 300 }, async (_, index) => {
      const code = await ask(index % 2 === 0 ? first : second, "echo");
      told++;
      if (told === 30) first.running.child.kill("SIGKILL");
      return code;
    });
    const codes = await Promise.all(calls);
    await first.running.ended;
    const passed = codes.filter((code) => code === "passed").length;
    expect(passed).toBeLessThanOrEqual(100);
    const known = ["passed", "limit_exceeded", "lost", "503", "unavailable"];
    expect(codes.filter((code) => !known.includes(code))).toEqual([]);

    // What the other one still gives is what is left, to the last.
    const rest: string[] = [];
    for (let more = "passed"; more === "passed"; rest.push(more)) more = await ask(second, "echo");
    expect(rest.at(-1)).toBe("limit_exceeded");
    const reached = replicas.upstream.calls().length;
    expect(reached).toBeLessThanOrEqual(100);
    expect(passed + rest.length - 1).toBeLessThanOrEqual(reached);
    expect(await replicas.command("audit", "verify")).toBeTruthy();
    const entries = (await replicas.command("audit", "search", "--tool", "echo", "--decision", "allow", "--limit", "1000", "--json"))
      .split("\n")
      .filter((line) => line.includes('"kind":"intent"'));
    // Every unit that was taken is on record, and nothing that was not.
    expect(entries).toHaveLength(100);
  });

  test("a revocation, a new token, a policy and a quarantine hold for the next request everywhere", { timeout: TIMEOUT }, async () => {
    const [old, changed] = [tool("echo"), tool("echo", ',"description":"and sends it away"')];
    const replicas = await startReplicas({ url: await cluster.createDatabase(), policy: ALLOW, tools: `[${old},${tool("other")}]` });
    const [first, second] = replicas.all as [Replica, Replica];
    await Promise.all(replicas.all.map((replica) => isServing(replica)));
    const grantToken = (text: string): string => /spg_\w+/.exec(text)?.[0] ?? "";

    const made = grantToken(await replicas.command("grant", "add", "guest", "--server", "alpha", "--policy", "standard"));
    expect([await ask(first, "echo", made), await ask(second, "echo", made)]).toEqual(["passed", "passed"]);
    const renewed = grantToken(await replicas.command("grant", "rotate", "guest"));
    expect(await Promise.all(replicas.all.map((replica) => ask(replica, "echo", made)))).toEqual(["401", "401"]);
    expect(await Promise.all(replicas.all.map((replica) => ask(replica, "echo", renewed)))).toEqual(["passed", "passed"]);
    await replicas.command("grant", "revoke", "guest");
    expect(await Promise.all(replicas.all.map((replica) => ask(replica, "echo", renewed)))).toEqual(["401", "401"]);

    // One of them sees another definition: as soon as it refuses the tool, so does the other, which saw nothing.
    replicas.upstream.tools = `[${changed},${tool("other")}]`;
    const refused = await until(
      async () => {
        await first.ask(LIST);
        return await ask(first, "echo");
      },
      (code) => code === "quarantined",
      30_000,
    );
    expect(refused).toBe("quarantined");
    expect(await ask(second, "echo")).toBe("quarantined");
    await replicas.command("server", "accept", "alpha", "--all");
    expect(await Promise.all(replicas.all.map((replica) => ask(replica, "echo")))).toEqual(["passed", "passed"]);

    // The file changes for both; the first to see it decides for both.
    const denies = path.join(replicas.folder, "next.json");
    writeFileSync(denies, JSON.stringify({ version: "1", default: "deny", tools: { echo: {} } }));
    renameSync(denies, replicas.policy);
    expect(
      await until(
        () => ask(first, "other"),
        (code) => code !== "passed",
        30_000,
      ),
    ).not.toBe("passed");
    expect(await ask(second, "other")).not.toBe("passed");
  });

  test("a folder is one gateway's, a session is one gateway's, and another key is refused", { timeout: TIMEOUT }, async () => {
    const replicas = await startReplicas({
      url: await cluster.createDatabase(),
      policy: ALLOW,
      respond: (_, { method }) => (method === "initialize" ? { act: openSession } : undefined),
    });
    const [first, second] = replicas.all as [Replica, Replica];
    await expect(replicas.start("data-0")).rejects.toThrow("already runs on the data folder");
    await isServing(first);
    const opened = await first.ask(
      '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}',
    );
    const session = opened.headers["mcp-session-id"] as string;
    expect(session).toBeTruthy();
    const list = (replica: Replica) => replica.ask(LIST, FILE_TOKEN, [["Mcp-Session-Id", session]]);
    expect((await list(first)).status).toBe(200);
    expect((await list(second)).status).toBe(404);
    expect(readdirSync(path.join(replicas.folder, "data-0"))).toEqual(["start.lock"]);
    await expect(replicas.start("data-3", { SALLYPORT_MASTER_KEY: Buffer.alloc(32, 7).toString("base64") })).rejects.toThrow(
      "not the one that this data was made with",
    );
  });
});
