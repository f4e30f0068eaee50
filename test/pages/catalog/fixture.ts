/** A catalogue of a few servers, with everything that a stranger may write, and a way to ask for its pages. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { loadAttacks } from "../../../src/catalog/attacks/load-attacks.ts";
import { ContactBox } from "../../../src/catalog/contact-box.ts";
import { openCatalogue } from "../../../src/catalog/store/read-catalogue.ts";
import { readSource } from "../../../src/catalog/store/read-source.ts";
import { buildCatalogue } from "../../../src/catalog/store/write-catalogue.ts";
import { answerCatalogue, type CatalogueRequest } from "../../../src/pages/catalog/answer-catalogue.ts";
import type { Answer } from "../../../src/pages/catalog/layout.ts";

export const BASE_URL = "https://catalogue.example";
export const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(1)>'&lt;\u202e\u200b{{x}}</textarea></script>`;

const text = { type: "string" };
const object = (properties: object, required: string[] = []): object => ({ type: "object", properties, required });

export const SERVERS: readonly { readonly server: object; readonly tools: readonly object[] }[] = [
  {
    server: { name: "SendIt", url: "https://sendit.infiniteappsai.com/mcp" },
    tools: [
      {
        name: "connect_connector",
        description:
          "Initiate authentication flow for a connector. For OAuth2 connectors, returns an authorization URL. For API key connectors, stores the provided key. For webhook connectors, registers the webhook URL.",
        inputSchema: object({ connector: text, apiKey: text }, ["connector"]),
      },
      { name: "list_connectors", description: "List the connectors.", inputSchema: object({}) },
      {
        name: "delete_connector",
        description: "Permanently deletes a connector.",
        inputSchema: object({ connector: text }, ["connector"]),
      },
      {
        name: "send_payment",
        description: "Pays an amount to a payee.",
        inputSchema: object({ amount: { type: "number" }, payee: text }, ["amount", "payee"]),
      },
      { name: "run_shell", description: "Runs a shell command.", inputSchema: object({ command: text }, ["command"]) },
    ],
  },
  {
    server: { name: "@scope/files", package: "@scope/files", version: "1.2.3", licence: "MIT", scanned: "2026-11-01" },
    tools: [
      { name: "write_file", description: "Write a file.", inputSchema: object({ path: text, content: text }, ["path", "content"]) },
      { name: "Write-File", description: "Write a file, otherwise.", inputSchema: object({ path: text }) },
      { name: "write_file", description: "The same name again." },
    ],
  },
  { server: { name: "scope files", licence: "MIT" }, tools: [{ name: "remove_all", description: "Deletes everything." }] },
  {
    server: { name: HOSTILE, package: HOSTILE, version: HOSTILE, licence: HOSTILE, url: "javascript:alert(1)", scanned: HOSTILE },
    tools: [
      {
        name: HOSTILE,
        title: HOSTILE,
        description: `${HOSTILE} ${"&\"'<\u200b".repeat(4_000)}`,
        inputSchema: object(
          Object.fromEntries(
            Array.from({ length: 80 }, (_, index) => [`${HOSTILE}${index}url`, { type: HOSTILE, description: HOSTILE.repeat(20) }]),
          ),
          [],
        ),
      },
      ...Array.from({ length: 150 }, (_, index) => ({ name: `delete ${index} ${HOSTILE.repeat(4)}`, description: HOSTILE.repeat(5) })),
    ],
  },
];

export interface TestCatalogue {
  readonly folder: string;
  readonly file: string;
  ask(address: string, more?: Partial<CatalogueRequest>): Promise<Answer>;
  close(): void;
}

export async function openTestCatalogue(now: () => number = () => Date.parse("2026-11-22T12:00:00Z")): Promise<TestCatalogue> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "sallyport-catalogue-test-"));
  const list = path.join(folder, "servers.jsonl");
  const file = path.join(folder, "catalogue.db");
  writeFileSync(list, SERVERS.map((server) => `${JSON.stringify(server)}\n`).join(""));
  await buildCatalogue({ file, sources: readSource(list), at: "2026-11-22T00:00:00Z" });
  const catalogue = openCatalogue(file);
  const attacks = await loadAttacks(path.resolve(import.meta.dirname, "../../../attacks"));
  if (!attacks.ok) throw new Error("the attacks can't be read");
  const parts = { site: { baseUrl: BASE_URL, attacks: attacks.value }, catalogue, box: new ContactBox(folder), now };
  return {
    folder,
    file,
    ask: (address, more = {}) => {
      const [asked = "", query = ""] = address.split(/\?(.*)/s);
      return answerCatalogue(parts, { method: "GET", path: asked, query, source: "192.0.2.1", ...more });
    },
    close: () => {
      catalogue.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
