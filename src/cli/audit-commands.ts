/** `sallyport audit …`: reads the log, exports it, proves it. */
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import { countByHour } from "../audit/counts.ts";
import { AUDIT_KINDS, type AuditDecision, type AuditKind } from "../audit/entry.ts";
import type { AuditFilter } from "../audit/filter.ts";
import { type Cursor, parseCursor, printCursor } from "../audit/place.ts";
import { DEFAULT_SEARCH_LIMIT, MAX_SEARCH_LIMIT, searchEntries } from "../audit/search.ts";
import { followLog } from "../audit/tail.ts";
import type { Verdict } from "../audit/verdict.ts";
import { verifyExport } from "../audit/verify-export.ts";
import { verifyStore } from "../audit/verify-store.ts";
import { createLogWitness } from "../audit/witness.ts";
import { FailureError } from "../kernel/failure.ts";
import { type ExportFlags, exportTo } from "./export-log.ts";
import { addFolderFlags, type FolderFlags, parseTime, printTable, withFolder } from "./folder-flags.ts";
import { makePlain, printEntryLine } from "./print-entry.ts";
import { type CommandContext, EXIT_NO } from "./run-cli.ts";

const DAY_MS = 86_400_000;

interface FilterFlags extends FolderFlags {
  readonly since?: number;
  readonly until?: number;
  readonly kind?: AuditKind;
  readonly server?: string;
  readonly grant?: string;
  readonly identity?: string;
  readonly tool?: string;
  readonly decision?: AuditDecision;
  readonly code?: string;
  readonly rule?: string;
  readonly exchange?: string;
}

interface TailFlags extends FilterFlags {
  readonly lines: number;
  readonly follow: boolean;
}

interface SearchFlags extends FilterFlags {
  readonly limit: number;
  readonly before?: string;
}

interface VerifyFlags extends FolderFlags {
  readonly key?: string;
  readonly after?: Cursor;
}

interface CountFlags extends FolderFlags {
  readonly since?: number;
  readonly until?: number;
}

function parseCount(most: number): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (!/^\d{1,15}$/.test(text) || count > most) throw new InvalidArgumentError(`This is a whole number up to ${most}.`);
    return count;
  };
}

function readCursor(text: string): Cursor {
  const cursor = parseCursor(text);
  if (!cursor) throw new InvalidArgumentError("This is a sequence number such as 1027, or one for each chain such as 0:1027,2:33.");
  return cursor;
}

function addFilterFlags(command: Command): Command {
  const time = parseTime(Date.now());
  return addFolderFlags(command)
    .option("--since <time>", "from this time on: 2026-01-31T09:00:00Z, or back from now: 2h", time)
    .option("--until <time>", "before this time", time)
    .addOption(new Option("--kind <kind>", "kind of entry").choices(AUDIT_KINDS))
    .option("--server <name>", "of this server")
    .option("--grant <label>", "of this grant")
    .option("--identity <who>", "of this identity")
    .option("--tool <name>", "about this tool, prompt or resource")
    .addOption(new Option("--decision <decision>", "what was decided").choices(["allow", "deny", "approve"]))
    .option("--code <code>", "with this code, such as limit_exceeded")
    .option("--rule <pointer>", "decided by this rule, such as /tools/create_refund/deny_if/0")
    .option("--exchange <id>", "of this exchange: its intent and its outcome");
}

function readFilter(flags: FilterFlags): AuditFilter {
  const { since, until, kind, server, grant, identity, tool, decision, code, rule, exchange } = flags;
  return { sinceMs: since, untilMs: until, kind, server, grant, identity, tool, decision, code, rule, exchange };
}

