/** Ends a rotation of the sealing keys that a command began and did not end; beside the work, a few rows at a time. */
import type { DataFolder } from "./data-folder.ts";
import type { Log } from "./observe/log.ts";
import { CONNECTION_SEALS } from "./upstream/oauth/tables.ts";
import { resealAll } from "./vault/reseal.ts";

/** Never rejects: the old keys still open what they sealed. */
export async function finishRotation(folder: Pick<DataFolder, "store" | "openKeyring">, log: Log): Promise<void> {
  try {
    const { versions, current } = await folder.store.write((batch) => folder.openKeyring(batch));
    if (versions.length === 1) return;
    const { rows, damaged } = await resealAll((job) => folder.store.write(job), folder.openKeyring, CONNECTION_SEALS);
    if (rows > 0) log.info("key.resealed", `${rows} sealed texts are sealed with key ${current} now.`);
    if (damaged > 0) log.warn("key.damaged", `${damaged} sealed texts can't be opened; they are left as they are.`);
  } catch {
    log.warn("key.not_resealed", "What older keys sealed could not be sealed anew; it is tried again at the next start.");
  }
}
