/** Counters that were lost come back from the journal, exactly, and nothing passes until they have. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FailureError } from "../../../src/kernel/failure.ts";
import { MAX_LIVE_SESSIONS, type Reservation, type TakeAnswer } from "../../../src/limit/limits.ts";
import { readRows } from "../../../src/store/read-rows.ts";
import { waitUntil } from "../../support/gateway.ts";
import { HAS_REDIS, startRedis, type TestRedis } from "../../support/redis.ts";
import { calendarOf, chargeOf, limitOf, partiesOf, START } from "../specs.ts";
import { createRedisRig, type RedisRig } from "./rig.ts";

const parties = partiesOf();
const servers: TestRedis[] = [];
const rigs: RedisRig[] = [];

async function openServer(options?: Parameters<typeof startRedis>[0]): Promise<TestRedis> {
  const redis = await startRedis(options);
  servers.push(redis);
  return redis;
}

async function openRig(url: string, options?: Parameters<typeof createRedisRig>[1]): Promise<RedisRig> {
  const rig = await createRedisRig(url, options);
  rigs.push(rig);
  return rig;
}

const reservationOf = (answer: TakeAnswer): Reservation => {
  if (!answer.ok || !answer.reservation) throw new Error("nothing was reserved");
  return answer.reservation;
};

/** Passes, is full, or can't be counted now; anything else is an error. */
async function ask(rig: RedisRig, charges: Parameters<RedisRig["limits"]["take"]>[0], nowMs = START, who = parties): Promise<string> {
  try {
    return (await rig.limits.take(charges, who, nowMs)).ok ? "ok" : "full";
  } catch (error) {
    if (error instanceof FailureError && error.failures[0]?.code === "limits_unavailable") return "unavailable";
    if (error instanceof Error && error.message === "the counters were made anew") return "unavailable";
    throw error;
  }
}

const recovered = (rig: RedisRig) => waitUntil(() => rig.opened.findObstacle?.() === undefined);
const rowsOf = async (rig: RedisRig) => Number((await readRows(rig.store.query, "SELECT count(*) AS n FROM limit_charge"))[0]?.["n"]);

afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.close();
  for (const redis of servers.splice(0)) await redis.stop();
});

