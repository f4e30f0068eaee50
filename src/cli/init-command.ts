/**
 * `sallyport init`: finds the servers of this machine's clients, looks at them, writes a configuration with starter policies
 * and points the clients at the gateway; `--undo` takes it all back. Shows everything before it writes anything.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Command } from "commander";
import { findDataFolder } from "../config/find-data-folder.ts";
import { FailureError } from "../kernel/failure.ts";
import { printJson, toJson } from "../kernel/json.ts";
import { loadOperators } from "../policy/operators/registry.ts";
import { parsePolicy } from "../policy/parse.ts";
import { printPolicy } from "../policy/print.ts";
import { openFolderBaseline } from "../scan/baseline.ts";
import { type ClientFile, findClientFiles, showPath } from "../scan/clients/find-client-files.ts";
import { CLIENTS } from "../scan/clients/known-clients.ts";
import { describePlan } from "../scan/init/describe-plan.ts";
import { editJsonEntry } from "../scan/init/edit-json.ts";
import { editTomlEntry } from "../scan/init/edit-toml.ts";
import { BACKUP_END, type FileChange, openJournal } from "../scan/init/journal.ts";
import { type InitPlan, isBehindGateway, type PlannedEdit, planInit } from "../scan/init/plan-init.ts";
import { printConfig, readTakenNames } from "../scan/init/write-config.ts";
import { planTarget } from "../scan/plan-targets.ts";
import { printReport } from "../scan/print-report.ts";
import { collectWords } from "./collect-words.ts";
import { unwrap } from "./folder-flags.ts";
import type { Ports } from "./ports.ts";
import { type CommandContext, EXIT_NO, tellFailures } from "./run-cli.ts";
import { askToRun, isYes, runScan } from "./run-scan.ts";
import { chooseClients, describeMachine } from "./scan-sources.ts";

interface InitFlags {
  readonly client?: readonly string[];
  readonly dir?: string;
  readonly url?: string;
  readonly data?: string;
  readonly dryRun?: boolean;
  readonly undo?: boolean;
  readonly run?: boolean;
  readonly yes?: boolean;
}

const CONFIG_FILE = "sallyport.yaml";
const DEFAULT_URL = "http://127.0.0.1:8420";

export function addInitCommand(program: Command, context: CommandContext): void {
  program
    .command("init")
    .summary("put the gateway before the servers of your clients")
    .description(
      "Find the servers of this machine's clients, show their tools by risk, write a configuration with starter policies, and point the clients at the gateway.",
    )
    .option("--client <name>", `only this client (${CLIENTS.map(({ id }) => id).join(", ")}); may be given again`, collectWords)
    .option("--dir <dir>", "where sallyport.yaml and policies/ are written; left out: here")
    .option("--url <url>", "the gateway's address; left out: as sallyport.yaml says, else http://127.0.0.1:8420")
    .option("-d, --data <dir>", "data folder, which keeps what undoing needs; left out: the platform's")
    .option("--dry-run", "show what would be done, and write nothing")
    .option("--run", "start the servers' commands to see their tools")
    .option("--yes", "start what has to be started, and write")
    .option("--undo", "put every file back as it was, byte for byte")
    .addHelpText("after", "\nWithout a terminal nothing is started without `--run` and nothing written without `--yes`.")
    .action(async (flags: InitFlags) => {
      await (flags.undo ? undo(context, flags) : init(context, flags));
    });
}

function journalOf({ terminal }: Ports, flags: InitFlags): ReturnType<typeof openJournal> {
  return openJournal(path.join(path.resolve(flags.data ?? findDataFolder(terminal.env)), "init", "journal.json"));
}

async function undo({ ports }: CommandContext, flags: InitFlags): Promise<void> {
  const machine = describeMachine(ports.terminal.env);
  for (const { act, file } of unwrap(await journalOf(ports, flags).undo())) ports.terminal.out(`${act} ${showPath(machine, file)}\n`);
}

async function init(context: CommandContext, flags: InitFlags): Promise<void> {
  const { ports } = context;
  const { terminal } = ports;
  const machine = describeMachine(terminal.env);
  const folder = path.resolve(flags.dir ?? ".");
  const configFile = path.join(folder, CONFIG_FILE);
  const existing = await readFile(configFile, "utf8").catch(() => undefined);
  const taken = unwrap(readTakenNames(existing, configFile));
  const gatewayUrl = readGatewayUrl(flags.url ?? taken.listen ?? DEFAULT_URL);
  const found = await findClientFiles(machine, chooseClients(flags.client));
  tellFailures(ports, found.failures);
  const candidates = found.files.flatMap((file) =>
    file.servers.map((server) => ({ server, file, target: planTarget(file, server, terminal.env) })),
  );
  if (candidates.length === 0) {
    terminal.err("No server was found in any configuration of a known client: there is nothing to do.\n");
    context.exit(EXIT_NO);
    return;
  }
  const asked = candidates.filter(({ server }) => !isBehindGateway(server.entry, gatewayUrl));
  const hasYes =
    flags.run === true ||
    flags.yes === true ||
    (await askToRun(
      ports,
      asked.map(({ target }) => target),
    ));
  const baseline = openFolderBaseline(path.join(flags.data ?? findDataFolder(terminal.env), "scans"));
  const report = await runScan(
    ports,
    asked.map(({ target }) => target),
    { hasYes, baseline: flags.dryRun ? undefined : baseline, timeoutMs: undefined },
  );
  if (report.servers.length > 0)
    terminal.out(`${printReport(report, { columns: terminal.columns ?? 100, hasColor: terminal.hasColor === true })}\n`);
  const reports = new Map(asked.flatMap(({ server }, at) => (report.servers[at] ? [[server, report.servers[at]]] : [])));
  const plan = planInit({
    files: found.files,
    reports,
    taken,
    gatewayUrl,
    folder,
    hasPolicy: (file) => existsSync(path.join(folder, file)),
    program: describeProgram(ports),
    identity: terminal.env["USER"] ?? terminal.env["USERNAME"] ?? "me",
  });
  const changes = await listChanges(plan, folder, configFile, existing);
  terminal.out(describePlan(plan, changes.stuck, gatewayUrl, configFile));
  if (plan.edits.length === 0) return;
  if (flags.dryRun) {
    terminal.out("Nothing was written.\n");
    return;
  }
  if (flags.yes !== true && !(await askToWrite(ports))) {
    terminal.err(terminal.ask === undefined ? "Nothing was written: without a terminal say `--yes`.\n" : "Nothing was written.\n");
    return;
  }
  unwrap(await journalOf(ports, flags).apply(changes.files, Date.now()));
  terminal.out(`Done. \`sallyport init --undo\` takes it back; what stood there before is beside each file (${BACKUP_END}).\n`);
}

function readGatewayUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new FailureError({ code: "usage", message: "The gateway's address has to be an http address." });
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** An installed package is found again by its name, a checkout by its path. */
function describeProgram({ program }: Ports): readonly string[] {
  const installed = program === undefined || /[\\/]node_modules[\\/]/.test(program[1] ?? "");
  return installed ? ["npx", "-y", "sallyport"] : program;
}

