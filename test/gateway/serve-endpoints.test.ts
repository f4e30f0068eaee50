/** What is served follows the configuration, and a look that fails in the background takes nothing down. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadConfig } from "../../src/config/load-config.ts";
import { openDataFolder } from "../../src/data-folder.ts";
import { createLog } from "../../src/observe/log.ts";
import { EndpointTable } from "../../src/serve-endpoints.ts";
import { syncConfig } from "../../src/sync-config.ts";
import { ConnectionDesk } from "../../src/upstream/oauth/connection-desk.ts";
import { waitUntil } from "../support/gateway.ts";

test("a store that can't be read when a server is looked at is told of, and nothing else", async () => {
  const dir = mkdtempSync(path.join(tmpdir(), "endpoints-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  const file = path.join(dir, "sallyport.yaml");
  writeFileSync(file, "servers: { alpha: { upstream: { url: 'http://127.0.0.1:1/mcp' }, network: { allow: [127.0.0.1/32] } } }");
  const loaded = await loadConfig({ file, env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failures));
  const folder = await openDataFolder({ dir, env: {} });
  onTestFinished(() => folder.close());
  const said: string[] = [];
  const log = createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() });
  const { store, openKeyring } = folder;
  const ports = { store, openKeyring, now: Date.now, baseUrl: () => "", record: () => undefined, tell: () => undefined };
  const table = new EndpointTable({ folder, version: "0", log, env: {}, connections: new ConnectionDesk(ports) });
  onTestFinished(() => table.close());
  await syncConfig(folder, loaded.value);
  await folder.access.look();
  await store.write((batch) => batch.run("DROP TABLE upstream_tools"));
  await table.apply(loaded.value.servers);
  await waitUntil(() => said.some((line) => line.includes("alpha") && line.includes("could not be read")));
  expect(table.endpoints.has("alpha")).toBe(true);
});
