/** Canary secrets go down every failing path, and come back in no message. */
import { describe, expect, it } from "vitest";
import { formatFailure } from "../../src/kernel/failure.ts";
import { load } from "./write-config.ts";

const CANARY = "CANARY-7f3a9c-secret";
const SERVER = "servers: { s: { upstream: { url: 'https://s.example.com/mcp' } } }\n";

async function tell(text: string, env: Record<string, string> = {}): Promise<string> {
  const loaded = await load(text, {}, { SECRET: CANARY, ...env });
  expect(Array.isArray(loaded), "it was meant to fail").toBe(true);
  return (loaded as Parameters<typeof formatFailure>[0][])
    .map((failure) => `${formatFailure(failure)} ${JSON.stringify(failure)}`)
    .join("\n");
}

/** Every place of a configuration where a text, a number or a list may stand. */
const PLACES: readonly ((value: string) => string)[] = [
  (value) => `listen: ${value}\n`,
  (value) => `listen: { host: ${value}, port: ${value}, publicUrl: ${value}, allowedHosts: [${value}] }\nx: 1\n`,
  (value) => `store: { url: ${value} }\nx: 1\n`,
  (value) => `limits: { url: ${value} }\n`,
  (value) => `secrets: { keyFile: ${value}, more: 1 }\n`,
  (value) => `audit: { durability: ${value} }\n`,
  (value) =>
    `servers: { s: { upstream: { url: ${value}, headers: { A: ${value} } }, tools: ${value}, classes: { t: ${value} }, meta: [${value}], audit: { arguments: ${value} } } }\nx: 1\n`,
  (value) => `servers: { s: { upstream: { url: 'https://s.example.com' }, network: { allow: [${value}] } } }\nx: 1\n`,
  (value) =>
    `servers: { s: { upstream: { command: ${value}, args: [${value}], env: { A: ${value} }, cwd: ${value}, process: ${value} } } }\nx: 1\n`,
  (value) => `servers: { s: { upstream: ${value} } }\n`,
  (value) => `${SERVER}policies: { p: { server: ${value}, file: ${value} } }\n`,
  (value) => `${SERVER}policies: { p: { server: s, document: ${value} } }\n`,
  (value) =>
    `${SERVER}policies: { p: { server: s, document: { version: ${value}, default: ${value}, hide: [${value}], timezone: ${value} } } }\n`,
  (value) =>
    `${SERVER}policies: { p: { server: s, document: { version: "1", default: allow, all_tools: { deny_if: [{ conditions: [{ path: ${value}, op: ${value}, value: ${value} }] }] } } } }\n`,
  (value) => `${SERVER}grants: { g: { server: ${value}, policy: ${value}, token: ${value}, owner: ${value}, expires: ${value} } }\n`,
  (value) => `${SERVER}grants: { g: { servers: { s: ${value} }, token: [${value}], identity: ${value}, tags: { a: ${value} } } }\nx: 1\n`,
  (value) => `${SERVER}grants: { g: { server: s, token: ${value} }, h: { server: s, token: ${value} } }\nx: 1\n`,
];

describe("no message holds", () => {
  it("what a variable held", async () => {
    for (const place of PLACES) expect(await tell(place('"${SECRET}"'))).not.toContain(CANARY);
    for (const place of PLACES) expect(await tell(place('"${SECRET}"'), { SECRET: `\u0000${CANARY} ` })).not.toContain(CANARY);
    for (const place of PLACES)
      expect(await tell(place('"${SECRET}"'), { SECRET: CANARY.toLowerCase() })).not.toContain(CANARY.toLowerCase());
  });

  it("a default, or what stands beside a reference", async () => {
    for (const place of PLACES) expect(await tell(place(`"${CANARY}\${UNSET}"`))).not.toContain(CANARY);
    for (const place of PLACES) expect(await tell(place(`"\${UNSET:-${CANARY}} "`))).not.toContain(CANARY);
    for (const place of PLACES) expect(await tell(place(`"\${${CANARY}}"`))).not.toContain(CANARY);
  });

  it("a token or a header's value that stands in the file", async () => {
    const server = (headers: string): string => `servers: { s: { upstream: { url: 'https://s.example.com', headers: ${headers} } } }\n`;
    expect(await tell(server(`{ Authorization: "Bearer ${CANARY}\\n" }`))).not.toContain(CANARY);
    expect(await tell(server(`{ Authorization: ["${CANARY}"] }`))).not.toContain(CANARY);
    for (const token of [`"${CANARY}\\t"`, `["${CANARY}"]`, `{ "x": "${CANARY}" }`, `" ${CANARY}"`]) {
      expect(await tell(`${SERVER}grants: { g: { server: s, token: ${token} } }`)).not.toContain(CANARY);
    }
    const twice = `${SERVER}grants: { g: { server: s, token: ${CANARY} }, h: { server: s, token: ${CANARY} } }`;
    expect(await tell(twice)).not.toContain(CANARY);
    expect(await tell("store: { url: 'postgres://user:CANARY@host' }")).not.toContain("CANARY");
    expect(await tell("servers: { s: { upstream: { url: 'https://user:CANARY@host/db' } } }")).not.toContain("CANARY");
  });

  it("a token whose quotes were forgotten", async () => {
    const tokens = [
      `*${CANARY}`,
      `!${CANARY}`,
      `!<${CANARY}>`,
      `&${CANARY} [`,
      `%${CANARY}`,
      `@${CANARY}`,
      `\`${CANARY}`,
      `"${CANARY}`,
      `'${CANARY}`,
      `"\\${CANARY}"`,
      `"x" ${CANARY}`,
      `'x' ${CANARY}`,
      `{ ${CANARY}`,
      `[ ${CANARY}`,
      `] ${CANARY}`,
      `} ${CANARY}`,
      `| ${CANARY}`,
      `>${CANARY}`,
      `? ${CANARY}: x`,
      `- ${CANARY}`,
      `x: ${CANARY}: y`,
    ];
    for (const token of tokens) {
      expect(await tell(`${SERVER}grants:\n  g:\n    server: s\n    token: ${token}\n`)).not.toContain(CANARY);
      expect(await tell(`${SERVER}grants: { g: { server: s, token: ${token} } }\n`)).not.toContain(CANARY);
    }
    for (const token of [
      "00123456789012345678",
      "0x1234567890abcdef12",
      "+12345678901234567890",
      "1234567890123456.",
      "0o12345670123456701",
    ]) {
      expect(await tell(`${SERVER}grants: { g: { server: s, token: ${token} } }\n`)).not.toContain(token.replace(/^\+/, ""));
    }
  });

  it("text of a JSON file that does not parse", async () => {
    for (const text of [`{"a": ${CANARY}}`, `{"a": "${CANARY}`, `${CANARY}`, `{"a": 1 "${CANARY}"}`, `{"a": "\\x${CANARY}"}`]) {
      const loaded = await load(text, {}, {}, "sallyport.json");
      expect(Array.isArray(loaded)).toBe(true);
      expect(JSON.stringify(loaded)).not.toContain(CANARY);
    }
  });
});