export function addAuditCommands(program: Command, context: CommandContext): void {
  const audit = program
    .command("audit")
    .summary("read, export and verify the log")
    .description("The log: every decision with its rule, every outcome, every change. Each entry carries the hash of the one before.");
  addFilterFlags(audit.command("tail").description("The newest entries, then what comes, until Ctrl-C."))
    .option("-n, --lines <count>", "entries to begin with", parseCount(MAX_SEARCH_LIMIT), 20)
    .option("--no-follow", "end after the newest entries")
    .action((flags: TailFlags) => tail(context, flags));
  addFilterFlags(audit.command("search").description("Entries that fit, newest first."))
    .option("-l, --limit <count>", "at most so many", parseCount(MAX_SEARCH_LIMIT), DEFAULT_SEARCH_LIMIT)
    .option("--before <cursor>", "only entries before this one: the next page", (text) => printCursor(readCursor(text)))
    .addHelpText("after", "\nExample:\n  $ sallyport audit search --grant alice-laptop --decision deny --since 24h")
    .action((flags: SearchFlags) => search(context, flags));
  addFilterFlags(
    audit
      .command("export")
      .description("The log as lines of JSON, the last one a signed checkpoint. A filtered export proves only its own entries."),
  )
    .option("-o, --out <file>", "write to a file; left out: standard output")
    .option("--resume <file>", "go on with an export that was broken off, or with an older one, in its file")
    .option("--after <cursor>", "only what comes after these entries, to be put behind them", readCursor)
    .action((flags: FilterFlags & ExportFlags) => exportTo(context.ports, flags, readFilter(flags)));
  addFolderFlags(audit.command("count").description("How many entries of each kind there were: by hour, server, tool and decision."))
    .option("--since <time>", "from this time on; left out: a day back", parseTime(Date.now()))
    .option("--until <time>", "before this time", parseTime(Date.now()))
    .action((flags: CountFlags) => count(context, flags));
  addFolderFlags(
    audit
      .command("verify [file]")
      .description(
        "Proves an exported file, or without one the log of a data folder. Exit 1 where it does not hold, with the entry's name.",
      ),
  )
    .option("-k, --key <key>", "public key as `audit key` prints it, or a file that holds it")
    .option("--after <cursor>", "the file was exported with this --after: entries up to there are proved elsewhere", readCursor)
    .addHelpText(
      "after",
      "\nA file and the public key are enough:\n  $ sallyport audit verify log.jsonl --key sallyport.pub\n" +
        "With --data the folder's own key and last checkpoint are asked too, so that a cut at the end is seen.",
    )
    .action((file: string | undefined, flags: VerifyFlags) => verify(context, file, flags));
  addFolderFlags(audit.command("key").description("The public key that checkpoints are signed with. Keep it elsewhere.")).action(
    (flags: FolderFlags) =>
      withFolder(context.ports, flags, async (folder) => {
        const { publicKey } = folder.audit;
        context.ports.terminal.out(flags.json ? `${JSON.stringify({ publicKey })}\n` : `${publicKey}\n`);
      }),
  );
}

async function tail({ ports }: CommandContext, flags: TailFlags): Promise<void> {
  await withFolder(ports, flags, async (folder) => {
    const filter = readFilter(flags);
    const say = (line: string): void => ports.terminal.out(flags.json ? `${line}\n` : printEntryLine(line));
    if (!flags.follow) {
      const page = await searchEntries(folder.store, filter, { limit: Math.max(1, flags.lines) });
      for (const entry of [...page.entries].reverse()) say(entry.line);
      if (page.entries.length === 0) ports.terminal.err("No entries fit yet.\n");
      return;
    }
    const stop = new AbortController();
    const end = (): void => stop.abort();
    process.once("SIGINT", end);
    process.once("SIGTERM", end);
    for await (const entry of followLog({ store: folder.store, filter, backlog: flags.lines, signal: stop.signal })) say(entry.line);
  });
}

async function search({ ports }: CommandContext, flags: SearchFlags): Promise<void> {
  await withFolder(ports, flags, async (folder) => {
    const page = await searchEntries(folder.store, readFilter(flags), { limit: flags.limit, before: flags.before });
    for (const entry of page.entries) ports.terminal.out(flags.json ? `${entry.line}\n` : printEntryLine(entry.line));
    if (page.entries.length === 0) ports.terminal.err("No entries fit.\n");
    if (page.next !== undefined) ports.terminal.err(`There are more: add --before ${page.next}\n`);
  });
}

