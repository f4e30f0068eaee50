import { expect, test, beforeAll, afterAll } from "vitest";
import { startPostgres, type PostgresCluster } from "../support/postgres.ts";
import { startReplicas } from "../support/replicas.ts";
let cluster: PostgresCluster;
beforeAll(async () => { cluster = await startPostgres(); });
afterAll(() => cluster.stop());
test("smoke", async () => {
  const r = await startReplicas({ url: await cluster.createDatabase(), policy: { version: "1", default: "allow" } });
  for (const one of r.all) { const a = await one.call("echo"); console.log(a.status, a.text); const b = await one.get("/readyz"); console.log(b.status, b.text, one.running.err()); }
  console.log(await r.command("grant", "list"));
  console.log(await r.command("audit", "export", "--json"));
});
