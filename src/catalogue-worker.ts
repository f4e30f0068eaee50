/**
 * The thread that answers for the catalogue: a search through hundreds of thousands of tools, a page that is put together,
 * a policy that is judged for somebody who tries it, none of it in the way of a call.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Attack } from "./catalog/attacks/attack.ts";
import { loadAttacks } from "./catalog/attacks/load-attacks.ts";
import { ContactBox } from "./catalog/contact-box.ts";
import { ATTACK_FOLDER, OpenedCatalogue } from "./find-catalogue.ts";
import { assert } from "./kernel/assert.ts";
import { FailureError, formatFailure } from "./kernel/failure.ts";
import { answerCatalogue, type CatalogueRequest } from "./pages/catalog/answer-catalogue.ts";
import type { Answer } from "./pages/catalog/layout.ts";

export interface WorkerStart {
  readonly file?: string | undefined;
  readonly dataDir: string;
  readonly baseUrl: string;
}

export interface Asked {
  readonly id: number;
  readonly request: CatalogueRequest;
}

export interface Answered {
  readonly id: number;
  readonly answer?: Answer;
  /** Why there is none, for the log. */
  readonly trouble?: string;
}

const start = workerData as WorkerStart;
const opened = new OpenedCatalogue(start);
const box = new ContactBox(start.dataDir);
let loading: Promise<readonly Attack[]> | undefined;

async function readAttacks(): Promise<readonly Attack[]> {
  const loaded = await loadAttacks(ATTACK_FOLDER);
  if (!loaded.ok) throw new FailureError(loaded.failures);
  return loaded.value;
}

async function answer({ id, request }: Asked): Promise<Answered> {
  try {
    loading ??= readAttacks();
    const site = { baseUrl: start.baseUrl, attacks: await loading };
    const catalogue = await opened.read();
    return { id, answer: await answerCatalogue({ site, catalogue, box, now: Date.now }, request) };
  } catch (error) {
    const words = error instanceof FailureError ? error.failures.map(formatFailure).join(" ") : String(error);
    return { id, trouble: words };
  }
}

assert(parentPort !== null, "this file is a thread's");
const port = parentPort;
// One after the other: what is being built is not built twice.
let last: Promise<void> = Promise.resolve();
port.on("message", (asked: Asked) => {
  last = last.then(async () => port.postMessage(await answer(asked)));
});
