/**
 * The tables of the log. A row of `audit_entry` is the line and nothing else: no index and no column beside it, because
 * each would cost the path of every call more than the line itself, and because what is stored twice can be changed in one
 * place. What makes searching fast is added later, a section at a time (`section.ts`).
 */
import type { Migrations } from "../store/store.ts";

export const auditMigrations: Migrations = {
  "0500-audit-log": async (batch) => {
    await batch.run("create table audit_entry (seq integer primary key, line text not null)");
    // One row: which log this is, where it ends, and how much of it is signed.
    await batch.run(
      `create table audit_log (
        id integer primary key,
        log_id text not null,
        size bigint not null,
        hash text not null,
        time_ms bigint not null,
        signed_size bigint not null,
        signed_ms bigint not null
      )`,
    );
    await batch.run("create table audit_checkpoint (size integer primary key, note text not null)");
    await batch.run("create table audit_section (section integer primary key, names text not null)");
    // Apart from the names, which are read for many sections at once.
    await batch.run("create table audit_section_marks (section integer primary key, marks text not null)");
  },
};
