/**
 * The compose file of several gateways, run without containers: both gateways' command on the configuration that they mount, a
 * real PostgreSQL and Redis in place of theirs, and nginx with the balancer's configuration; only names and ports are local.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { connectV1, connectV2, textOf } from "../interop/sdk-clients.ts";
import { until } from "../support/gateway-process.ts";
import { isLeftOut, startPostgres } from "../support/postgres.ts";
import { makeFolder, type Running, startProgram } from "../support/program.ts";
import { startRawUpstream, withSession } from "../support/raw-upstream.ts";
import { HAS_REDIS, startRedis } from "../support/redis.ts";
import { type Compose, expandCompose, readDeploy, readYaml } from "./parts.ts";

const TOKEN = "a-token-of-the-composed";
const PASSWORD = "aPasswordOfLetters1";
const NAMES = ["gateway-1", "gateway-2"] as const;
const HAS_NGINX = !(process.env["SALLYPORT_MISSING_PROGRAMS"] ?? "").split(",").includes("nginx");

async function findPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function startBalancer(folder: string, ports: readonly number[]): Promise<URL> {
  const port = await findPort();
  const [first, second] = ports;
  const local = readDeploy("compose/balancer.conf")
    .replace("gateway-1:8420", `127.0.0.1:${first}`)
    .replace("gateway-2:8420", `127.0.0.1:${second}`)
    .replace("listen 8420", `listen 127.0.0.1:${port}`)
    .replace("worker_processes auto", "worker_processes 1");
  expect(local).not.toMatch(/gateway-[12]|listen 8420/);
  const file = path.join(folder, "nginx.conf");
  writeFileSync(file, `daemon off;\npid ${folder}/pid;\n${local}`);
  const env = { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` };
  const nginx = spawn("sh", ["-c", `exec nginx -c ${file} -e ${folder}/error.log`], { env, stdio: "ignore" });
  const ended = new Promise<void>((resolve) => nginx.once("exit", () => resolve()));
  onTestFinished(async () => {
    nginx.kill("SIGTERM");
    await ended;
  });
  const url = new URL(`http://localhost:${port}/mcp/example`);
  const isUp = () =>
    fetch(new URL("/healthz", url)).then(
      ({ status }) => status === 200,
      () => false,
    );
  expect(await until(isUp, (up) => up, 30_000)).toBe(true);
  return url;
}

describe.skipIf(isLeftOut || !HAS_REDIS || !HAS_NGINX)("compose/replicas.yaml", () => {
  test("clients of both generations go on through the balancer while one gateway after the other is killed", {
    timeout: 120_000,
  }, async () => {
    const folder = makeFolder();
    const [cluster, redis, upstream] = await Promise.all([
      startPostgres(),
      startRedis(),
      startRawUpstream({ era: "legacy", respond: withSession }),
    ]);
    onTestFinished(async () => {
      await Promise.all([cluster.stop(), redis.stop(), upstream.stop()]);
    });
    await cluster.run(`CREATE ROLE sallyport LOGIN PASSWORD '${PASSWORD}'`);
    await cluster.run("CREATE DATABASE sallyport OWNER sallyport");
    const config = path.join(folder, "sallyport.yaml");
    // The server of the test stands on this machine, where no server stands in production.
    writeFileSync(
      config,
      readDeploy("compose/replicas.config.yaml").replace(/(upstream: .*)$/m, '$1\n    network: { allow: ["127.0.0.1/32"] }'),
    );
    const given = {
      POSTGRES_PASSWORD: PASSWORD,
      SALLYPORT_MASTER_KEY: Buffer.alloc(32, 9).toString("base64"),
      UPSTREAM_URL: upstream.url,
      GRANT_TOKEN: TOKEN,
    };
    const { services } = readYaml("compose/replicas.yaml") as Compose;
    const ports = [await findPort(), await findPort()];
    const start = async (index: 0 | 1): Promise<Running> => {
      const { command = [], environment = {} } = services[NAMES[index]] ?? {};
      const env = Object.fromEntries(
        Object.entries(environment).map(([name, value]) => [
          name,
          expandCompose(value, given).replace("@postgres:5432", `@127.0.0.1:${cluster.port}`).replace("redis://valkey:6379", redis.url),
        ]),
      );
      const places: Readonly<Record<string, string>> = {
        "/etc/sallyport/sallyport.yaml": config,
        "/data": path.join(folder, `data-${index}`),
        "0.0.0.0": "127.0.0.1",
      };
      const words = [...command.map((word) => places[word] ?? word), "--port", String(ports[index])];
      const gateway = startProgram(words, { cwd: folder, env });
      await gateway.says(/gateway\s+http/);
      return gateway;
    };
    const gateways = [await start(0), await start(1)];
    const url = await startBalancer(folder, ports);

    const legacy = await connectV1(url, TOKEN);
    const modern = await connectV2(url, TOKEN, { versionNegotiation: { mode: "auto" } });
    expect(legacy.session).toBeTruthy();
    expect(modern.session).toBeUndefined();
    const answers = () =>
      Promise.all([legacy.client, modern.client].map((client) => client.callTool({ name: "echo", arguments: {} }).then(textOf)));
    const goOn = () =>
      until(
        () => answers().catch((error: Error) => [error.message]),
        (told) => told.join() === "done,done",
        30_000,
      );
    expect(await goOn()).toEqual(["done", "done"]);
    for (const index of [0, 1] as const) {
      await gateways[index]?.kill("SIGKILL");
      // The session's home may be either of them; the other takes it over.
      expect(await goOn()).toEqual(["done", "done"]);
      gateways[index] = await start(index);
      expect(await goOn()).toEqual(["done", "done"]);
    }
    expect(legacy.transport.sessionId).toBe(legacy.session);
    expect((await fetch(new URL("/metrics", url))).status).toBe(404);
    await Promise.all([legacy.client.close(), modern.client.close()]);
  });
});
