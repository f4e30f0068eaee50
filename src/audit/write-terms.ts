/** What the upkeep of the log asks of others: nothing but that no other does the same; calls go on beside it. */
import type { WriteTerms } from "../store/store.ts";

export const BESIDE_CALLS: WriteTerms = { shared: true, locks: ["audit/upkeep"] };
