/** The compose files: what they say of each container, and their command run on the configuration that they mount. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { makeFolder, startProgram } from "../support/program.ts";
import { startRawUpstream } from "../support/raw-upstream.ts";
import { type Compose, expandCompose, lastInstruction, readDeploy, readYaml, run } from "./parts.ts";

const FILES = ["compose/sqlite.yaml", "compose/replicas.yaml"] as const;
const TOKEN = "a-token-of-the-composed";

describe.each(FILES)("%s", (file) => {
  const { services, volumes = {} } = readYaml(file) as Compose;
  const gateways = Object.values(services).filter(({ image }) => image.startsWith("sallyport"));

  test("runs the gateway without rights on a read-only root", () => {
    expect(gateways.length).toBe(file.includes("replicas") ? 2 : 1);
    for (const gateway of gateways) {
      expect(gateway).toMatchObject({
        read_only: true,
        user: "65532:65532",
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges:true"],
      });
    }
  });

  test("opens no port to the world", () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    expect(ports).toEqual(["127.0.0.1:8420:8420"]);
  });

  test("names what is there: volumes, services, files", () => {
    for (const service of Object.values(services)) {
      for (const mount of service.volumes ?? []) {
        const [from = ""] = mount.split(":");
        if (from.startsWith("./")) expect(readDeploy(`compose/${from.slice(2)}`).length).toBeGreaterThan(0);
        else expect(Object.keys(volumes)).toContain(from);
      }
      const needed = Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on ?? {});
      for (const name of needed) expect(Object.keys(services)).toContain(name);
    }
  });

  test("asks for every secret, and has none of its own", () => {
    const asked = new Set([...readDeploy(file).matchAll(/\$\{([A-Z_]+):\?/g)].map(([, name]) => name));
    expect(asked).toContain("GRANT_TOKEN");
    expect(() => expandCompose(readDeploy(file), {})).toThrow("is not set");
  });
});

test("the command of one gateway serves the configuration that it mounts", async () => {
  const upstream = await startRawUpstream();
  onTestFinished(() => upstream.stop());
  const folder = makeFolder();
  const { services } = readYaml(FILES[0]) as Compose;
  const { command = [], environment = {} } = services["sallyport"] ?? {};
  expect(command[0]).toBe(lastInstruction("CMD")[0]);
  const config = path.join(folder, "sallyport.yaml");
  // The server of the test stands on this machine, where no server stands in production.
  const opened = readDeploy("compose/sqlite.config.yaml").replace(/(upstream: .*)$/m, '$1\n    network: { allow: ["127.0.0.1/32"] }');
  writeFileSync(config, opened);
  const given = { UPSTREAM_URL: upstream.url, GRANT_TOKEN: TOKEN };
  const env = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, expandCompose(value, given)]));
  const places: Readonly<Record<string, string>> = { "/etc/sallyport/sallyport.yaml": config, "/data": path.join(folder, "data") };
  const gateway = startProgram([...command.map((word) => places[word] ?? word), "--port", "0"], { cwd: folder, env });
  const [, port = ""] = await gateway.says(/http:\/\/0\.0\.0\.0:(\d+)/);
  await gateway.says(/`example`/, "err");
  const answer = await fetch(`http://127.0.0.1:${port}/mcp/example`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${TOKEN}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2025-11-25",
    },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{}}}',
  });
  expect(await answer.text()).toContain("done");
  expect(upstream.calls()).toHaveLength(1);
});

test("the balancer's configuration is one that nginx takes", () => {
  const folder = makeFolder();
  const file = path.join(folder, "nginx.conf");
  const local = readDeploy("compose/balancer.conf")
    .replaceAll(/gateway-[12]:8420/g, "127.0.0.1:8420")
    .replace("listen 8420", "listen 127.0.0.1:18420");
  writeFileSync(file, `pid ${folder}/pid;\n${local}`);
  const nginx = run("sh", ["-c", `PATH="$PATH:/usr/sbin" nginx -t -c ${file} -e ${folder}/error.log`]);
  expect(nginx.err).toContain("test is successful");
});
