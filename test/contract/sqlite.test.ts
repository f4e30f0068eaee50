import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSteadyClock } from "../../src/kernel/clock.ts";
import { openStore } from "../../src/store/open-store.ts";
import { describeStore } from "./store-contract.ts";

describeStore("SQLite", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-store-"));
  const clock = createSteadyClock();
  return {
    open: (migrations) => openStore({ file: join(folder, "store.db"), clock, durability: "process", migrations }),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
});
