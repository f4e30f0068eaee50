import { existsSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { LineItem } from "../../src/mcp/stdio.ts";
import {
  type ChildExit,
  createChildEnvironment,
  type StdioBounds,
  type StdioUpstream,
  startStdioUpstream,
} from "../../src/upstream/channel/child-process.ts";

interface Started {
  readonly upstream: StdioUpstream;
  readonly lines: string[];
  readonly items: LineItem[];
  readonly errors: string[];
  readonly exits: ChildExit[];
  /** Settles when the child has said so many lines. */
  said(count: number): Promise<void>;
  exited(): Promise<void>;
}

const running: StdioUpstream[] = [];

function start(script: string, bounds: Partial<StdioBounds> = {}, environment: Record<string, string> = {}): Started {
  return startCommand(process.execPath, ["-e", script], bounds, environment);
}

function startCommand(
  command: string,
  args: string[],
  bounds: Partial<StdioBounds> = {},
  environment: Record<string, string> = {},
): Started {
  const items: LineItem[] = [];
  const errors: string[] = [];
  const exits: ChildExit[] = [];
  const waiters: (() => void)[] = [];
  const wake = (): void => {
    for (const waiter of waiters) waiter();
  };
  const lines: string[] = [];
  const upstream = startStdioUpstream({
    command,
    args,
    environment,
    bounds,
    onLine(item) {
      items.push(item);
      if (item.kind === "line") lines.push(Buffer.from(item.bytes).toString("utf8"));
      wake();
    },
    onStderr: (line) => {
      errors.push(line);
      wake();
    },
    onExit(exit) {
      exits.push(exit);
      wake();
    },
  });
  running.push(upstream);
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (holds()) resolve();
      };
      waiters.push(look);
      look();
    });
  return {
    upstream,
    lines,
    items,
    errors,
    exits,
    said: (count) => until(() => items.length >= count),
    exited: () => until(() => exits.length > 0),
  };
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((upstream) => upstream.stop()));
});

const ECHO = `process.stdin.setEncoding("utf8"); let rest = ""; process.stdin.on("data", (text) => {
  rest += text; const lines = rest.split("\\n"); rest = lines.pop();
  for (const line of lines) process.stdout.write(line + "\\n");
});`;

/** A process that has ended and that nobody has asked after yet is not alive. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

describe("messages", () => {
  test("go as one line each, also where they were written over several", async () => {
    const child = start(ECHO);
    expect(child.upstream.send(Buffer.from('{"a":\n 1,\r\n"b":2}'))).toBe(true);
    expect(child.upstream.send(Buffer.from('{"c":3}'))).toBe(true);
    await child.said(2);
    expect(child.lines).toEqual(['{"a":  1,  "b":2}', '{"c":3}']);
  });

  test("keep every byte of a large one", async () => {
    const child = start(ECHO);
    const message = JSON.stringify({ text: "ü".repeat(500_000) });
    child.upstream.send(Buffer.from(message));
    await child.said(1);
    expect(child.lines[0]).toBe(message);
  });

  test("over the bound are dropped and told, and the next one arrives", async () => {
    const child = start(`console.log("x".repeat(5000)); console.log("{}"); process.stdin.resume();`, { lineBytes: 1000 });
    await child.said(2);
    expect(child.items.map((item) => item.kind)).toEqual(["overlong", "line"]);
  });

  test("that come while it is paused come after it goes on", async () => {
    const child = start(ECHO);
    child.upstream.pause();
    child.upstream.send(Buffer.from("{}"));
    await pause(150);
    expect(child.lines).toEqual([]);
    child.upstream.resume();
    await child.said(1);
  });

  test("are not taken by a child that is gone", async () => {
    const child = start("process.exit(3)");
    await child.exited();
    expect(child.upstream.send(Buffer.from("{}"))).toBe(false);
    expect(child.upstream.isRunning).toBe(false);
  });
});

describe("its end", () => {
  test("is told once, with its code, after its last words", async () => {
    const child = start(`process.stdout.write('{"last":1}'); process.stderr.write("oh no"); process.exitCode = 7;`);
    await child.exited();
    expect(child.exits).toEqual([{ code: 7, signal: null }]);
    expect(child.lines).toEqual(['{"last":1}']);
    expect(child.errors).toEqual(["oh no"]);
    expect(await child.upstream.stop()).toEqual({ code: 7, signal: null });
  });

  test("by a signal is told with it", async () => {
    const child = start(`process.kill(process.pid, "SIGABRT"); setTimeout(() => {}, 10_000);`);
    await child.exited();
    expect(child.exits).toEqual([{ code: null, signal: "SIGABRT" }]);
  });

  test("of a command that is not there is a word, no exception", async () => {
    const child = startCommand("/nowhere/at/all", []);
    await child.exited();
    expect(child.exits).toEqual([{ code: null, signal: null, failure: "the command was not found" }]);
    expect(child.upstream.send(Buffer.from("{}"))).toBe(false);
  });

  test.each([
    ["", []],
    [process.execPath, ["a\0b"]],
    [process.execPath, ["x".repeat(4_000_000)]],
  ])("of a command that can't even be asked for is one too", async (command, args) => {
    const child = startCommand(command, args);
    await child.exited();
    expect(child.exits).toHaveLength(1);
    expect(child.exits[0]?.failure).toContain("could not be started");
    expect(child.upstream.send(Buffer.from("{}"))).toBe(false);
  });

  test("does not wait for what it left behind with its output in hand", async () => {
    const child = start(
      `const child = require("node:child_process").spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"], { stdio: ["ignore", 1, 2] });
       process.stdout.write(child.pid + "\\n", () => process.exit(4));`,
    );
    await child.exited();
    expect(child.exits).toEqual([{ code: 4, signal: null }]);
    await untilGone(Number(child.lines[0]));
  });
});

describe("stopping", () => {
  test("ends the input first, and a child that minds it ends by itself", async () => {
    const child = start(
      `process.stdin.on("end", () => { console.log("bye"); process.exit(5); }); process.stdin.resume(); console.log("up");`,
    );
    await child.said(1);
    expect(await child.upstream.stop()).toEqual({ code: 5, signal: null });
    expect(child.lines).toEqual(["up", "bye"]);
    expect(child.exits).toHaveLength(1);
  });

  test("asks a child that does not", async () => {
    const child = start(`process.on("SIGTERM", () => process.exit(6)); setInterval(() => {}, 1000); console.log("up");`, {
      stopInputMs: 50,
    });
    await child.said(1);
    expect(await child.upstream.stop()).toEqual({ code: 6, signal: null });
  });

  test("makes one that hangs, and takes along what it started", async () => {
    const child = start(
      `process.on("SIGTERM", () => {});
       const { pid } = require("node:child_process").spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"], { stdio: "ignore" });
       setInterval(() => {}, 1000); setTimeout(() => console.log(pid), 200);`,
      { stopInputMs: 50, stopTermMs: 100 },
    );
    await child.said(1);
    const grandchild = Number(child.lines[0]);
    expect(isAlive(grandchild)).toBe(true);
    const started = performance.now();
    expect(await child.upstream.stop()).toEqual({ code: null, signal: "SIGKILL" });
    expect(performance.now() - started).toBeLessThan(5_000);
    await untilGone(grandchild);
  });

  test("twice is once", async () => {
    const child = start(ECHO);
    const [first, second] = await Promise.all([child.upstream.stop(), child.upstream.stop()]);
    expect(first).toEqual(second);
    expect(child.exits).toHaveLength(1);
  });
});

/** Killed is not gone: that is the kernel's to do. */
async function untilGone(pid: number): Promise<void> {
  for (let n = 0; n < 500 && isAlive(pid); n++) await pause(20);
  expect(isAlive(pid)).toBe(false);
}

