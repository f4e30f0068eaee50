/** Redis that stalls, cuts off, forgets or refuses: never one call too many, and never a wait without an end. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { FailureError } from "../../../src/kernel/failure.ts";
import type { Reservation, TakeAnswer } from "../../../src/limit/limits.ts";
import { COMMAND_TIMEOUT_MS, CONNECT_TIMEOUT_MS } from "../../../src/limit/redis/link.ts";
import { readRows } from "../../../src/store/read-rows.ts";
import { waitUntil } from "../../support/gateway.ts";
import { HAS_REDIS, startRedis, type TestRedis } from "../../support/redis.ts";
import { calendarOf, chargeOf, limitOf, partiesOf, START, UNIT } from "../specs.ts";
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

async function ask(rig: RedisRig, charges: Parameters<RedisRig["limits"]["take"]>[0], nowMs = START): Promise<string> {
  try {
    return (await rig.limits.take(charges, parties, nowMs)).ok ? "ok" : "full";
  } catch (error) {
    if (error instanceof FailureError && error.failures[0]?.code === "limits_unavailable") return "unavailable";
    if (error instanceof Error && error.message === "the counters were made anew") return "unavailable";
    throw error;
  }
}

const countOf = (answers: readonly string[], word: string) => answers.filter((answer) => answer === word).length;
const recovered = (rig: RedisRig) => waitUntil(() => rig.opened.findObstacle?.() === undefined);
const rowsOf = async (rig: RedisRig) => Number((await readRows(rig.store.query, "SELECT count(*) AS n FROM limit_charge"))[0]?.["n"]);
const askMany = (rig: RedisRig, count: number, charge: ReturnType<typeof chargeOf>) =>
  Promise.all(Array.from({ length: count }, () => ask(rig, [charge])));

afterEach(async () => {
  for (const rig of rigs.splice(0)) await rig.close();
  for (const redis of servers.splice(0)) await redis.stop();
});

describe.runIf(HAS_REDIS)("counters in Redis", () => {
  let version = "";
  beforeAll(async () => {
    const redis = await startRedis();
    ({ version } = redis);
    await redis.stop();
    process.stdout.write(`Faults of Redis ${version}\n`);
  });

  test("frozen: refused within its time, and whatever was under way is given back when it thaws", async () => {
    const redis = await openServer();
    const rig = await openRig(redis.url, { commandTimeoutMs: 300 });
    const charge = chargeOf(limitOf({ max: 10 }));
    expect(await ask(rig, [charge])).toBe("ok");
    redis.signal("SIGSTOP");
    const answers = await askMany(rig, 20, charge);
    expect(countOf(answers, "unavailable")).toBe(20);
    expect(rig.opened.findObstacle?.()).toBeDefined();
    expect(await ask(rig, [charge])).toBe("unavailable");
    redis.signal("SIGCONT");
    await recovered(rig);
    // Nine are left: none of the twenty has gone out, and none stays charged.
    await waitUntil(async () => (await rig.limits.peek([chargeOf(limitOf({ max: 10 }), { amount: 9n * UNIT })], parties, START)).ok);
    expect(countOf(await askMany(rig, 15, charge), "ok")).toBe(9);
    expect(await rowsOf(rig)).toBe(10);
  });

  test("cut off again and again in mid-call: what is on record is what counts, and never too much", async () => {
    const redis = await openServer();
    const rig = await openRig(redis.url, { ownTime: true });
    const charge = chargeOf(limitOf({ max: 60, windowMs: 3_600_000 }));
    const cutter = { isAtWork: true };
    const cuts = (async () => {
      while (cutter.isAtWork) await redis.send("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    })();
    const answers: string[] = [];
    for (let round = 0; round < 30; round++) {
      answers.push(...(await askMany(rig, 10, charge)));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    cutter.isAtWork = false;
    await cuts;
    expect(countOf(answers, "unavailable")).toBeGreaterThan(0);
    await recovered(rig);
    expect(countOf(answers, "ok")).toBeLessThanOrEqual(60);
    await waitUntil(async () => {
      answers.push(...(await askMany(rig, 10, charge)));
      return countOf(answers, "ok") === 60;
    });
    expect(countOf(await askMany(rig, 20, charge), "ok")).toBe(0);
    expect(await rowsOf(rig)).toBe(60);
  });

  test("scripts that Redis has forgotten are told it again", async () => {
    const redis = await openServer();
    const rig = await openRig(redis.url);
    const charge = chargeOf(limitOf({ max: 2 }));
    expect(await ask(rig, [charge])).toBe("ok");
    await redis.send("SCRIPT", "FLUSH");
    expect([await ask(rig, [charge]), await ask(rig, [charge])]).toEqual(["ok", "full"]);
  });

  test("a call that is refused after its taking gives back; one that was abandoned can't be taken later", async () => {
    const redis = await openServer();
    const rig = await openRig(redis.url);
    const charge = chargeOf(limitOf({ max: 1 }));
    const hold = await rig.opened.reserve?.([charge], parties, "take");
    expect(await ask(rig, [charge])).toBe("full");
    hold?.release();
    hold?.release();
    expect([await ask(rig, [charge]), await ask(rig, [charge])]).toEqual(["ok", "full"]);
  });

  test("a refund by several at once, and by copies, is one refund", async () => {
    const redis = await openServer();
    const rig = await openRig(redis.url);
    const charge = chargeOf(limitOf({ max: 3, counts: "successes" }));
    const first = reservationOf(await rig.limits.take([charge], parties, START));
    await askMany(rig, 2, charge);
    // As it comes back where it was carried as text.
    const carry = (value: Reservation): Reservation => {
      const text = JSON.stringify(value, (_, member: unknown) => (typeof member === "bigint" ? { $big: String(member) } : member));
      return JSON.parse(text, (_, member: { $big?: string } | null) =>
        member?.$big === undefined ? member : BigInt(member.$big),
      ) as Reservation;
    };
    const told = await Promise.all(Array.from({ length: 10 }, () => rig.limits.settle(carry(first), "tool_error")));
    expect(told.filter(Boolean)).toHaveLength(1);
    expect(await askMany(rig, 3, charge)).toEqual(["ok", "full", "full"]);
  });

  test("nothing stays for ever but the word that it is the right Redis", async () => {
    const redis = await openServer();
    const rig = await openRig(redis.url);
    const charges = [
      chargeOf(limitOf({ key: "a", counts: "successes" }), { per: "text:someone@example.com" }),
      chargeOf(limitOf({ key: "b", calendar: calendarOf("month") })),
      chargeOf(limitOf({ key: "c", scope: "session" })),
    ];
    const reservation = reservationOf(await rig.limits.take(charges, partiesOf({ session: "s" }), START));
    await rig.limits.settle(reservation, "tool_error");
    const hold = await rig.opened.reserve?.(charges, parties, "take");
    hold?.release();
    await rig.opened.reserve?.(charges, parties, "peek");
    const keys = [...(await redis.send("KEYS", "*")).matchAll(/(sallyport:\S+)/g)].map((match) => match[1] as string);
    expect(keys.length).toBeGreaterThan(5);
    const lasting: string[] = [];
    for (const key of keys) if ((await redis.send("PTTL", key)).startsWith(":-1")) lasting.push(key);
    expect(lasting).toEqual([expect.stringMatching(/\}:origin$/)]);
    expect(new Set(keys.map((key) => /\{[^}]+\}/.exec(key)?.[0])).size).toBe(1);
    expect((await redis.send("KEYS", "*someone*")).includes("someone")).toBe(false);
  });

  test("a Redis that forgets under pressure, or is a replica, holds no counters until that is mended", async () => {
    const redis = await openServer({ args: ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"] });
    const rig = await openRig(redis.url);
    const charge = chargeOf(limitOf({ max: 2 }));
    await waitUntil(() => /noeviction/.test(rig.opened.findObstacle?.() ?? ""));
    expect(await ask(rig, [charge])).toBe("unavailable");
    await redis.send("CONFIG", "SET", "maxmemory-policy", "noeviction");
    await recovered(rig);
    expect(await ask(rig, [charge])).toBe("ok");
    const other = await openServer();
    await redis.send("REPLICAOF", "127.0.0.1", String(other.port));
    await waitUntil(async () => (await ask(rig, [charge])) === "unavailable");
    await waitUntil(() => /replica/.test(rig.opened.findObstacle?.() ?? ""));
    await redis.send("REPLICAOF", "NO", "ONE");
    await recovered(rig);
    expect([await ask(rig, [charge]), await ask(rig, [charge])]).toEqual(["ok", "full"]);
  });

  test("a full Redis refuses", async () => {
    const redis = await openServer();
    const rig = await openRig(redis.url);
    const charge = chargeOf(limitOf({ max: 2 }));
    await redis.send("CONFIG", "SET", "maxmemory", "1");
    expect(await ask(rig, [charge])).toBe("unavailable");
    await redis.send("CONFIG", "SET", "maxmemory", "0");
    await recovered(rig);
    expect([await ask(rig, [charge]), await ask(rig, [charge]), await ask(rig, [charge])]).toEqual(["ok", "ok", "full"]);
  });

  test("the password opens, a wrong one does not, and neither is ever told", async () => {
    const redis = await openServer({ password: "p@ss canary/1" });
    const right = await openRig(redis.url);
    expect(await ask(right, [chargeOf(limitOf())])).toBe("ok");
    const wrong = await openRig(`redis://:wrong-canary@127.0.0.1:${redis.port}`);
    expect(await ask(wrong, [chargeOf(limitOf())])).toBe("unavailable");
    const told = [...right.said, ...wrong.said, wrong.opened.findObstacle?.()].join("\n");
    expect(told).toContain("WRONGPASS");
    expect(told).not.toMatch(/canary|127\.0\.0\.1/);
  });

  test("a user with the rights that the page names, and no others, is enough", async () => {
    const redis = await openServer();
    const rights = ["~sallyport:*", "+@read", "+@write", "+@scripting", "+info", "+time", "+select"];
    const page = readFileSync(path.resolve(import.meta.dirname, "../../../docs/limits.md"), "utf8");
    expect(page).toContain(`\`${rights.join(" ")}\``);
    await redis.send("ACL", "SETUSER", "counter", "on", ">a password", ...rights);
    const rig = await openRig(`redis://counter:a%20password@127.0.0.1:${redis.port}/3`);
    const charge = chargeOf(limitOf({ max: 1, counts: "successes" }), { per: "text:a" });
    const reservation = reservationOf(await rig.limits.take([charge], parties, START));
    await rig.limits.settle(reservation, "tool_error");
    expect([await ask(rig, [charge]), await ask(rig, [charge])]).toEqual(["ok", "full"]);
    await redis.send("FLUSHALL");
    await ask(rig, [charge]);
    await recovered(rig);
    expect(await ask(rig, [charge])).toBe("full");
    await redis.send("ACL", "SETUSER", "counter", "-info");
    await waitUntil(() => /NOPERM/.test(rig.opened.findObstacle?.() ?? ""));
  });

  test("a durable limit is counted in the store: it needs no Redis, and both are told as one", async () => {
    const redis = await openServer();
    const rig = await openRig(redis.url);
    const durable = (max: number) => chargeOf(limitOf({ key: "d", rule: "/durable", max, durable: true }));
    const other = (max: number) => chargeOf(limitOf({ key: "o", rule: "/other", max, windowMs: 3_600_000 }));
    expect(await ask(rig, [durable(2), other(2)])).toBe("ok");
    expect(await rowsOf(rig)).toBe(1);
    // Full in the store: what Redis took is given back.
    expect(await rig.limits.take([other(2), durable(1)], parties, START)).toMatchObject({
      charge: { limit: { rule: "/durable" } },
      retryAfterMs: 60_000,
    });
    expect(await ask(rig, [other(2)])).toBe("ok");
    // Full in both: the first of the document is told, with the longest wait.
    expect(await rig.limits.take([durable(1), other(2)], parties, START)).toMatchObject({
      charge: { limit: { rule: "/durable" } },
      retryAfterMs: 3_600_000,
    });
    expect(await rig.limits.take([other(2), durable(1)], parties, START)).toMatchObject({ charge: { limit: { rule: "/other" } } });
    // Full in Redis alone: the store takes nothing.
    expect(await ask(rig, [durable(2), other(2)])).toBe("full");
    await redis.kill();
    expect([await ask(rig, [durable(2)]), await ask(rig, [durable(2)])]).toEqual(["ok", "full"]);
    expect(await ask(rig, [durable(3), other(9)])).toBe("unavailable");
    expect(await ask(rig, [durable(3)])).toBe("ok");
  });

  test("a refund reaches both, and only what the outcome says", async () => {
    const redis = await openServer();
    const rig = await openRig(redis.url);
    const charges = [
      chargeOf(limitOf({ key: "a", max: 1, durable: true, counts: "successes" })),
      chargeOf(limitOf({ key: "b", max: 1, counts: "successes" })),
      chargeOf(limitOf({ key: "c", max: 2 })),
    ];
    const reservation = reservationOf(await rig.limits.take(charges, parties, START));
    expect(await rig.limits.settle(reservation, "rpc_error")).toBe(true);
    expect(await rowsOf(rig)).toBe(1);
    expect([await ask(rig, charges), await ask(rig, charges)]).toEqual(["ok", "full"]);
    expect(await ask(rig, [charges[2] as never])).toBe("full");
  });

  test("the server's own clock decides, and calendars follow it", async () => {
    const redis = await openServer();
    const rig = await openRig(redis.url, { ownTime: true });
    const month = chargeOf(limitOf({ max: 1, calendar: calendarOf("month", "UTC") }));
    // The gateway's clock stands at another month.
    expect([await ask(rig, [month]), await ask(rig, [month])]).toEqual(["ok", "full"]);
    const answer = await rig.limits.peek([month], parties, START);
    const ofServer = Number(
      /\r\n\$\d+\r\n/.exec(await redis.send("TIME")) ? ((await redis.send("TIME")).match(/\$10\r\n(\d+)/)?.[1] ?? 0) : 0,
    );
    const date = new Date(ofServer * 1000);
    const end = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
    expect(answer.ok || Math.abs(Number(answer.retryAfterMs) - (end - ofServer * 1000))).toBeLessThan(60_000);
  });

  test("rows that count no more leave the store, the others stay", async () => {
    const redis = await openServer();
    const rig = await openRig(redis.url);
    const minute = chargeOf(limitOf({ max: 5_000 }));
    await Promise.all(Array.from({ length: 1_200 }, () => ask(rig, [minute])));
    await ask(rig, [chargeOf(limitOf({ key: "day", windowMs: 86_400_000 }))], START + 1);
    await ask(rig, [minute], START + 3_600_000);
    await rig.opened.prune();
    expect(await rowsOf(rig)).toBe(2);
  });

  test("no wait of the connection is without an end", () => {
    expect([COMMAND_TIMEOUT_MS, CONNECT_TIMEOUT_MS].every((ms) => ms > 0 && ms <= 5_000)).toBe(true);
  });
});
