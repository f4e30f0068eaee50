/**
 * What every database promises to the rooms, as one suite over a way to open it. A second database is one more call of
 * `describeStore`.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FailureError } from "../../src/kernel/failure.ts";
import { bumpGeneration, readGeneration } from "../../src/store/generation.ts";
import { releaseLease, takeLease } from "../../src/store/lease.ts";
import { readRows } from "../../src/store/read-rows.ts";
import { type Batch, MAX_GROUP_JOBS, MAX_WAITING_WRITES, type Migrations, type Store } from "../../src/store/store.ts";

/** One fresh database that can be opened any number of times. */
export interface Database {
  open(migrations: readonly Migrations[]): Promise<Store>;
  remove(): Promise<void>;
}

const migrations: Migrations = {
  "0001-notes": (batch) => batch.run("CREATE TABLE note (id bigint NOT NULL PRIMARY KEY, words text NOT NULL)").then(() => undefined),
};

const put = (batch: Batch, id: number, words = "") => batch.run("INSERT INTO note (id, words) VALUES (?, ?)", [id, words]);
const idsIn = async (store: Store) => (await readRows(store.query, "SELECT id FROM note ORDER BY id")).map((row) => Number(row["id"]));
const codeOf = (error: unknown) => (error instanceof FailureError ? error.failures[0]?.code : String(error));
const codeOfRejection = (promise: Promise<unknown>) => promise.then(() => "resolved", codeOf);

