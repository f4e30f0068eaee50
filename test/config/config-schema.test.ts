/** The published schema is fresh, and says what the check says. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { type Schema, Validator } from "@cfworker/json-schema";
import { describe, expect, it } from "vitest";
import { printConfigSchema } from "../../src/config/print-schema.ts";

const FILE = path.resolve(import.meta.dirname, "../../schema/config.schema.json");

/** Without the schema of policies, which has its own tests. */
function createValidator(): Validator {
  const schema = JSON.parse(printConfigSchema().replaceAll('"$ref": "policy.schema.json"', '"type": "object"')) as Schema;
  return new Validator(schema, "2020-12", false);
}

const server = { upstream: { url: "https://s.example.com/mcp" } };

describe("the schema of the configuration", () => {
  it("is checked in as it is printed", () => {
    expect(readFileSync(FILE, "utf8"), "run `node tools/write-config-schema.ts`").toBe(printConfigSchema());
  });

  it.each<[string, unknown]>([
    ["nothing", {}],
    ["a schema's name", { $schema: "./schema/config.schema.json" }],
    ["numbers", { listen: { port: 8420 } }],
    ["a variable for a number", { listen: { port: "${PORT}" } }],
    ["a variable for a word", { audit: { durability: "${DURABILITY:-disk}" } }],
    ["a grant for one server", { grants: { g: { server: "s", policy: "p", token: "${TOKEN}" } } }],
    ["a grant for several", { grants: { g: { servers: { s: "p" }, token: "${TOKEN}" } } }],
    [
      "a grant that login leads to",
      { grants: { g: { server: "s" } }, login: { issuer: "https://x", grants: [{ claims: { a: "b" }, grant: "g" }] } },
    ],
    ["a policy's document", { policies: { p: { server: "s", document: {} } } }],
    ["a command", { servers: { s: { upstream: { command: "npx", args: ["-y"], env: { A: "b" }, cwd: ".", process: "session" } } } }],
    ["a server", { servers: { s: { ...server, classes: { "any name": "read" }, tools: "review" } } }],
  ])("lets pass %s", (_, value) => {
    expect(createValidator().validate(value)).toMatchObject({ valid: true });
  });

  it.each<[string, unknown]>([
    ["an unknown key", { surplus: 1 }],
    ["an unknown key below", { listen: { prot: 1 } }],
    ["a port above all", { listen: { port: 70_000 } }],
    ["a bad name", { servers: { Bad: server } }],
    ["a server without upstream", { servers: { s: {} } }],
    ["an upstream of both kinds", { servers: { s: { upstream: { url: "https://x", command: "npx" } } } }],
    ["a process for an address", { servers: { s: { upstream: { url: "https://x", process: "server" } } } }],
    ["a process that is none", { servers: { s: { upstream: { command: "npx", process: "each" } } } }],
    ["headers for a command", { servers: { s: { upstream: { command: "npx", headers: {} } } } }],
    ["a login without an issuer", { login: { grants: [] } }],
    ["a row of login in both forms", { login: { issuer: "https://x", grants: [{ claims: { a: "b" }, grant: "g", server: "s" }] } }],
    ["a row of login without claims", { login: { issuer: "https://x", grants: [{ grant: "g" }] } }],
    ["a grant in both forms", { grants: { g: { server: "s", servers: {}, token: "${TOKEN}" } } }],
    ["a policy beside servers", { grants: { g: { servers: {}, policy: "p", token: "${TOKEN}" } } }],
    ["a policy of nothing", { policies: { p: { server: "s" } } }],
    ["a class that is none", { servers: { s: { ...server, classes: { t: "Read" } } } }],
  ])("refuses %s", (_, value) => {
    expect(createValidator().validate(value).valid).toBe(false);
  });

  it("describes every key", () => {
    const bare: string[] = [];
    const visit = (node: unknown, at: string): void => {
      if (typeof node !== "object" || node === null) return;
      const { properties } = node as { properties?: Record<string, { description?: string }> };
      for (const [key, member] of Object.entries(properties ?? {})) if (!member.description) bare.push(`${at}/${key}`);
      for (const [key, member] of Object.entries(node)) visit(member, `${at}/${key}`);
    };
    const schema = JSON.parse(printConfigSchema()) as { properties: object };
    visit(schema, "");
    expect(Object.keys(schema.properties).length).toBeGreaterThan(8);
    expect(bare).toEqual([]);
  });
});
