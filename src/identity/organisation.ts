/** The organisation that a data folder belongs to. There is one; the first start makes it. */
import { createId } from "../kernel/id.ts";
import { type Readable, readRows } from "../store/read-rows.ts";
import type { Batch } from "../store/store.ts";

export interface Organisation {
  readonly id: string;
  readonly name: string;
}

export async function readOrganisation(source: Readable): Promise<Organisation | undefined> {
  const [row] = await readRows(source, "SELECT id, name FROM organisation ORDER BY created_ms, id LIMIT 1");
  return row === undefined ? undefined : { id: String(row["id"]), name: String(row["name"]) };
}

/** The organisation, made now where there is none; `made` tells the first start. */
export async function ensureOrganisation(batch: Batch, name: string, nowMs: number): Promise<Organisation & { readonly made: boolean }> {
  const there = await readOrganisation(batch);
  if (there) return { ...there, made: false };
  const id = createId(nowMs);
  await batch.run("INSERT INTO organisation (id, name, created_ms) VALUES (?, ?, ?)", [id, name, nowMs]);
  return { id, name, made: true };
}
