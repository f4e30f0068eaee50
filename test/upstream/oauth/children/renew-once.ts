/** A process that holds the connection of a folder, says `ready`, and renews it when it is told to. argv: folder, now, address. */
import { createManualClock } from "../../../../src/kernel/clock.ts";
import { holdConnection, openFolder } from "../rig.ts";

const [, , folder = "", now = "0", url = ""] = process.argv;
const clock = createManualClock(Number(now));
const opened = await openFolder(folder, clock);
const { source } = holdConnection(opened, clock, url, 20_000);
await source.load();
process.stdout.write("ready\n");
process.stdin.once("data", () => {
  void source.renew().then(async (credential) => {
    process.stdout.write(`${credential.kind === "ready" ? credential.authorization : credential.kind}\n`);
    await opened.close();
    process.exit(0);
  });
});
