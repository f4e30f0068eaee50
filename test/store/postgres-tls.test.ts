/** TLS to a PostgreSQL: who is believed, by `sslmode`. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSteadyClock } from "../../src/kernel/clock.ts";
import { openStore } from "../../src/store/open-store.ts";
import { isLeftOut, type PostgresCluster, startPostgres } from "../support/postgres.ts";

/** An authority of its own, and a certificate of it for `localhost`. */
function makeCertificates(folder: string, own: (file: string) => void): void {
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "2");
  openssl("req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost");
  writeFileSync(path.join(folder, "names"), "subjectAltName=DNS:localhost");
  const by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
  openssl("x509", "-req", "-in", "server.csr", ...by, "-out", "server.crt");
  for (const file of ["server.key", "server.crt"]) own(path.join(folder, file));
  execFileSync("chmod", ["600", path.join(folder, "server.key")]);
}

describe.skipIf(isLeftOut)("TLS", () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startPostgres({ settings: ["ssl = on"], prepare: makeCertificates });
  });
  afterAll(() => cluster.stop());

  async function tell(url: string): Promise<string> {
    try {
      const store = await openStore({ url, clock: createSteadyClock(), durability: "process", migrations: [] });
      const [row] = await store.write((batch) => batch.all("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"));
      await store.close();
      return row?.["ssl"] === 1 ? "sealed" : "open";
    } catch (error) {
      return error instanceof Error ? error.message : "unknown";
    }
  }

  test("is what `sslmode` says, and a certificate that can't be trusted is refused", async () => {
    const here = await cluster.createDatabase();
    const named = here.replace("127.0.0.1", "localhost");
    const authority = `sslrootcert=${path.join(cluster.folder, "data", "ca.pem")}`;
    expect(await tell(here)).toBe("open");
    expect(await tell(`${here}?sslmode=require`)).toBe("sealed");
    expect(await tell(`${named}?sslmode=verify-full&${authority}`)).toBe("sealed");
    expect(await tell(`${here}?sslmode=verify-ca&${authority}`)).toBe("sealed");
    for (const untrusted of [`${here}?sslmode=verify-full&${authority}`, `${named}?sslmode=verify-full`, `${here}?sslmode=verify-ca`]) {
      expect(await tell(untrusted)).toMatch(/certificate can't be trusted/);
    }
    expect(await tell(`${here}?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem`)).toMatch(/can't be read/);
  });
});
