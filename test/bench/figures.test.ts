/** What the bench makes of its samples: ratios pair by pair, verdicts, shares of a profile, growth. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { CALL_BODY, GOOD_ANSWER } from "../../bench/call-body.ts";
import { drawSvg } from "../../bench/draw-curve.ts";
import { judgeTable } from "../../bench/judge-table.ts";
import { type Measured, NAMES, type Table } from "../../bench/measure-table.ts";
import { divide, pairUp, quantile, spreadOf } from "../../bench/numbers.ts";
import { type OpenLoop, runOpenLoop } from "../../bench/open-loop.ts";
import { type CpuProfile, listFunctions, shareOut } from "../../bench/profile.ts";
import type { OpenSample, Sample } from "../../bench/sample.ts";
import { judgeGrowth } from "../../bench/soak.ts";

const ROUNDS = 5;

interface Figures {
  readonly callsPerSecond: number;
  readonly cpuUs?: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
}

function measured(name: string, figures: Figures): Measured {
  const { callsPerSecond, cpuUs = 50, p50Us = 100, p99Us = 1000 } = figures;
  const sample: Sample = { callsPerSecond, cpuUs, p50Us, p99Us, foreignCores: 0, errors: 0, calls: 1, sent: 1 };
  const open: OpenSample = { calls: 1, sent: 1, p50Us, p99Us, p999Us: p99Us, errors: 0, senderP99Us: 0, cpuUs, foreignCores: 0 };
  const many = <T>(one: T): T[] => Array.from({ length: ROUNDS }, () => one);
  return {
    name,
    at: new Map([1, 16, 64].map((connections) => [connections, many(sample)])),
    open: many(open),
    entriesPerCall: undefined,
    residentMiB: 100,
  };
}

/** A run in which every mark is met, with some systems otherwise. */
function makeTable(others: Readonly<Record<string, Figures>> = {}, table: Partial<Table> = {}): Table {
  const all: Record<string, Figures> = {
    [NAMES.nginx]: { callsPerSecond: 30_000, p50Us: 90 },
    [NAMES.relay]: { callsPerSecond: 14_000 },
    [NAMES.relayAgain]: { callsPerSecond: 14_000 },
    [NAMES.process]: { callsPerSecond: 13_000, cpuUs: 60, p50Us: 140, p99Us: 1200 },
    [NAMES.disk]: { callsPerSecond: 12_000, p50Us: 300 },
    [NAMES.stdio]: { callsPerSecond: 12_000 },
    "other 1.0.0": { callsPerSecond: 1_000 },
    ...others,
  };
  const systems = Object.entries(all).map(([name, figures]) => measured(name, figures));
  return { systems, disturbed: 0, samples: 100, syncsPerCall: 2, ...table };
}

const unmet = (table: Table): string[] =>
  judgeTable(table)
    .marks.filter(({ met }) => met === false)
    .map(({ mark }) => mark);

describe("figures of many rounds", () => {
  it("are told as median and half the distance of the quartiles", () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(spreadOf([1, 2, 3, 4, 100])).toEqual({ value: 3, half: 1 });
  });

  it("are compared round by round, so that a drift of the machine cancels", () => {
    expect(pairUp([10, 20, 40], [20, 40, 80], divide)).toEqual({ value: 0.5, half: 0 });
  });
});

describe("the marks", () => {
  it("are met by a run that meets them all", () => {
    const verdict = judgeTable(makeTable());
    expect(verdict.judged).toBe(true);
    expect(verdict.marks.map(({ met }) => met)).toEqual(verdict.marks.map(() => true));
  });

  it.each<readonly [string, Readonly<Record<string, Figures>>, Partial<Table>]>([
    ["throughput ÷ nginx", { [NAMES.nginx]: { callsPerSecond: 33_000, p50Us: 90 } }, {}],
    ["own CPU over the raw relay, µs", { [NAMES.process]: { callsPerSecond: 13_000, cpuUs: 62.5, p50Us: 140, p99Us: 1200 } }, {}],
    ["p50 over nginx at one connection, µs", { [NAMES.nginx]: { callsPerSecond: 30_000, p50Us: 79 } }, {}],
    ["p99 ÷ raw relay at half load", { [NAMES.process]: { callsPerSecond: 13_000, cpuUs: 60, p50Us: 140, p99Us: 1301 } }, {}],
    ["throughput before stdio ÷ other 1.0.0", { "other 1.0.0": { callsPerSecond: 1_201 } }, {}],
    ["disk: fdatasync a call at one connection", {}, { syncsPerCall: 2.1 }],
    ["disk: p50 over process at one connection, µs", { [NAMES.disk]: { callsPerSecond: 12_000, p50Us: 341 } }, {}],
    ["disk: throughput ÷ process", { [NAMES.disk]: { callsPerSecond: 11_000, p50Us: 300 } }, {}],
  ])("know when %s is not met", (mark, others, table) => {
    expect(unmet(makeTable(others, table))).toEqual([mark]);
  });

  it("are not judged while the machine does other things, or the relay is not itself", () => {
    for (const noisy of [makeTable({}, { disturbed: 51 }), makeTable({ [NAMES.relayAgain]: { callsPerSecond: 10_000 } })]) {
      const verdict = judgeTable(noisy);
      expect(verdict.judged).toBe(false);
      expect(verdict.words).toContain("too busy to judge");
      expect(verdict.marks.every(({ met }) => met === undefined)).toBe(true);
    }
  });

  it("do not take what was not counted for met", () => {
    const verdict = judgeTable(makeTable({}, { syncsPerCall: undefined }));
    expect(verdict.marks.find(({ mark }) => mark.includes("fdatasync"))?.met).toBeUndefined();
  });
});

