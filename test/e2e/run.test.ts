/** `sallyport run`: one stdio server behind one policy; many at once on one folder; how it ends. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { until } from "../support/gateway-process.ts";
import { makeFolder, type Running, runProgram, startProgram } from "../support/program.ts";

const SERVER = fileURLToPath(new URL("./stdio-server.mjs", import.meta.url));
const TIMEOUT = { timeout: 90_000 };
const INITIALIZE =
  '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"client","version":"1"}}}\n';
const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}\n';
const call = (id: string | number, name = "echo", args = "{}"): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"${name}","arguments":${args}}}\n`;

interface Setup {
  readonly folder: string;
  readonly data: string;
  readonly got: string;
  readonly args: (...more: string[]) => string[];
}

function prepare(policy: object, name = "policy.json"): Setup {
  const folder = makeFolder();
  const at = { data: path.join(folder, "data"), got: path.join(folder, "got.txt") };
  writeFileSync(path.join(folder, name), JSON.stringify(policy));
  return {
    folder,
    ...at,
    args: (...more) => [
      "run",
      "--policy",
      path.join(folder, name),
      "--server",
      "files",
      "--data",
      at.data,
      "--",
      process.execPath,
      SERVER,
      at.got,
      ...more,
    ],
  };
}

async function open(setup: Setup, ...more: string[]): Promise<Running> {
  const running = startProgram(setup.args(...more));
  running.write(INITIALIZE);
  await running.says(/"id":0,"result"/);
  running.write(INITIALIZED);
  return running;
}

test(
  "a call passes, a denial is answered, what is hidden is not listed, and only the protocol is on standard output",
  TIMEOUT,
  async () => {
    const setup = prepare({ version: "1", default: "allow", hide: ["hidden"], tools: { echo: { limits: [{ window: "day", max: 2 }] } } });
    const running = await open(setup);
    running.write('{"jsonrpc":"2.0","id":"1.0","method":"tools/list"}\n');
    await running.says(/"id":"1\.0"/);
    running.write(call("1.0") + call(2, "echo", '{"a":12345678901234567890,"b" : 1.50}'));
    await running.says(/"id":2,/);
    running.write(call(3) + call(4, "hidden") + call(5, "nobody"));
    await running.says(/"id":5,/);
    running.write(
      `[${call(6).trim()}]\n{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","Name":"hidden"}}\nnot json\n\n{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}\n`,
    );
    running.write('{"jsonrpc":"2.0","id":8,"method":"ping"}\n');
    await running.says(/"id":8,/);
    running.child.stdin?.end();
    const ended = await running.ended;
    expect([ended.code, ended.signal]).toEqual([0, null]);
    const lines = ended.out.trim().split("\n");
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
    const find = (start: string) => lines.find((line) => line.startsWith(`{"jsonrpc":"2.0","id":${start},`)) ?? "";
    expect(JSON.parse(find('"1.0"')).result.tools.map(({ name }: { name: string }) => name)).toEqual(["echo"]);
    expect(find("1.0")).toContain('"result":{"content":[{"type":"text","text":"done"}],"n":1.0}');
    expect(find("3")).toContain("limit_exceeded");
    expect(JSON.parse(find("4")).error).toEqual({ code: -32602, message: "Unknown tool: hidden" });
    expect(JSON.parse(find("5")).error).toEqual({ code: -32602, message: "Unknown tool: nobody" });
    expect(lines.filter((line) => line.includes("-32600"))).toHaveLength(2);
    const got = readFileSync(setup.got, "utf8");
    expect(got.match(/"tools\/call"/g)).toHaveLength(2);
    expect(got).toContain('"arguments":{"a":12345678901234567890,"b" : 1.50}');
    expect(got).not.toMatch(/hidden|nobody|not json|Name/);
    expect(ended.err).toContain("the server speaks");
    const entries = (await runProgram(["audit", "search", "--json", "--limit", "1000", "--data", setup.data])).out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(entries).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          kind: "denial",
          code: "limit_exceeded",
          server: "files",
          grant: "files",
          identity: expect.any(String),
          client: { name: "client", version: "1" },
        }),
      ]),
    );
    expect((await runProgram(["audit", "verify", "--data", setup.data])).code).toBe(0);
  },
);

test("sixteen at once on one fresh folder all work and share a limit exactly", TIMEOUT, async () => {
  const setup = prepare({ version: "1", default: "allow", tools: { echo: { limits: [{ window: "day", max: 50 }] } } });
  const all = await Promise.all(Array.from({ length: 16 }, () => open(setup)));
  for (const running of all) running.write(Array.from({ length: 10 }, (_, n) => call(n + 1)).join(""));
  await Promise.all(
    all.map((running) =>
      until(
        async () => running.out().trim().split("\n").length,
        (count) => count >= 11,
        60_000,
      ),
    ),
  );
  for (const running of all) running.child.stdin?.end();
  const ended = await Promise.all(all.map((running) => running.ended));
  expect(ended.map(({ code }) => code)).toEqual(Array.from({ length: 16 }, () => 0));
  const answers = ended.flatMap(({ out }) =>
    out
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => JSON.parse(line)),
  );
  expect(answers).toHaveLength(160);
  expect(answers.filter(({ result }) => result.isError !== true)).toHaveLength(50);
  expect(answers.filter(({ result }) => result._meta?.["sallyport/decision"]?.code === "limit_exceeded")).toHaveLength(110);
  expect(readFileSync(setup.got, "utf8").match(/"tools\/call"/g)).toHaveLength(50);
  const verified = await runProgram(["audit", "verify", "--data", setup.data]);
  expect([verified.code, verified.err]).toEqual([0, ""]);
});

test("the server's exit code is ours, and what it had not answered is answered", TIMEOUT, async () => {
  const setup = prepare({ version: "1", default: "allow" });
  const running = await open(setup);
  running.write('{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n');
  await running.says(/"id":1,/);
  running.write(call(2, "echo", '{"die":7}'));
  const ended = await running.ended;
  expect(ended.code).toBe(7);
  expect(ended.out).toMatch(/"id":2,"result":\{[^\n]*"isError":true/);
  const outcomes = (await runProgram(["audit", "search", "--kind", "outcome", "--tool", "echo", "--json", "--data", setup.data])).out;
  expect(JSON.parse(outcomes.trim())).toMatchObject({ outcome: "unknown", tool: "echo" });
});

test("a signal and the end of the input stop the server too", TIMEOUT, async () => {
  const setup = prepare({ version: "1", default: "allow" });
  const running = await open(setup);
  const ended = await running.kill("SIGTERM");
  expect([ended.code, ended.signal]).toEqual([0, null]);
  expect((await runProgram(setup.args(), { input: "" })).code).toBe(0);
});

test("a changed policy holds for the next call, a bad one changes nothing", TIMEOUT, async () => {
  const setup = prepare({ version: "1", default: "allow" });
  const running = await open(setup);
  running.write(call(1));
  await running.says(/"id":1,/);
  expect(running.out()).toContain('"text":"done"');
  const file = path.join(setup.folder, "policy.json");
  writeFileSync(file, '{"version":"1","default":"allow","tolls":{}}');
  await running.says(/tolls/, "err");
  running.write(call(2));
  await running.says(/"id":2,[^\n]*done/);
  writeFileSync(file, JSON.stringify({ version: "1", default: "allow", tools: { echo: { action: "deny", reason: "Closed." } } }));
  await running.says(/changed policy/, "err");
  running.write(call(3));
  await running.says(/"id":3,[^\n]*\[POLICY DENIED\] Closed\./);
  running.child.stdin?.end();
  expect((await running.ended).code).toBe(0);
});

test.each<readonly [string, string[], RegExp]>([
  ["no command", ["run", "--policy", "p.json"], /missing required argument/],
  ["no policy", ["run", "--", "node"], /--policy/],
  ["a policy that is not there", ["run", "--policy", "nowhere.json", "--", "node"], /nowhere\.json/],
  ["a bad policy", ["run", "--policy", "bad.json", "--", "node"], /tolls/],
  ["a bad name", ["run", "--policy", "good.json", "--server", "Not A Name", "--", "node"], /name/],
  ["a command that is not there", ["run", "--policy", "good.json", "--", "/nowhere/at-all"], /could not be started|can't be started/],
])("%s is exit 2, in words", TIMEOUT, async (_name, args, words) => {
  const cwd = makeFolder();
  writeFileSync(path.join(cwd, "bad.json"), '{"version":"1","default":"allow","tolls":{}}');
  writeFileSync(path.join(cwd, "good.json"), '{"version":"1","default":"allow"}');
  const ended = await runProgram(args.includes("--data") ? args : [args[0] as string, "--data", path.join(cwd, "data"), ...args.slice(1)], {
    cwd,
  });
  expect([ended.code, ended.out]).toEqual([2, ""]);
  expect(ended.err).toMatch(words);
  expect(ended.err).not.toMatch(/at .*\.ts:/);
  expect(existsSync(path.join(cwd, "got.txt"))).toBe(false);
});

test("the server gets the variables that are named, and no other", TIMEOUT, async () => {
  const { folder, data } = prepare({ version: "1", default: "allow" });
  const server = path.join(folder, "says.mjs");
  writeFileSync(server, "process.stderr.write(`${process.env.FIRST}, ${process.env.SECOND}, ${process.env.THIRD}\\n`);");
  const env = { FIRST: "one", SECOND: "two", THIRD: "three" };
  const args = [
    "run",
    "--policy",
    path.join(folder, "policy.json"),
    "--data",
    data,
    "--env",
    "FIRST",
    "--env",
    "SECOND",
    "--env",
    "NOT_SET",
  ];
  const { err } = await runProgram([...args, "--", process.execPath, server], { cwd: folder, env });
  expect(err).toContain("one, two, undefined");
});