async function askToWrite({ terminal }: Ports): Promise<boolean> {
  return terminal.ask !== undefined && isYes(await terminal.ask("Write this? [y/N] "));
}

interface PlannedChanges {
  readonly files: readonly FileChange[];
  /** Edits whose file is written in a form that can't be edited without touching more. */
  readonly stuck: readonly PlannedEdit[];
}

async function listChanges(plan: InitPlan, folder: string, configFile: string, existing: string | undefined): Promise<PlannedChanges> {
  await loadOperators();
  const files: FileChange[] = [];
  const stuck: PlannedEdit[] = [];
  const config = printConfig(plan, existing);
  if (config !== undefined) files.push({ file: configFile, text: config, before: existing });
  for (const { policyFile, policy } of plan.servers) {
    const read = unwrap(parsePolicy(printJson(toJson(policy)), { format: "json" }));
    files.push({ file: path.join(folder, policyFile), text: printPolicy(read), before: undefined });
  }
  for (const [file, edits] of Map.groupBy(plan.edits, (edit) => edit.file)) {
    const text = editFile(file, edits, stuck);
    if (text !== file.text) files.push({ file: file.file, text, before: file.text });
  }
  return { files, stuck };
}

function editFile(file: ClientFile, edits: readonly PlannedEdit[], stuck: PlannedEdit[]): string {
  let { text } = file;
  for (const edit of edits) {
    const { server, entry } = edit;
    const edited = file.format === "toml" ? editTomlEntry(text, server.path, entry) : editJsonEntry(text, server.path, entry);
    if (edited === undefined) stuck.push(edit);
    else text = edited;
  }
  return text;
}
