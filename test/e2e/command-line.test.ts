/** The command line as scripts use it: exit codes, what stands on which stream, and every fault of a configuration at once. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { runCommand } from "../support/commands.ts";
import { startGatewayProcess } from "../support/gateway-process.ts";
import { makeFolder, runProgram } from "../support/program.ts";

const TIMEOUT = { timeout: 90_000 };
const COMMANDS = ["start", "run", "scan", "init", "policy", "server", "grant", "audit", "catalog", "key"];

/** Every command that the help of `words` names, with its own. */
async function listCommands(words: readonly string[]): Promise<string[][]> {
  const help = await runCommand([...words, "--help"]);
  expect([words, help.code, help.err]).toEqual([words, 0, ""]);
  expect(help.out).toMatch(/^Usage: sallyport/);
  expect(help.out).not.toMatch(/\u001b|undefined|\[object/);
  const names = [...(help.out.split(/^Commands:$/m)[1] ?? "").matchAll(/^ {2}([a-z]+)(?: |$)/gm)].map((match) => match[1] as string);
  const found = names.filter((name) => name !== "help").map((name) => [...words, name]);
  return found;
}

test("every command has a help, on standard output, and exits 0", TIMEOUT, async () => {
  const first = await listCommands([]);
  expect(first.map(([name]) => name)).toEqual(COMMANDS);
  const second: string[][] = [];
  for (const words of first) second.push(...(await listCommands(words)));
  expect(second.length).toBeGreaterThan(12);
  for (const words of second) expect(await listCommands(words)).toEqual([]);
});

test.each<readonly [string[], number]>([
  [[], 0],
  [["--version"], 0],
  [["--help"], 0],
  [["help", "grant"], 0],
  [["nothing"], 2],
  [["--nothing"], 2],
  [["start", "--nothing"], 2],
  [["start", "more", "words"], 2],
  [["start", "--port", "x"], 2],
  [["start", "--port", "70000"], 2],
  [["start", "--config", "nowhere.yaml"], 2],
  [["audit"], 2],
  [["audit", "nothing"], 2],
  [["audit", "search", "--kind", "nothing"], 2],
  [["audit", "search", "--since", "yesterday"], 2],
  [["audit", "search", "--data", "nowhere"], 2],
  [["audit", "verify", "nowhere.jsonl"], 2],
  [["grant"], 2],
  [["grant", "list", "--data", "nowhere"], 2],
  [["server", "diff"], 2],
])("%j exits %d", TIMEOUT, async (args, code) => {
  const ended = await runCommand(args);
  expect(ended.code).toBe(code);
  if (code === 2) expect(ended.out).toBe("");
  expect(ended.err === "").toBe(code === 0);
  expect(ended.err).not.toMatch(/at .*\.ts:|fault of its own/);
});

test("colours are nobody's: none with NO_COLOR, none without a terminal", TIMEOUT, async () => {
  for (const env of [{ FORCE_COLOR: "1", NO_COLOR: "1" }, {}]) {
    const ended = await runProgram(["start", "--config", "nowhere.yaml"], { env });
    expect(`${ended.out}${ended.err}`).not.toContain("\u001b");
  }
});

describe("a bad configuration", () => {
  test("is exit 2 with every error at once, each with its place, and no secret", TIMEOUT, async () => {
    const cwd = makeFolder();
    writeFileSync(path.join(cwd, "bad.json"), '{"version":"1","default":"allow","tolls":{}}');
    const config = `
listen: { port: 99999 }
surprise: 1
servers:
  alpha: { upstream: { url: "ftp://x" } }
  beta: { upstream: { url: "https://user:canary-password@b.example/mcp", headers: { Authorization: "Bearer \${NOT_SET_ANYWHERE}" } } }
policies:
  p: { server: nowhere, document: { version: "1", default: allow } }
  q: { server: alpha, file: ./bad.json }
  r: { server: alpha, file: ./missing.json }
grants:
  short: { server: alpha, policy: q, identity: a@example.com, token: canary-short }
  one: { server: alpha, policy: q, identity: a@example.com, token: canary-token-used-twice }
  two: { server: alpha, policy: nothing, identity: a@example.com, token: canary-token-used-twice }
`;
    writeFileSync(path.join(cwd, "sallyport.yaml"), config);
    const ended = await runProgram(["start", "--config", "sallyport.yaml", "--data", "data", "--port", "0"], { cwd });
    expect([ended.code, ended.out]).toEqual([2, ""]);
    for (const place of [
      "/listen/port",
      "/surprise",
      "/servers/alpha/upstream/url",
      "/servers/beta/upstream",
      "/policies/p/server",
      "/tolls",
      "/policies/r/file",
      "/grants/short/token",
      "/grants/two",
    ])
      expect(ended.err).toContain(place);
    expect(ended.err).toContain("NOT_SET_ANYWHERE");
    expect(ended.err).not.toContain("canary");
    expect(ended.err).not.toMatch(/at .*\.ts:/);
  });

  test.each<readonly [string, string, RegExp]>([
    ["a doubled key in YAML", "servers: {}\nservers: {}\n", /servers/],
    ["a doubled key in JSON", '{"servers":{},"servers":{}}', /servers/],
    ["a tag of YAML", "servers: !!js/function 'x'\n", /tag/i],
    [
      "an alias bomb",
      `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghi"
        .split("")
        .map((key, at) => `${key}: &${key} [${Array(9).fill(`*${"abcdefgh"[at]}`).join(",")}]`)
        .join("\n")}\n`,
      /alias|anchor/i,
    ],
    ["no YAML", "servers: [\n", /./],
    ["a list", "[]", /object|mapping/i],
    ["nothing", "", /./],
    ["an unset variable", 'servers: { a: { upstream: { url: "https://${NOT_SET_ANYWHERE}/mcp" } } }\n', /NOT_SET_ANYWHERE/],
  ])("with %s is told in words", TIMEOUT, async (_name, text, words) => {
    const cwd = makeFolder();
    writeFileSync(path.join(cwd, "sallyport.yaml"), text);
    const ended = await runCommand([
      "start",
      "--config",
      path.join(cwd, "sallyport.yaml"),
      "--data",
      path.join(cwd, "data"),
      "--port",
      "0",
    ]);
    expect([ended.code, ended.out]).toEqual([2, ""]);
    expect(ended.err).toMatch(words);
    expect(ended.err).not.toMatch(/at .*\.ts:|fault of its own/);
  });

  test("leaves no half of itself in the data folder", TIMEOUT, async () => {
    const gateway = await startGatewayProcess({ policy: { version: "1", default: "allow" } });
    await gateway.running.kill("SIGTERM");
    const { readFileSync } = await import("node:fs");
    const config = JSON.parse(readFileSync(gateway.config, "utf8"));
    config.grants.more = { server: "alpha", policy: "standard", identity: "m@example.com", token: "a-good-token-of-the-file" };
    config.grants.bad = { server: "nowhere", policy: "standard", identity: "m@example.com", token: "another-good-token-here" };
    writeFileSync(gateway.config, JSON.stringify(config));
    const ended = await runProgram(["start", "--config", gateway.config, "--data", gateway.data, "--port", "0"]);
    expect(ended.code).toBe(2);
    const listed = JSON.parse((await runProgram(["grant", "list", "--json", "--data", gateway.data])).out);
    expect(listed.map(({ label }: { label: string }) => label)).toEqual(["filed"]);
  });
});

test("--json prints JSON and nothing else: one value, or one a line", TIMEOUT, async () => {
  const gateway = await startGatewayProcess({ policy: { version: "1", default: "allow", tools: { no: { action: "deny" } } } });
  for (let count = 0; count < 3; count++) await gateway.call("echo");
  await gateway.call("no");
  const at = ["--data", gateway.data, "--json"];
  for (const words of [
    ["grant", "list"],
    ["server", "list"],
    ["server", "tools", "alpha"],
    ["server", "diff", "alpha"],
    ["audit", "verify"],
    ["audit", "key"],
  ]) {
    const ended = await runCommand([...words, ...at]);
    expect([words, ended.code, ended.err]).toEqual([words, 0, ""]);
    expect(() => JSON.parse(ended.out)).not.toThrow();
    expect(ended.out.endsWith("\n")).toBe(true);
  }
  for (const words of [
    ["audit", "search"],
    ["audit", "export"],
    ["audit", "tail", "--no-follow"],
    ["audit", "search", "--tool", "echo"],
  ]) {
    const ended = await runCommand([...words, ...at]);
    expect([words, ended.code]).toEqual([words, 0]);
    const lines = ended.out.trim().split("\n");
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) expect(typeof JSON.parse(line)).toBe("object");
  }
  const exported = (await runCommand(["audit", "export", ...at])).out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  for (const entry of exported.filter(({ kind }) => kind === "intent"))
    for (const member of [
      "id",
      "time",
      "kind",
      "server",
      "grant",
      "identity",
      "method",
      "tool",
      "decision",
      "code",
      "rule",
      "policyRevision",
      "requestId",
      "outcome",
    ])
      expect(entry).toHaveProperty(member);
  const none = await runCommand(["audit", "search", "--code", "nothing-of-that", ...at]);
  expect([none.code, none.out]).toEqual([0, ""]);
  const elsewhere = path.join(gateway.folder, "elsewhere");
  mkdirSync(elsewhere);
  expect((await runCommand(["audit", "verify", "--data", elsewhere, "--json"])).code).toBe(2);
});
