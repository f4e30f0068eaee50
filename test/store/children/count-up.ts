/** A process that writes rows without end and says each number once it is durable. argv: file. */
import { createSteadyClock } from "../../../src/kernel/clock.ts";
import { openStore } from "../../../src/store/open-store.ts";

const store = await openStore({
  file: process.argv[2] ?? "",
  clock: createSteadyClock(),
  durability: "process",
  migrations: [{ "0001-note": (batch) => batch.run("CREATE TABLE note (id bigint NOT NULL PRIMARY KEY)").then(() => undefined) }],
});
for (let id = 1; ; id++) {
  await store.write((batch) => batch.run("INSERT INTO note (id) VALUES (?)", [id]));
  process.stdout.write(`${id}\n`);
}
