/**
 * The tables of the log. A row of `audit_entry` is the line and nothing else: no index and no column beside it, because
 * each would cost the path of every call more than the line itself, and because what is stored twice can be changed in one
 * place. What makes searching fast is added later, a span at a time (`term-index.ts`). `place` is chain and sequence
 * number in one (`place.ts`).
 */
import type { Batch, Migrations } from "../store/store.ts";

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
  "0510-audit-chains": async (batch) => {
    // A row for each chain: where it ends, how much of it is signed, and who writes it until when.
    await batch.run(
      `create table audit_chain (
        chain integer primary key,
        size bigint not null,
        hash text not null,
        time_ms bigint not null,
        signed_size bigint not null,
        signed_ms bigint not null,
        holder text not null,
        until_ms bigint not null
      )`,
    );
    await batch.run(
      `insert into audit_chain (chain, size, hash, time_ms, signed_size, signed_ms, holder, until_ms)
       select 0, size, hash, time_ms, signed_size, signed_ms, '', 0 from audit_log`,
    );
    for (const column of ["size", "hash", "time_ms", "signed_size", "signed_ms"]) {
      await batch.run(`alter table audit_log drop column ${column}`);
    }
    await keyByPlace(batch);
    // What was retired of a chain: the statement over its last entry that went, signed before it did.
    await batch.run("create table audit_retired (place bigint not null primary key, note text not null)");
    // How far a chain is indexed, and where each name occurs in a span of it.
    await batch.run("drop table audit_section");
    await batch.run("drop table audit_section_marks");
    await batch.run("create table audit_index (chain integer primary key, entries bigint not null)");
    await batch.run(
      `create table audit_term (
        chain integer not null,
        span integer not null,
        term text not null,
        places text not null,
        primary key (chain, span, term)
      )`,
    );
    await batch.run(
      `create table audit_count (
        hour integer not null,
        server text not null,
        tool text not null,
        kind text not null,
        decision text not null,
        entries bigint not null,
        primary key (hour, server, tool, kind, decision)
      )`,
    );
  },
};

/** Rows by place: what is there stays where it is; a database that keeps tables in parts has no rows yet and starts so. */
async function keyByPlace(batch: Batch): Promise<void> {
  const { partitions } = batch;
  if (!partitions) {
    await batch.run("alter table audit_entry rename column seq to place");
    await batch.run("alter table audit_checkpoint rename column size to place");
    return;
  }
  await batch.run("drop table audit_entry");
  await batch.run("drop table audit_checkpoint");
  await batch.run(
    `create table audit_entry (place bigint not null, month integer not null, line text not null, primary key (place, month)) ${partitions.by("month")}`,
  );
  await batch.run("create table audit_checkpoint (place bigint not null primary key, note text not null)");
}
