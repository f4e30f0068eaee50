/** What can go wrong between us and a PostgreSQL: every fault is refused in a bounded time, in words, and passes by itself. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createSteadyClock, createStoreClock } from "../../src/kernel/clock.ts";
import { FailureError, formatFailure } from "../../src/kernel/failure.ts";
import { openStore } from "../../src/store/open-store.ts";
import { IDLE_IN_GROUP_MS } from "../../src/store/postgres/connection.ts";
import { MAX_GROUP_LOCKS } from "../../src/store/postgres/group-writer.ts";
import type { Batch, Migrations, Store } from "../../src/store/store.ts";
import { isLeftOut, type PostgresCluster, startPostgres } from "../support/postgres.ts";

const TIMEOUT = 120_000;
const notes: Migrations = {
  "0001-notes": async (batch) => void (await batch.run("CREATE TABLE note (id bigint NOT NULL PRIMARY KEY, words text NOT NULL)")),
};
const put = (id: number) => (batch: Batch) => batch.run("INSERT INTO note (id, words) VALUES (?, '')", [id]);
const wordsOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: Error) => error.message,
  );

async function until(ask: () => Promise<string>, wanted: string): Promise<void> {
  for (const end = Date.now() + 60_000; ; ) {
    const said = await ask();
    if (said === wanted) return;
    if (Date.now() > end) throw new Error(`it still says: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe.skipIf(isLeftOut)("a store on PostgreSQL", () => {
  let cluster: PostgresCluster;
  const opened: Store[] = [];
  beforeAll(async () => {
    cluster = await startPostgres();
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
  });
  afterAll(() => cluster.stop());

  async function open(url: string, deadlineMs?: number): Promise<Store> {
    const store = await openStore({
      url,
      clock: createSteadyClock(),
      durability: "process",
      migrations: [notes],
      busyTimeoutMs: deadlineMs,
    });
    opened.push(store);
    return store;
  }
  const everything = (store: Store) => [
    store.write(async () => undefined),
    store.write(async () => undefined, { shared: true, locks: [] }),
    (store.askGeneration as () => Promise<number>)(),
    store.query.selectFrom("note").selectAll().execute(),
  ];

  test("that is stopped, killed or frozen refuses everything in a bounded time, and works again by itself", {
    timeout: TIMEOUT,
  }, async () => {
    const url = await cluster.createDatabase();
    const store = await open(url, 1_500);
    await store.write(put(1));
    const works = async (id: number) => {
      await until(() => wordsOf(store.write(put(id))), "done");
      await until(() => wordsOf(Promise.all(everything(store))), "done");
    };
    for (const [id, signal] of [
      [2, "SIGKILL"],
      [3, "SIGINT"],
    ] as const) {
      await cluster.kill(signal);
      for (const said of await Promise.all(everything(store).map(wordsOf))) expect(said).toMatch(/database/);
      await cluster.start();
      await works(id);
    }
    const frozen = await cluster.freeze();
    try {
      const said = await Promise.all(everything(store).map(wordsOf));
      expect(said.every((words) => /too long|broke|in time/.test(words))).toBe(true);
    } finally {
      frozen.thaw();
    }
    await works(4);
  });

  test("a process that freezes while it holds locks keeps nobody for long", { timeout: TIMEOUT }, async () => {
    const url = await cluster.createDatabase();
    const store = await open(url);
    const script = path.join(import.meta.dirname, "children", "freeze-in-group.ts");
    const child = spawn(process.execPath, [script], { env: { ...process.env, STORE_URL: url }, stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    await Promise.race([
      new Promise((resolve) => child.stdout.once("data", resolve)),
      new Promise((_, reject) => child.once("exit", () => reject(new Error("it ended before it held anything")))),
    ]);
    const startedMs = performance.now();
    // Another lock is free at once; the same one, and everybody's, when the server has given up on the frozen one.
    await store.write(put(1), { shared: true, locks: ["two"] });
    expect(await wordsOf(store.write(put(2), { shared: true, locks: ["one"] }))).toBe("done");
    expect(performance.now() - startedMs).toBeGreaterThan(IDLE_IN_GROUP_MS / 2);
    expect(await wordsOf(store.write(put(3)))).toBe("done");
  });

  test("locks are apart: groups that name others go on beside one that is held", { timeout: TIMEOUT }, async () => {
    const url = await cluster.createDatabase();
    const [store, other] = [await open(url), await open(url)];
    const beside: string[] = [];
    await store.write(
      async (batch) => {
        void other.write(put(1), { shared: true, locks: ["b"] }).then(() => beside.push("done"));
        while (beside.length === 0) await batch.all("SELECT 1 AS one");
      },
      { shared: true, locks: ["a"] },
    );
    expect(beside).toEqual(["done"]);
  });

  test("a group holds so many locks and no more; what is beyond is in the next", { timeout: TIMEOUT }, async () => {
    const store = await open(await cluster.createDatabase());
    const locksOf = (job: number) => Array.from({ length: MAX_GROUP_LOCKS / 2 }, (_, index) => `${job}/${index}`);
    const batches = await Promise.all(
      Array.from({ length: 6 }, (_, job) => store.write(async (batch) => batch, { shared: true, locks: locksOf(job) })),
    );
    expect(new Set(batches).size).toBe(3);
    expect(batches.every((batch) => batch.locks?.size === MAX_GROUP_LOCKS)).toBe(true);
  });

  test("a database that was made anew in its place is refused in words", { timeout: TIMEOUT }, async () => {
    const url = await cluster.createDatabase();
    const name = url.slice(url.lastIndexOf("/") + 1);
    const store = await open(url);
    await store.write(put(1));
    await cluster.run(`ALTER DATABASE ${name} RENAME TO ${name}_kept`).catch(async () => {
      await cluster.run(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
      await cluster.run(`ALTER DATABASE ${name} RENAME TO ${name}_kept`);
    });
    await until(() => wordsOf(store.write(put(2))), "There is no database of that name on the server.");
    await cluster.run(`CREATE DATABASE ${name}`);
    expect(await wordsOf(store.write(put(2)))).toContain("not the one that this gateway opened");
    // Even one that was opened since.
    const fresh = await open(url);
    await fresh.write(put(2));
    for (const said of await Promise.all(everything(store).map(wordsOf))) expect(said).toContain("not the one that this gateway opened");
    await fresh.close();
    await cluster.run(`DROP DATABASE ${name} WITH (FORCE)`);
    await cluster.run(`ALTER DATABASE ${name}_kept RENAME TO ${name}`);
    await until(() => wordsOf(store.write(put(2))), "done");
  });

  test("tables that are emptied under it are noticed", { timeout: TIMEOUT }, async () => {
    const url = await cluster.createDatabase();
    const store = await open(url);
    await store.write(put(1));
    const database = url.slice(url.lastIndexOf("/") + 1);
    await cluster.run("TRUNCATE meta", database);
    for (const said of (await Promise.all(everything(store).map(wordsOf))).slice(0, 3)) expect(said).toMatch(/emptied|not the one/);
  });

  test("a connection that is cut in the middle of a group undoes it, and the next group has another", { timeout: TIMEOUT }, async () => {
    const url = await cluster.createDatabase();
    const store = await open(url);
    let undone = 0;
    const cut = store.write(async (batch) => {
      batch.afterRollback(() => undone++);
      await put(1)(batch);
      await batch.all("SELECT pg_terminate_backend(pg_backend_pid())");
    });
    expect(await wordsOf(cut)).toMatch(/stopped|broke/);
    expect(undone).toBe(1);
    await store.write(put(1));
  });

  test("what is held open beyond its deadline is undone, and says so", { timeout: TIMEOUT }, async () => {
    const store = await open(await cluster.createDatabase(), 500);
    const slow = store.write(async (batch) => {
      await put(1)(batch);
      await batch.all("SELECT pg_sleep(30)");
    });
    expect(await wordsOf(slow)).toContain("took too long");
    expect(
      await wordsOf(
        store.query
          .selectFrom("note")
          .selectAll()
          .execute()
          .then((rows) => expect(rows).toEqual([])),
      ),
    ).toBe("done");
    // One that came too late to be heard of may have been committed all the same.
    let id = 1;
    await until(() => wordsOf(store.write(put(++id))), "done");
  });

  test("many open one fresh database at the same time, and a step of the schema runs once", { timeout: TIMEOUT }, async () => {
    const url = await cluster.createDatabase();
    let runs = 0;
    const steps: Migrations = {
      "0001-single": async (batch) => void (runs++, await batch.run("CREATE TABLE single (id bigint NOT NULL)")),
    };
    const stores = await Promise.all(
      Array.from({ length: 6 }, () => openStore({ url, clock: createSteadyClock(), durability: "disk", migrations: [steps] })),
    );
    opened.push(...stores);
    expect(runs).toBe(1);
  });

  test("one that serves goes on when a newer version has changed the tables", { timeout: TIMEOUT }, async () => {
    const url = await cluster.createDatabase();
    const old = await open(url);
    const all = () => old.write((batch) => batch.all("SELECT * FROM note"));
    await old.write(put(1));
    await all();
    const newer: Migrations = { "0002-more": async (batch) => void (await batch.run("ALTER TABLE note ADD COLUMN more text")) };
    opened.push(await openStore({ url, clock: createSteadyClock(), durability: "process", migrations: [notes, newer] }));
    await until(() => wordsOf(all()), "done");
    await old.write(put(2));
    await expect(open(url)).rejects.toThrow("newer version");
  });

  test("the store's clock is everybody's, whatever their own says", { timeout: TIMEOUT }, async () => {
    const url = await cluster.createDatabase();
    const hourMs = 3_600_000;
    for (const driftMs of [-hourMs, hourMs]) {
      const clock = createStoreClock(() => Date.now() + driftMs);
      const store = await openStore({ url, clock, durability: "process", migrations: [] });
      opened.push(store);
      const nowMs = await store.write(async (batch) => batch.nowMs);
      expect(Math.abs(nowMs - Date.now())).toBeLessThan(hourMs / 2);
      expect(Math.abs(clock.now() - Date.now())).toBeLessThan(hourMs / 2);
    }
  });

  test("a wrong user, password, database, port or encoding is told in words that hold no secret", { timeout: TIMEOUT }, async () => {
    const url = await cluster.createDatabase();
    const canary = `canary-${randomBytes(8).toString("hex")}`;
    await cluster
      .run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'")
      .catch(() => cluster.run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"));
    const wrong: readonly (readonly [string, RegExp])[] = [
      [url.replace(cluster.password, canary), /refused the user or the password/],
      [url.replace("admin:", `${canary}:`), /refused the user/],
      [url.replace(/store_\d+$/, "nobody"), /no database of that name/],
      [url.replace(`:${cluster.port}`, ":1"), /Nobody listens/],
      [url.replace(/store_\d+$/, "latin"), /encoding is not UTF8/],
      [`${url}?sslmode=require`, /does not speak TLS/],
      [`${url}?sslmode=verify-full`, /does not speak TLS/],
      [`${url}?${canary}=1`, /sslmode/],
    ];
    for (const [address, words] of wrong) {
      const error = await open(address).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(FailureError);
      const told = (error as FailureError).failures.map(formatFailure).join(" ");
      expect(told).toMatch(words);
      expect(`${told} ${JSON.stringify(error)}`).not.toContain(canary);
      expect(`${told} ${JSON.stringify(error)}`).not.toContain(cluster.password);
    }
  });
});