test("a process that ends without a stop takes its children along, also one that hangs", async () => {
  const room = new URL("../../src/upstream/channel/child-process.ts", import.meta.url).href;
  const stubborn = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log(process.pid);`;
  const script = `import { startStdioUpstream } from ${JSON.stringify(room)};
    startStdioUpstream({ command: process.execPath, args: ["-e", ${JSON.stringify(stubborn)}], environment: {}, onStderr() {}, onExit() {},
      onLine(item) { process.stdout.write(item.bytes, () => process.exit(3)); } });`;
  const parent = startCommand(process.execPath, ["--input-type=module", "-e", script]);
  await parent.exited();
  expect(parent.exits[0]?.code).toBe(3);
  const pid = Number(parent.lines[0]);
  expect(pid).toBeGreaterThan(1);
  await untilGone(pid);
});

test("of a folder that is not there is told as what it is", async () => {
  const exits: ChildExit[] = [];
  const upstream = startStdioUpstream({
    command: process.execPath,
    args: [],
    environment: {},
    cwd: "/nowhere/at/all",
    onLine: () => undefined,
    onStderr: () => undefined,
    onExit: (exit) => void exits.push(exit),
  });
  expect(await upstream.stop()).toMatchObject({ failure: "the folder it starts in is not there" });
  expect(exits).toHaveLength(1);
});

describe("error output", () => {
  test("comes in lines, long ones cut", async () => {
    const child = start(
      `console.error("first"); process.stderr.write("10%\\r20%\\n"); console.error("x".repeat(20_000)); console.error("last");`,
    );
    await child.exited();
    expect(child.errors.slice(0, 3)).toEqual(["first", "10%", "20%"]);
    expect((child.errors[3] as string).length).toBeLessThan(9_000);
    expect(child.errors[4]).toBe("last");
  });
});

describe("the environment", () => {
  test("holds what is configured and what every program needs, no more", () => {
    const own = { PATH: "/bin", HOME: "/home/a", LC_ALL: "C", SALLYPORT_MASTER_KEY: "x", AWS_SECRET_ACCESS_KEY: "y", SHELL: "() { :; }" };
    expect(createChildEnvironment(own, { API_KEY: "z", HOME: "/srv" })).toEqual({ PATH: "/bin", HOME: "/srv", LC_ALL: "C", API_KEY: "z" });
  });

  test("is the child's whole environment", async () => {
    const child = start(`console.log(JSON.stringify(Object.keys(process.env)));`, {}, { ONE: "1" });
    await child.said(1);
    const names = (JSON.parse(child.lines[0] as string) as string[]).filter((name) => !name.startsWith("__"));
    expect(names).toEqual(["ONE"]);
  });

  test("no shell reads the arguments", async () => {
    const child = startCommand(process.execPath, ["-e", "console.log(process.argv[1])", "$(echo hi); `id`"]);
    await child.said(1);
    expect(child.lines).toEqual(["$(echo hi); `id`"]);
  });
});

test("a child that closes its input does not end us", async () => {
  const child = start(`process.stdin.destroy(); setTimeout(() => {}, 300);`);
  await pause(150);
  for (let count = 0; count < 50; count++) child.upstream.send(Buffer.from(`{"n":"${"x".repeat(10_000)}"}`));
  await child.exited();
  expect(child.exits).toHaveLength(1);
});
