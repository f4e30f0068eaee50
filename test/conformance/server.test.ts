/** The suite's server scenarios through a gateway: nothing is lost that the fixture passes alone, and nothing opens without a token. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { describe, expect, it } from "vitest";
import { rate } from "./compare.ts";
import { FIXED_RESULTS, TOOLS } from "./fixture/content.ts";
import { startFixture } from "./fixture/start-fixture.ts";
import { nameOf, OWN_ERA, PAIRINGS, WANTED_UNSCORED } from "./pairings.ts";
import { printRow, readTable } from "./report.ts";
import { listRows, nameClientRows, REVISIONS, runAlone, runPairing, runTokenless, STDIO_FIXTURE } from "./run.ts";
import { startConformanceGateway } from "./start-gateway.ts";
import { listScored, type Revision, RUN_TIMEOUT_MS, type ScenarioResult, suiteVersion } from "./suite.ts";

const PAGE = readFileSync(path.resolve(import.meta.dirname, "../../docs/conformance.md"), "utf8");
const alone = new Map<Revision, readonly ScenarioResult[]>();

describe("the fixture alone", () => {
  it.each(REVISIONS)(
    "passes all that %s scores, and what is wanted besides",
    async (revision) => {
      const results = await runAlone(revision);
      alone.set(revision, results);
      const good = results.filter((result) => rate(result).isGood).map(({ scenario }) => scenario);
      expect(good).toEqual(expect.arrayContaining([...listScored(revision, "server"), ...WANTED_UNSCORED[revision]]));
    },
    RUN_TIMEOUT_MS,
  );

  it("speaks on standard streams as well", async () => {
    const client = new Client({ name: "by-hand", version: "1.0.0" });
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [STDIO_FIXTURE] }) as Transport);
    expect((await client.listTools()).tools).toHaveLength(TOOLS.length);
    expect(await client.callTool({ name: "test_simple_text" })).toMatchObject(FIXED_RESULTS["test_simple_text"] ?? {});
    await client.close();
  });

  it("is held to as many scenarios as the package names", () => {
    expect(REVISIONS.map((revision) => listScored(revision, "server").length)).toEqual([30, 37]);
    expect(REVISIONS.map((revision) => listScored(revision, "client").length)).toEqual([18, 32]);
    expect(PAGE).toContain(suiteVersion());
  });
});

describe("through the gateway", () => {
  it.each(listRows().map((pairing) => [nameOf(pairing), pairing] as const))(
    "%s loses nothing",
    async (_name, pairing) => {
      const report = await runPairing(pairing, alone.get(pairing.requirement) ?? (await runAlone(pairing.requirement)));
      expect(report.losses).toEqual([]);
      expect(report.stale, "known-losses.json names what is not lost any more").toEqual([]);
      expect(report.alone).toBe(report.scored);
      expect(readTable(PAGE), "run `npm run conformance -- --write`").toContain(printRow(report));
    },
    RUN_TIMEOUT_MS * 2,
  );

  it("has every row on its page", () => {
    const rows = readTable(PAGE).split("\n").length - 3;
    expect(rows).toBe(PAIRINGS.length + REVISIONS.flatMap(nameClientRows).length);
  });
});

describe("without a token", () => {
  it.each(REVISIONS)(
    "nothing of %s passes or reaches the server",
    async (revision) => {
      const { passing, reached } = await runTokenless(revision);
      expect(reached).toBe(0);
      expect(passing).toEqual([]);
    },
    RUN_TIMEOUT_MS,
  );

  it("every method is answered 401 with a challenge", async () => {
    const fixture = await startFixture(OWN_ERA["2025-11-25"]);
    const gateway = await startConformanceGateway({ url: fixture.url });
    try {
      for (const method of ["POST", "GET", "DELETE"]) {
        for (const authorization of [undefined, "Bearer of-nobody-at-all-0000000"]) {
          const answer = await fetch(gateway.url, { method, headers: authorization === undefined ? {} : { authorization } });
          expect([method, answer.status, answer.headers.get("www-authenticate")]).toEqual([method, 401, expect.stringMatching(/^Bearer/)]);
        }
      }
    } finally {
      await gateway.stop();
      await fixture.stop();
    }
  });
});
