/** `rediss://`: a certificate that is trusted is needed, and enough. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { waitUntil } from "../../support/gateway.ts";
import { HAS_REDIS, startRedis } from "../../support/redis.ts";
import { chargeOf, limitOf, partiesOf, START } from "../specs.ts";
import { createRedisRig } from "./rig.ts";

function makeCertificate(folder: string): { readonly key: string; readonly cert: string } {
  const [key, cert] = [path.join(folder, "key.pem"), path.join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  execFileSync("openssl", ["req", "-x509", "-nodes", "-days", "2", ...kind, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
  return { key, cert };
}

const HAS_OPENSSL = !(process.env["SALLYPORT_MISSING_PROGRAMS"] ?? "").split(",").includes("openssl");

describe.runIf(HAS_REDIS && HAS_OPENSSL)("Redis behind TLS", () => {
  test("is trusted by its certificate, and not without it", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "sallyport-tls-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { key, cert } = makeCertificate(folder);
    const redis = await startRedis({ args: ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-auth-clients", "no"] });
    onTestFinished(() => redis.stop());
    // The plain port moves to TLS while it runs: the folder of a port is enough for one.
    await redis.send("CONFIG", "SET", "port", "0", "tls-port", String(redis.port));
    const url = `rediss://localhost:${redis.port}`;
    const distrusting = await createRedisRig(url);
    onTestFinished(() => distrusting.close());
    expect(distrusting.opened.findObstacle?.()).toMatch(/SELF_SIGNED_CERT/);
    await expect(distrusting.limits.take([chargeOf(limitOf())], partiesOf(), START)).rejects.toThrow("Limits can't be counted now");
    const before = getCACertificates("default");
    setDefaultCACertificates([...before, readFileSync(cert, "utf8")]);
    onTestFinished(() => setDefaultCACertificates(before));
    await waitUntil(() => distrusting.opened.findObstacle?.() === undefined);
    expect((await distrusting.limits.take([chargeOf(limitOf())], partiesOf(), START)).ok).toBe(true);
  });
});
