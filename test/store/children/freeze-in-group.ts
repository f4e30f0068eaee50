/** Holds the locks of a group, says so, and stops: as a process that the system froze. */
import { createSteadyClock } from "../../../src/kernel/clock.ts";
import { openStore } from "../../../src/store/open-store.ts";

const store = await openStore({
  url: process.env["STORE_URL"],
  clock: createSteadyClock(),
  durability: "process",
  migrations: [{ "0001-notes": async () => undefined }],
});
await store.write(
  async (batch) => {
    await batch.all("SELECT 1 AS one");
    process.stdout.write("held\n", () => process.kill(process.pid, "SIGSTOP"));
    for (;;) await batch.all("SELECT 1 AS one");
  },
  { shared: true, locks: ["one"] },
);
