/** A process that opens the store in a folder, writes one row and closes. argv: file, own number. */
import { createSteadyClock } from "../../../src/kernel/clock.ts";
import { openStore } from "../../../src/store/open-store.ts";

const [, , file = "", own = "0"] = process.argv;
const store = await openStore({
  file,
  clock: createSteadyClock(),
  durability: "process",
  migrations: [{ "0001-note": (batch) => batch.run("CREATE TABLE note (id bigint NOT NULL PRIMARY KEY)").then(() => undefined) }],
});
await store.write((batch) => batch.run("INSERT INTO note (id) VALUES (?)", [Number(own)]));
await store.close();