describe("an open loop", () => {
  it("charges a stall to every call that was due in it, and not to those alone that were under way", async () => {
    const STALL = { fromMs: 700, toMs: 1_100 };
    let firstMs: number | undefined;
    const server = createServer((request, response) => {
      request.resume().on("end", () => {
        firstMs ??= performance.now();
        const atMs = performance.now() - firstMs;
        const answer = (): void => void response.end(`{${GOOD_ANSWER}}`);
        if (atMs > STALL.fromMs && atMs < STALL.toMs) setTimeout(answer, STALL.toMs - atMs);
        else answer();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const load: OpenLoop = {
      urls: [`http://127.0.0.1:${(server.address() as AddressInfo).port}/`],
      headers: {},
      sessions: [],
      body: CALL_BODY,
      callsPerSecond: 200,
      seconds: 1,
      connections: 4,
    };
    const result = await runOpenLoop(load);
    expect(result.errors).toBe(0);
    expect(result.calls).toBeGreaterThan(100);
    // Four calls were under way; a closed loop would have told of four slow ones in two hundred.
    const slow = 0.75;
    expect(result.p99Us).toBeGreaterThan((STALL.toMs - STALL.fromMs) * 1000 * slow);
  });

  it("counts an answer that is none as an error", async () => {
    const server = createServer((request, response) => {
      request.resume().on("end", () => response.end('{"isError":true}'));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}/`];
    const result = await runOpenLoop({
      urls,
      headers: {},
      sessions: [],
      body: CALL_BODY,
      callsPerSecond: 50,
      seconds: 0.2,
      connections: 2,
    });
    expect(result.calls).toBe(0);
    expect(result.errors).toBe(result.sent);
    expect(result.sent).toBeGreaterThan(0);
  });
});

describe("a profile", () => {
  const frame = (functionName: string, url = "") => ({ functionName, url, lineNumber: 9 });
  const profile: CpuProfile = {
    nodes: [
      { id: 1, callFrame: frame("(root)"), children: [2, 3, 6] },
      { id: 2, callFrame: frame("(idle)") },
      { id: 3, callFrame: frame("decide", "file:///x/src/policy/decide.ts"), children: [4, 5] },
      { id: 4, callFrame: frame("run") },
      { id: 5, callFrame: frame("indexOf") },
      { id: 6, callFrame: frame("emit", "node:events") },
    ],
    samples: [2, 3, 4, 5, 6],
    timeDeltas: [1000, 100, 50, 25, 25],
  };

  it("is shared out among rooms, Node and what runs in C++, without the time that was idle", () => {
    expect(shareOut(profile)).toEqual([
      { part: "ours: policy", share: 0.625 },
      { part: "SQLite", share: 0.25 },
      { part: "Node's own JavaScript", share: 0.125 },
    ]);
  });

  it("names the functions with their place", () => {
    expect(listFunctions(profile)[0]).toEqual({ part: "decide src/policy/decide.ts:10", share: 0.5 });
  });
});

describe("memory over time", () => {
  it("may fill up at first, and is called growth when it goes on", () => {
    const still = [
      ...Array.from({ length: 20 }, (_, index) => 100 + index * 5),
      ...Array.from({ length: 40 }, (_, index) => 200 + (index % 2)),
    ];
    expect(judgeGrowth(still).flat).toBe(true);
    expect(judgeGrowth(Array.from({ length: 60 }, (_, index) => 100 + index * 2)).flat).toBe(false);
  });
});

describe("a curve", () => {
  it("is drawn with a place for every point", () => {
    const svg = drawSvg(
      "CPU",
      "µs",
      [1, 100, 10_000].map((size) => ({ size, value: 50 })),
    );
    expect(svg.match(/<circle /g)).toHaveLength(3);
    expect(svg).not.toContain("NaN");
  });
});
