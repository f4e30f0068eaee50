/**
 * The schema, forward only. Each room brings its steps; all that are missing run in one immediate transaction, so that any
 * number of processes may open a fresh folder at once. A database that knows steps which we do not know is refused: it
 * was written by a newer version.
 */
import { assert } from "../kernel/assert.ts";
import { FailureError } from "../kernel/failure.ts";
import type { Batch, Migrations } from "./store.ts";

const STEP_NAME = /^(\d+)-[a-z0-9-]+$/;

interface Step {
  readonly name: string;
  readonly number: number;
  readonly apply: (batch: Batch) => Promise<void>;
}

/** In the order of their numbers; equal numbers in the order of the rooms. */
export function listSteps(rooms: readonly Migrations[]): readonly Step[] {
  const steps: Step[] = [];
  for (const room of rooms) {
    for (const [name, apply] of Object.entries(room)) {
      const match = STEP_NAME.exec(name);
      assert(match, `\`${name}\` is no name for a step of the schema`);
      assert(!steps.some((step) => step.name === name), `two steps of the schema are named \`${name}\``);
      steps.push({ name, number: Number(match[1]), apply });
    }
  }
  return steps.sort((left, right) => left.number - right.number);
}

/** Brings the tables up to date; gives the names of the steps that ran. */
export async function migrate(batch: Batch, rooms: readonly Migrations[], nowMs: number): Promise<readonly string[]> {
  const steps = listSteps(rooms);
  await batch.run("CREATE TABLE IF NOT EXISTS schema_step (name text NOT NULL PRIMARY KEY, applied_ms bigint NOT NULL)");
  const applied = new Set((await batch.all("SELECT name FROM schema_step")).map((row) => String(row["name"])));
  const unknown = [...applied].filter((name) => !steps.some((step) => step.name === name)).sort();
  if (unknown.length > 0) {
    throw new FailureError({
      code: "storage_unavailable",
      message: `The database was written by a newer version: it has the step \`${unknown[0]}\`.`,
      hint: "Start the newer version, or restore the copy that was made before it first ran.",
    });
  }
  const missing = steps.filter((step) => !applied.has(step.name));
  for (const step of missing) {
    await step.apply(batch);
    await batch.run("INSERT INTO schema_step (name, applied_ms) VALUES (?, ?)", [step.name, nowMs]);
  }
  return missing.map((step) => step.name);
}
