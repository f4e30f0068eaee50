/**
 * What was retired: for each chain the signed statement over its last entry that went, made before it did. The chain is
 * proved from there on, and the statement says when entries went and under which setting.
 */
import { type Readable, readRows } from "../store/read-rows.ts";
import { openCheckpoint, type SignedCheckpoint } from "./checkpoint.ts";
import type { NoteVerifier } from "./note.ts";
import { chainOf } from "./place.ts";

/** The note of each chain that counts: the one that reaches farthest. */
export async function readRetiredNotes(source: Readable): Promise<Map<number, string>> {
  const rows = await readRows(source, "select place, note from audit_retired order by place");
  // The last of a chain is the one that stays.
  return new Map(rows.map((row) => [chainOf(Number(row["place"])), String(row["note"])]));
}

/** The statements, by chain; a note that can't be read is left out, for `verify` to name. */
export async function readRetired(source: Readable, verifier?: NoteVerifier): Promise<SignedCheckpoint[]> {
  const notes = await readRetiredNotes(source);
  return [...notes.values()].flatMap((note) => {
    const statement = openCheckpoint(note, verifier);
    return statement?.of === "retired" ? [statement] : [];
  });
}
