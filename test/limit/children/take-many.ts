/**
 * A process that takes one limit so many times and says each take once it is durable: `ok` or `full`.
 * argv: folder, how many (0: without end), how many at once, max.
 */
import { createSteadyClock } from "../../../src/kernel/clock.ts";
import { createLimits } from "../../../src/limit/create-limits.ts";
import { openLimitStore } from "../rigs.ts";
import { chargeOf, limitOf, partiesOf } from "../specs.ts";

const [, , folder = "", count = "0", width = "1", max = "1"] = process.argv;
const clock = createSteadyClock();
const store = await openLimitStore(folder, clock);
const limits = createLimits({ clock });
const charge = chargeOf(limitOf({ max: Number(max), windowMs: 3_600_000 }));
const takeOne = async () => {
  const answer = await store.write((batch) => limits.take(batch, [charge], partiesOf(), clock.now()));
  process.stdout.write(answer.ok ? "ok\n" : "full\n");
};
const total = count === "0" ? Number.POSITIVE_INFINITY : Number(count);
for (let done = 0; done < total; done += Number(width)) {
  await Promise.all(Array.from({ length: Number(width) }, takeOne));
}
await store.close();