async function count({ ports }: CommandContext, flags: CountFlags): Promise<void> {
  await withFolder(ports, flags, async (folder) => {
    const untilMs = flags.until ?? folder.clock.now() + 1;
    const counts = await countByHour(folder.store, { sinceMs: flags.since ?? untilMs - DAY_MS, untilMs });
    if (flags.json) {
      for (const { hourMs, ...more } of counts)
        ports.terminal.out(`${JSON.stringify({ hour: new Date(hourMs).toISOString(), ...more })}\n`);
      return;
    }
    const rows = counts.map((one) => [
      new Date(one.hourMs).toISOString().slice(0, 13),
      ...[one.server, one.tool, one.kind, one.decision].map((text) => (text === "" ? "-" : makePlain(text))),
      String(one.entries),
    ]);
    ports.terminal.out(printTable(["HOUR (UTC)", "SERVER", "TOOL", "KIND", "DECISION", "ENTRIES"], rows));
  });
}

function readKey(text: string | undefined): string | undefined {
  return text !== undefined && existsSync(text) ? readFileSync(text, "utf8").trim() : text;
}

async function verify(context: CommandContext, file: string | undefined, flags: VerifyFlags): Promise<void> {
  const { ports } = context;
  const publicKey = readKey(flags.key);
  if (file !== undefined && !existsSync(file)) throw new FailureError({ code: "not_found", message: `There is no file \`${file}\`.` });
  let verdict: Verdict;
  if (file !== undefined && flags.data === undefined && flags.config === undefined) {
    verdict = await verifyExport(createReadStream(file), { publicKey, after: flags.after });
  } else {
    verdict = await withFolder(ports, flags, async (folder) => {
      const key = publicKey ?? folder.audit.publicKey;
      if (file === undefined) return await verifyStore(folder.store, { publicKey: key });
      return await verifyExport(createReadStream(file), { publicKey: key, after: flags.after, log: createLogWitness(folder.store) });
    });
  }
  tellVerdict(context, verdict, flags);
}

function tellVerdict(context: CommandContext, verdict: Verdict, flags: FolderFlags): void {
  const { terminal } = context.ports;
  if (!verdict.ok) context.exit(EXIT_NO);
  if (flags.json) {
    terminal.out(`${JSON.stringify(verdict)}\n`);
    return;
  }
  if (!verdict.ok) {
    const { fault, entries } = verdict;
    const what = fault.id === undefined ? "" : ` (${fault.id})`;
    const where = fault.chain === undefined || fault.chain === 0 ? "" : ` of chain ${fault.chain}`;
    terminal.out(`The log does not hold: ${fault.message}\n`);
    terminal.out(
      `  ${fault.kind} at entry ${fault.seq ?? "?"}${where}${what}, line ${fault.line}; the ${entries} entries before it hold.\n`,
    );
    return;
  }
  const unsigned =
    verdict.checkpoint === undefined ? "no checkpoint has been signed yet" : "signature NOT checked: name the public key with --key";
  const signed = verdict.signature === "verified" ? "signature verified" : unsigned;
  const scope = verdict.filtered
    ? "This filtered export proves its own entries and no others."
    : "No entry was changed, removed or inserted.";
  terminal.out(`${verdict.entries} entries hold; ${signed}.\n  ${scope}\n`);
  if (verdict.chains > 1) terminal.out(`  They are of ${verdict.chains} chains, which sign each other.\n`);
  for (const { chain, seq, timeMs, beforeMs, retention } of verdict.retired) {
    const which = `Entries 1 to ${seq}${chain === 0 ? "" : ` of chain ${chain}`}, from before ${new Date(beforeMs).toISOString()},`;
    terminal.out(`  ${which} were retired on ${new Date(timeMs).toISOString()} under \`audit.retention: ${retention}\`.\n`);
  }
  if (verdict.unsigned > 0) terminal.out(`  The last ${verdict.unsigned} are chained and not yet signed by a checkpoint.\n`);
  if (verdict.later !== undefined && verdict.later > 0) terminal.out(`  The log in the data folder has ${verdict.later} entries more.\n`);
}