describe.runIf(HAS_REDIS)("counters that were lost", () => {
  let redis: TestRedis;
  beforeEach(async () => {
    redis = await openServer({ persists: true });
  });

  const day = chargeOf(limitOf({ key: "day", max: 3, calendar: calendarOf("day") }));
  const sliding = chargeOf(limitOf({ key: "sliding", max: 3 }));
  const both = [day, sliding];

  test.each(["FLUSHALL", "FLUSHDB", "DEL"])("%s: calls are refused until the counts are back, which they are", async (command) => {
    const rig = await openRig(redis.url);
    expect([await ask(rig, both), await ask(rig, both, START + 20_000)]).toEqual(["ok", "ok"]);
    await redis.send(
      ...(command === "DEL" ? ["DEL", `sallyport:{${(await redis.send("KEYS", "*")).match(/\{([^}]+)\}/)?.[1]}}:origin`] : [command]),
    );
    expect(await ask(rig, both, START + 20_001)).toBe("unavailable");
    await recovered(rig);
    expect([await ask(rig, both, START + 30_000), await ask(rig, both, START + 30_001)]).toEqual(["ok", "full"]);
    // In their own buckets: the first is free after a minute, the second is not.
    expect([await ask(rig, [sliding], START + 60_000), await ask(rig, [sliding], START + 79_999)]).toEqual(["ok", "full"]);
    expect(await ask(rig, [sliding], START + 80_000)).toBe("ok");
    expect(await rig.limits.peek([day], parties, START + 80_000)).toMatchObject({ ok: false, retryAfterMs: 14 * 3_600_000 - 80_000 });
    expect(rig.said.join("\n")).toMatch(/refused: .*\n.*made in Redis from 4 charges on record\.\n.*again/);
  });

  test.each([true, false])("a server that is killed and comes back (with its file: %s) counts on", async (persists) => {
    const own = persists ? redis : await openServer();
    const rig = await openRig(own.url);
    expect([await ask(rig, both), await ask(rig, both)]).toEqual(["ok", "ok"]);
    await own.kill();
    expect(await ask(rig, both)).toBe("unavailable");
    expect(rig.opened.findObstacle?.()).toBeDefined();
    await own.start();
    await recovered(rig);
    expect([await ask(rig, both), await ask(rig, both)]).toEqual(["ok", "full"]);
  });

  test("a Redis that is not there when everything starts is waited for by nobody", async () => {
    await redis.kill();
    const rig = await openRig(redis.url);
    expect(rig.opened.findObstacle?.()).toMatch(/can't be reached/);
    expect(await ask(rig, both)).toBe("unavailable");
    await redis.start();
    await recovered(rig);
    expect(await ask(rig, both)).toBe("ok");
  });

  test("what was given back is not brought back, and what came of an earlier making gives nothing back twice", async () => {
    const rig = await openRig(redis.url);
    const charge = [chargeOf(limitOf({ max: 3, counts: "successes" }))];
    const first = reservationOf(await rig.limits.take(charge, parties, START));
    const second = reservationOf(await rig.limits.take(charge, parties, START));
    await rig.limits.take(charge, parties, START);
    expect(await rig.limits.settle(first, "tool_error")).toBe(true);
    expect(await rowsOf(rig)).toBe(2);
    await redis.send("FLUSHALL");
    await ask(rig, charge);
    await recovered(rig);
    expect(await rig.limits.settle({ ...first }, "not_sent")).toBe(false);
    expect([await ask(rig, charge), await ask(rig, charge)]).toEqual(["ok", "full"]);
    // It counted when the counters were made: on record it is given back, there it stays charged.
    expect(await rig.limits.settle(second, "tool_error")).toBe(true);
    expect(await ask(rig, charge)).toBe("full");
    await redis.send("FLUSHALL");
    await ask(rig, charge);
    await recovered(rig);
    expect([await ask(rig, charge), await ask(rig, charge)]).toEqual(["ok", "full"]);
  });

  test("what was taken before a rebuilding and is not on record does not go out", async () => {
    const one = await openRig(redis.url);
    const hold = await one.opened.reserve?.([sliding], parties, "take");
    await redis.send("FLUSHALL");
    await ask(one, [sliding]);
    await recovered(one);
    expect(await one.store.write(async (batch) => hold?.holds(batch))).toBe(false);
    expect(await Promise.all([1, 2, 3, 4].map(() => ask(one, [sliding])))).toEqual(["ok", "ok", "ok", "full"]);
  });

  test("a failover to a replica that had not heard of everything loses nothing that is on record", async () => {
    const replica = await openServer({ args: ["--replicaof", "127.0.0.1", String(redis.port)] });
    await waitUntil(async () => (await replica.send("INFO", "replication")).includes("master_link_status:up"));
    const switchboard = await startSwitchboard(redis.port);
    try {
      const rig = await openRig(switchboard.url);
      expect(await ask(rig, [sliding])).toBe("ok");
      await waitUntil(async () => (await replica.send("KEYS", "*:c:*")).includes(":c:"));
      // From here on it lags, for ever.
      await replica.send("REPLICAOF", "NO", "ONE");
      expect([await ask(rig, [sliding]), await ask(rig, [sliding])]).toEqual(["ok", "ok"]);
      switchboard.turnTo(replica.port);
      // Whoever asks is told that it can't be counted, or the truth.
      const answers: string[] = [];
      await waitUntil(async () => {
        answers.push(await ask(rig, [sliding]));
        return answers.at(-1) === "full";
      });
      expect(answers).not.toContain("ok");
    } finally {
      await switchboard.stop();
    }
  });

  test("two gateways make them anew together, and agree", async () => {
    const one = await openRig(redis.url);
    const [folderOfOne] = (await readRows(one.store.query, "PRAGMA database_list")).map((row) =>
      String(row["file"]).replace(/\/store\.db$/, ""),
    );
    const home = (await redis.send("KEYS", "*")).match(/\{([^}]+)\}/)?.[1] ?? "";
    const two = await openRig(redis.url, { folder: folderOfOne as string, home });
    const wide = chargeOf(limitOf({ key: "wide", max: 40 }));
    for (let round = 0; round < 3; round++) {
      await Promise.all([ask(one, [wide]), ask(two, [wide])]);
      await redis.send("FLUSHALL");
      await Promise.all([ask(one, [wide]), ask(two, [wide])]);
      await waitUntil(async () => {
        const both_ = [
          await one.limits.peek([wide], parties, START).catch(() => undefined),
          await two.limits.peek([wide], parties, START).catch(() => undefined),
        ];
        return both_.every((answer) => answer?.ok === true);
      });
    }
    const onRecord = await rowsOf(one);
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => ask(n % 2 === 0 ? one : two, [wide])));
    expect(answers.filter((answer) => answer === "ok").length).toBe(40 - onRecord);
    expect(await rowsOf(two)).toBe(40);
  });

  test("emptied, killed and cut off in the midst of many calls through two gateways: what went out is what counts", async () => {
    const own = await openServer();
    const one = await openRig(own.url, { ownTime: true });
    const [folderOfOne] = (await readRows(one.store.query, "PRAGMA database_list")).map((row) =>
      String(row["file"]).replace(/\/store\.db$/, ""),
    );
    const home = (await own.send("KEYS", "*")).match(/\{([^}]+)\}/)?.[1] ?? "";
    const two = await openRig(own.url, { folder: folderOfOne as string, home, ownTime: true });
    const charge = [chargeOf(limitOf({ key: "storm", max: 150, windowMs: 3_600_000 }))];
    const answers: string[] = [];
    const ask20 = async () =>
      answers.push(...(await Promise.all(Array.from({ length: 20 }, (_, n) => ask(n % 2 === 0 ? one : two, charge)))));
    const faults = [
      () => own.send("FLUSHALL"),
      () => own.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
      () => own.send("SCRIPT", "FLUSH"),
      () => own.kill().then(() => own.start()),
    ];
    for (let round = 0; round < 12; round++) await Promise.all([ask20(), (faults[round % faults.length] as () => Promise<unknown>)()]);
    const count = (word: string) => answers.filter((answer) => answer === word).length;
    expect(count("unavailable")).toBeGreaterThan(0);
    expect(count("ok")).toBeLessThanOrEqual(150);
    await waitUntil(async () => {
      await ask20();
      return count("ok") >= 150;
    });
    for (let round = 0; round < 3; round++) await ask20();
    expect(count("ok")).toBe(150);
    expect(await rowsOf(one)).toBe(150);
  });

  test("ten thousand rows come back by pages, and the sessions of a grant are bounded there too", async () => {
    const rig = await openRig(redis.url);
    const charge = [chargeOf(limitOf({ scope: "session", max: 2 }))];
    const of = (session: string) => partiesOf({ session });
    expect(await ask(rig, charge, START, of("s0"))).toBe("ok");
    await rig.store.write((batch) =>
      batch.run(
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MAX_LIVE_SESSIONS - 1})
         INSERT INTO limit_charge SELECT 'r' || i, 'c' || i, bucket, at_ms, free_ms, expires_ms, calendar, amount, family, sessions, 's' || i
         FROM n, (SELECT * FROM limit_charge LIMIT 1)`,
      ),
    );
    await redis.send("FLUSHALL");
    await ask(rig, charge, START, of("s0"));
    await recovered(rig);
    expect(rig.said.join("\n")).toContain(`from ${MAX_LIVE_SESSIONS} charges on record`);
    expect(await ask(rig, charge, START, of("one more"))).toBe("full");
    expect(await rig.limits.take(charge, of("one more"), START)).toMatchObject({ charge: charge[0] });
    expect([await ask(rig, charge, START, of("s0")), await ask(rig, charge, START, of("s0"))]).toEqual(["ok", "full"]);
    expect(await ask(rig, charge, START, partiesOf({ grant: "g2", session: "one more" }))).toBe("ok");
    expect(await ask(rig, charge, START + 62_000, of("one more"))).toBe("ok");
  });
});

/** What stands before a Redis and its replica: turned from one to the other, it cuts everybody off. */
async function startSwitchboard(port: number): Promise<{ readonly url: string; turnTo(port: number): void; stop(): Promise<void> }> {
  let target = port;
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    const onward = connect(target, "127.0.0.1");
    for (const end of [socket, onward]) {
      sockets.add(end);
      end.on("error", () => undefined);
      end.on("close", () => {
        sockets.delete(end);
        socket.destroy();
        onward.destroy();
      });
    }
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `redis://127.0.0.1:${(server.address() as { port: number }).port}`,
    turnTo: (other) => {
      target = other;
      cut();
    },
    stop: async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