/** `isShared`: by processes that can't hear of each other but by asking the database. */
export function describeStore(name: string, create: () => Promise<Database>, isShared = false): void {
  describe(`the store on ${name}`, () => {
    let database: Database;
    let store: Store;
    const opened: Store[] = [];
    const open = async (steps: readonly Migrations[] = [migrations]) => {
      const another = await database.open(steps);
      opened.push(another);
      return another;
    };

    beforeEach(async () => {
      database = await create();
      store = await open();
    });
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close();
      await database.remove();
    });

    test("a write is there when its promise resolves, with its value", async () => {
      expect(await store.write(async (batch) => `${await put(batch, 1)} row`)).toBe("1 row");
      expect(await idsIn(store)).toEqual([1]);
    });

    test("jobs that arrive together run in order in one group", async () => {
      const batches = await Promise.all(
        [1, 2, 3].map((id) =>
          store.write(async (batch) => {
            expect((await batch.all("SELECT id FROM note")).length).toBe(id - 1);
            await put(batch, id);
            return batch;
          }),
        ),
      );
      expect(new Set(batches).size).toBe(1);
      expect(await idsIn(store)).toEqual([1, 2, 3]);
    });

    test("a write that arrives while a group runs is in the next one", async () => {
      let later: Promise<Batch> | undefined;
      const first = await store.write(async (batch) => {
        later = store.write(async (next) => next);
        return batch;
      });
      expect(await later).not.toBe(first);
    });

    test("a group has a bound, and all of a longer queue run", async () => {
      const count = MAX_GROUP_JOBS * 2 + 1;
      const batches = await Promise.all(
        Array.from({ length: count }, (_, id) => store.write(async (batch) => (await put(batch, id), batch))),
      );
      expect(new Set(batches).size).toBe(3);
      expect((await idsIn(store)).length).toBe(count);
    });

    test("a job that throws undoes its whole group, and everyone is told", async () => {
      const hooks: string[] = [];
      const own = new Error("mine");
      const results = await Promise.allSettled([
        store.write(async (batch) => {
          batch.afterRollback(() => hooks.push("undone"));
          batch.afterCommit(() => hooks.push("durable"));
          await put(batch, 1);
        }),
        store.write(async () => {
          throw own;
        }),
        store.write((batch) => put(batch, 3)),
      ]);
      expect(results.map((result) => result.status)).toEqual(["rejected", "rejected", "rejected"]);
      expect(results.map((result) => result.status === "rejected" && codeOf(result.reason))).toEqual([
        "storage_unavailable",
        String(own),
        "storage_unavailable",
      ]);
      expect(hooks).toEqual(["undone"]);
      expect(await idsIn(store)).toEqual([]);
      await store.write((batch) => put(batch, 4));
      expect(await idsIn(store)).toEqual([4]);
    });

    test("a name that is taken is a conflict, which undoes the group though its job catches it", async () => {
      await store.write((batch) => put(batch, 1));
      expect(await codeOfRejection(store.write((batch) => put(batch, 1)))).toBe("conflict");
      let caught: unknown;
      const write = store.write(async (batch) => {
        await put(batch, 2);
        caught = await batch.query.insertInto("note").values({ id: 1, words: "" }).execute().catch(codeOf);
      });
      expect(await codeOfRejection(write)).toBe("storage_unavailable");
      expect(caught).toBe("conflict");
      expect(await idsIn(store)).toEqual([1]);
    });

    test("what is sent without waiting is there with the group, or undoes it", async () => {
      const insert = "INSERT INTO note (id, words) VALUES (?, ?)";
      await store.write(async (batch) => {
        for (const id of [1, 2, 3]) batch.send(insert, [id, ""]);
        batch.beforeCommit({}, async () => batch.send(insert, [4, ""]));
      });
      expect(await idsIn(store)).toEqual([1, 2, 3, 4]);
      const write = store.write(async (batch) => {
        batch.beforeCommit({}, async () => {
          batch.send(insert, [5, ""]);
          batch.send(insert, [1, ""]);
        });
      });
      expect(await codeOfRejection(write)).toBe("storage_unavailable");
      expect(await idsIn(store)).toEqual([1, 2, 3, 4]);
    });

    test("jobs that share and jobs that do not all run, each in the order they came", async () => {
      const order: number[] = [];
      const terms = { shared: true, locks: ["note"] } as const;
      const write = (id: number, isShared: boolean) =>
        store.write(
          async (batch) => {
            await put(batch, id);
            order.push(id);
          },
          isShared ? terms : undefined,
        );
      await Promise.all([write(1, true), write(2, true), write(3, false), write(4, true), write(5, false)]);
      expect(order).toEqual([1, 2, 3, 4, 5]);
      expect(await idsIn(store)).toEqual([1, 2, 3, 4, 5]);
    });

    test("groups of several connections that name one lock never lose an update", async () => {
      const other = await open();
      await store.write((batch) => put(batch, 1, "0"));
      const add = (one: Store, locks: readonly string[] | undefined) =>
        one.write(async (batch) => {
          const [row] = await batch.all("SELECT words FROM note WHERE id = 1");
          await batch.run("UPDATE note SET words = ? WHERE id = 1", [String(Number(row?.["words"]) + 1)]);
        }, locks && { shared: true, locks });
      const ways = [["a", "one"], ["one", "b"], undefined];
      await Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          await new Promise((resolve) => setImmediate(resolve));
          await add(index % 2 === 0 ? store : other, ways[index % 3]);
        }),
      );
      expect((await readRows(store.query, "SELECT words FROM note WHERE id = 1"))[0]?.["words"]).toBe("60");
    });

    test("a group has a time, which does not go back", async () => {
      const times: number[] = [];
      for (let round = 0; round < 3; round++) times.push(await store.write(async (batch) => batch.nowMs));
      expect(times).toEqual(times.toSorted((left, right) => left - right));
      expect(times.every((time) => Number.isSafeInteger(time) && Math.abs(time - Date.now()) < 60_000)).toBe(true);
    });

    test("texts are compared byte by byte", async () => {
      const words = ["b", "B", "a", "é", "Z", "_", "-a", "10", "9", "a b", "ab"];
      await store.write(async (batch) => {
        for (const [id, word] of words.entries()) await put(batch, id, word);
      });
      const rows = await readRows(store.query, "SELECT words FROM note ORDER BY words");
      expect(rows.map((row) => row["words"])).toEqual(
        words.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right))),
      );
      expect(await readRows(store.query, "SELECT id FROM note WHERE words > ? AND words < ?", ["A", "C"])).toHaveLength(1);
    });

    test("hooks before the commit run once, in order, after the last job, and may ask for more", async () => {
      const order: string[] = [];
      const key = {};
      const job = (words: string) =>
        store.write(async (batch) => {
          order.push(words);
          batch.beforeCommit(key, async () => {
            order.push(`hook of ${words}`);
            await put(batch, 9);
            batch.beforeCommit({}, async () => void order.push("late hook"));
          });
          batch.afterCommit(() => order.push("durable"));
        });
      await Promise.all([job("a"), job("b")]);
      expect(order).toEqual(["a", "b", "hook of a", "late hook", "durable", "durable"]);
      expect(await idsIn(store)).toEqual([9]);
    });

    test("a hook that throws undoes the group", async () => {
      const write = store.write(async (batch) => {
        batch.beforeCommit({}, () => Promise.reject(new Error("no")));
        await put(batch, 1);
      });
      await expect(write).rejects.toThrow("could not be finished");
      expect(
        await codeOfRejection(store.write(async (batch) => batch.beforeCommit({}, () => batch.run("no sql").then(() => undefined)))),
      ).toBe("storage_unavailable");
      expect(await idsIn(store)).toEqual([]);
    });

    test("nobody reads what is not committed", async () => {
      const seen: number[][] = [];
      await store.write(async (batch) => {
        await put(batch, 1);
        void idsIn(store).then((ids) => seen.push(ids));
        while (seen.length === 0) await batch.all("SELECT id FROM note");
      });
      expect(seen).toEqual([[]]);
    });

    test("a job that waits for something else is undone as a bug", async () => {
      let late: unknown;
      const stuck = store.write(async (batch) => {
        await put(batch, 1);
        await new Promise((resolve) => setTimeout(resolve, 20));
        late = await put(batch, 2).catch((error: unknown) => error);
      });
      await expect(stuck).rejects.toThrow("waited for something other");
      const nested = store.write(async () => store.write(async () => 1));
      await expect(nested).rejects.toThrow("waited for something other");
      await new Promise((resolve) => setTimeout(resolve, 40));
      expect(String(late)).toContain("after its group had ended");
      expect(await idsIn(store)).toEqual([]);
    });

    test("a batch is dead after its group", async () => {
      const batch = await store.write(async (one) => one);
      await expect(batch.all("SELECT 1")).rejects.toThrow("after its group had ended");
      await expect(batch.query.selectFrom("note").selectAll().execute()).rejects.toThrow("after its group had ended");
      expect(() => batch.afterCommit(() => undefined)).toThrow("after its group had ended");
    });

    test("above the bound a write is refused at once", async () => {
      const waiting = Array.from({ length: MAX_WAITING_WRITES }, () => store.write(async () => 1));
      expect(store.waiting).toBe(MAX_WAITING_WRITES);
      expect(await codeOfRejection(store.write(async () => 1))).toBe("storage_unavailable");
      expect((await Promise.all(waiting)).length).toBe(MAX_WAITING_WRITES);
      expect(store.waiting).toBe(0);
    });

    test("closing runs what waits and refuses what comes", async () => {
      const write = store.write((batch) => put(batch, 1));
      const closing = store.close();
      expect(await codeOfRejection(store.write(async () => 1))).toBe("storage_unavailable");
      await closing;
      expect(await write).toBe(1);
      expect(() => store.readEpoch()).toThrow(FailureError);
      expect(await idsIn(await open())).toEqual([1]);
      await store.close();
    });

    test("values come back as they went in", async () => {
      const words = "naïve 漢字 🙂 'quoted' \0 end";
      await store.write((batch) => put(batch, Number.MAX_SAFE_INTEGER, words));
      const [row] = await store.query.selectFrom("note").selectAll().execute();
      expect({ ...row }).toEqual({ id: Number.MAX_SAFE_INTEGER, words });
    });

    test("what is no value of the database is refused, not bent", async () => {
      for (const value of [true, {}, new Date(0), Number.NaN, Number.POSITIVE_INFINITY, "\ud800"]) {
        const write = store.write((batch) => batch.run("INSERT INTO note (id, words) VALUES (?, ?)", [1, value as never]));
        await expect(write).rejects.toThrow("parameter");
        const first = store.write((batch) => batch.query.insertInto("note").values({ id: value, words: "" }).execute());
        await expect(first).rejects.toThrow("parameter");
      }
      expect(await idsIn(store)).toEqual([]);
    });

    test("the query builder builds, counts and returns; transactions and streams are refused", async () => {
      const changed = await store.write(async (batch) => {
        await batch.query
          .insertInto("note")
          .values([1, 2].map((id) => ({ id, words: "" })))
          .execute();
        const [result] = await batch.query.updateTable("note").set({ words: "x" }).execute();
        const rows = await batch.query.deleteFrom("note").where("id", "=", 1).returning("words").execute();
        return [Number(result?.numUpdatedRows), rows.map((row) => row["words"])];
      });
      expect(changed).toEqual([2, ["x"]]);
      await expect(store.query.transaction().execute(async () => 1)).rejects.toThrow("`Store.write`");
      await expect(
        (async () => {
          for await (const row of store.query.selectFrom("note").selectAll().stream()) expect(row).toBeUndefined();
        })(),
      ).rejects.toThrow("pages");
    });

    test("reads outside of a group can't write", async () => {
      expect(await codeOfRejection(store.query.insertInto("note").values({ id: 1, words: "" }).execute())).toBe("storage_unavailable");
    });

    if (!isShared) {
      test("the epoch stands while only this store writes, and moves when another one has", async () => {
        const other = await open();
        const epochOf = (one: Store) => one.write(async (batch) => batch.epoch);
        const first = await epochOf(store);
        await store.write((batch) => put(batch, 1));
        expect(await epochOf(store)).toBe(first);
        expect(store.readEpoch()).toBe(first);
        await other.write((batch) => put(batch, 2));
        const second = store.readEpoch();
        expect(second).not.toBe(first);
        expect(await epochOf(store)).toBe(second);
        await other.write((batch) => put(batch, 3));
        expect(await epochOf(store)).not.toBe(second);
      });
    } else {
      test("the epoch is another one with every group and every question", async () => {
        const epochOf = () => store.write(async (batch) => batch.epoch);
        const seen = [await epochOf(), await epochOf(), store.readEpoch(), store.readEpoch(), await epochOf()];
        expect(new Set(seen).size).toBe(seen.length);
      });

      test("whoever asks for the generation hears of every change before", async () => {
        const other = await open();
        const ask = store.askGeneration as () => Promise<number>;
        for (let round = 0; round < 20; round++) {
          const early = ask();
          await other.write(bumpGeneration);
          const [after, before] = await Promise.all([ask(), early]);
          expect(after).toBe(await readGeneration(other.query));
          expect([after, after - 1]).toContain(before);
        }
      });

      test("a shared group knows the generation, and no change comes in between", async () => {
        const other = await open();
        let change: Promise<void> | undefined;
        const seen = await store.write(
          async (batch) => {
            const before = await readGeneration(batch);
            change = other.write(bumpGeneration);
            for (let round = 0; round < 20; round++) await batch.all("SELECT id FROM note");
            const [row] = await batch.all("SELECT value FROM meta WHERE name = 'generation'");
            return [before, row?.["value"]];
          },
          { shared: true, locks: [] },
        );
        expect(seen[0]).toBe(seen[1]);
        await change;
        expect(await readGeneration(store.query)).toBe((seen[0] as number) + 1);
      });
    }

    test("the generation moves with its change, for everybody, and not without it", async () => {
      const other = await open();
      const before = await readGeneration(store.query);
      const epochs = [store.readEpoch(), other.readEpoch()];
      const inside = await store.write(async (batch) => {
        const old = batch.epoch;
        await bumpGeneration(batch);
        return [batch.epoch !== old, await readGeneration(batch)];
      });
      expect(inside).toEqual([true, before + 1]);
      expect(await readGeneration(other.query)).toBe(before + 1);
      expect(store.readEpoch()).not.toBe(epochs[0]);
      expect(other.readEpoch()).not.toBe(epochs[1]);
      await codeOfRejection(
        store.write(async (batch) => {
          await bumpGeneration(batch);
          throw new Error("no");
        }),
      );
      expect(await readGeneration(store.query)).toBe(before + 1);
    });

    test("an index that is read while its change is not yet durable is read again", async () => {
      let during = 0;
      await store.write(async (batch) => {
        await bumpGeneration(batch);
        during = store.readEpoch();
      });
      expect(store.readEpoch()).not.toBe(during);
    });

    test("a lease is one holder's until its time is over or it is given back", async () => {
      const take = (holder: string, nowMs: number, name = "renew/a") =>
        store.write((batch) => takeLease(batch, { name, holder, nowMs, untilMs: nowMs + 100 }));
      expect(await take("one", 1_000)).toBe(true);
      expect(await take("two", 1_099)).toBe(false);
      expect(await take("two", 1_050, "renew/b")).toBe(true);
      expect(await take("one", 1_050)).toBe(true);
      expect(await take("two", 1_149)).toBe(false);
      expect(await take("two", 1_150)).toBe(true);
      expect(await store.write((batch) => releaseLease(batch, "renew/a", "one"))).toBe(false);
      expect(await take("one", 1_200)).toBe(false);
      expect(await store.write((batch) => releaseLease(batch, "renew/a", "two"))).toBe(true);
      expect(await take("one", 1_200)).toBe(true);
    });

    test("of many that want a lease at once, in two connections, one gets it", async () => {
      const other = await open();
      const takes = Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? store : other).write((batch) =>
          takeLease(batch, { name: "renew", holder: `holder ${index}`, nowMs: 1_000, untilMs: 2_000 }),
        ),
      );
      expect((await Promise.all(takes)).filter(Boolean)).toHaveLength(1);
    });

    test("steps of the schema run once, by number, whichever room brings them", async () => {
      const order: string[] = [];
      const step = (words: string) => async () => void order.push(words);
      const rooms: Migrations[] = [migrations, { "0003-c": step("c"), "0002-a": step("a") }, { "0002-b": step("b") }];
      await open(rooms);
      await open(rooms);
      expect(order).toEqual(["a", "b", "c"]);
    });

    test("a step that fails leaves nothing behind", async () => {
      const failing: Migrations = {
        "0002-half": async (batch) => {
          await batch.run("CREATE TABLE half (id bigint NOT NULL)");
          throw new Error("a half step");
        },
      };
      await expect(open([migrations, failing])).rejects.toThrow("a half step");
      await open([migrations, { "0002-half": (batch) => batch.run("CREATE TABLE half (id bigint NOT NULL)").then(() => undefined) }]);
    });

    test("a database of a newer version is refused", async () => {
      await open([migrations, { "0002-more": async () => undefined }]);
      await expect(open()).rejects.toThrow("newer version: it has the step `0002-more`");
    });
  });
}
