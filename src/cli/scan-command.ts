/**
 * `sallyport scan`: looks at an address, a command, lists of tools or the configurations of clients, and says what there is
 * to know. What a configuration names is started, or given something of the environment, only after somebody agreed.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { findDataFolder } from "../config/find-data-folder.ts";
import { FailureError } from "../kernel/failure.ts";
import { toJson } from "../kernel/json.ts";
import { loadOperators } from "../policy/operators/registry.ts";
import { parsePolicy } from "../policy/parse.ts";
import { printPolicy } from "../policy/print.ts";
import { type Baseline, openFileBaseline, openFolderBaseline } from "../scan/baseline.ts";
import { CLIENTS } from "../scan/clients/known-clients.ts";
import { describeReport, printVisibleJson } from "../scan/describe-report.ts";
import { FAIL_ON, type FailOn, judgeReport, readFailOn } from "../scan/fail-on.ts";
import { printReport } from "../scan/print-report.ts";
import { printSarif } from "../scan/print-sarif.ts";
import type { ScanReport } from "../scan/report.ts";
import { MAX_TARGETS } from "../scan/scan-targets.ts";
import { collectWords } from "./collect-words.ts";
import { unwrap } from "./folder-flags.ts";
import type { Environment, Ports } from "./ports.ts";
import { type CommandContext, EXIT_NO } from "./run-cli.ts";
import { askToRun, runScan } from "./run-scan.ts";
import { describeMachine, listTargets, type SourceFlags, usage } from "./scan-sources.ts";

interface ScanFlags extends SourceFlags {
  readonly run?: boolean;
  readonly json?: boolean;
  readonly sarif?: boolean;
  readonly descriptions?: boolean;
  readonly failOn?: readonly FailOn[];
  readonly baseline?: string;
  readonly updateBaseline?: boolean;
  readonly policy?: string;
  readonly timeout?: number;
  readonly data?: string;
}

const MAX_TIMEOUT_SECONDS = 3_600;

export function addScanCommand(program: Command, context: CommandContext): void {
  program
    .command("scan")
    .summary("look at servers: their tools, risks and what has changed")
    .description(
      "List the tools of servers and say of each what it can do, what hides in it and what has changed. Left out what to scan: the configurations of all known clients on this machine.",
    )
    .argument("[what...]", "addresses, a file or folder of tool lists, or after -- a command")
    .option("-c, --config <file>", "configuration of any known client; may be given again", collectWords)
    .option(
      "--client <name>",
      `the configurations of one client (${CLIENTS.map(({ id }) => id).join(", ")}); may be given again`,
      collectWords,
    )
    .option("--header <header>", "for an address: 'Name: value', with ${VARIABLE} read from the environment", collectWords)
    .option("--env <name>", "for a command: a variable of ours that it gets", collectWords)
    .option("--run", "start the commands that configurations name, and send what they take from the environment")
    .option("--json", "print JSON and nothing else")
    .option("--sarif", "print SARIF 2.1.0 and nothing else")
    .option("--descriptions", "show the beginning of each tool's description")
    .option("--fail-on <level>", `exit 1 from this on: ${FAIL_ON.join(", ")}; several with commas`, parseFailOn)
    .option("--baseline <file>", "compare with this file in place of the last scan; written where it is not there")
    .option("--update-baseline", "write the baseline file anew")
    .option("--policy <file>", "write the suggested policy of a single server")
    .option("--timeout <seconds>", "for each server; left out: 60", parseTimeout)
    .option("-d, --data <dir>", "data folder, where the last scan is kept; left out: the platform's")
    .addHelpText(
      "after",
      "\nExamples:\n  $ sallyport scan https://mcp.example.com/mcp\n  $ sallyport scan -- npx -y @modelcontextprotocol/server-everything\n" +
        "  $ sallyport scan --config .mcp.json --run --fail-on high\n  $ sallyport scan",
    )
    .action(async (what: string[], flags: ScanFlags) => {
      const isCommand = (program as { readonly rawArgs?: readonly string[] }).rawArgs?.includes("--") === true;
      await scan(context, what, isCommand, flags);
    });
}

function parseFailOn(text: string): readonly FailOn[] {
  const read = readFailOn(text);
  if (read === undefined) throw new InvalidArgumentError(`Known are ${FAIL_ON.join(", ")}.`);
  return read;
}

function parseTimeout(text: string): number {
  const seconds = Number(text);
  if (!/^\d{1,4}$/.test(text) || seconds < 1 || seconds > MAX_TIMEOUT_SECONDS)
    throw new InvalidArgumentError("A whole number of seconds, 1 to 3600.");
  return seconds;
}

async function scan(context: CommandContext, what: readonly string[], isCommand: boolean, flags: ScanFlags): Promise<void> {
  const { ports } = context;
  const { terminal } = ports;
  if (flags.json && flags.sarif) throw usage("Say `--json` or `--sarif`, not both.");
  const machine = describeMachine(terminal.env);
  const targets = await listTargets(ports, what, isCommand, flags, machine);
  if (targets.length === 0) {
    terminal.err("No server was found in any configuration of a known client: nothing was scanned.\n");
    if (flags.json)
      terminal.out(`${printVisibleJson(describeReport({ atMs: Date.now(), servers: [], findings: [], combinations: [] }))}\n`);
    context.exit(EXIT_NO);
    return;
  }
  if (targets.length > MAX_TARGETS) throw usage(`These are more than ${MAX_TARGETS} servers.`);
  const hasYes = flags.run === true || (await askToRun(ports, targets));
  const baseline = await openBaseline(terminal.env, flags);
  const report = await runScan(ports, targets, {
    hasYes,
    baseline,
    timeoutMs: flags.timeout === undefined ? undefined : flags.timeout * 1_000,
  });
  const untold = await baseline.close();
  if (untold !== undefined) terminal.err(`${untold}\n`);
  if (flags.policy !== undefined) await writePolicy(ports, report, flags.policy);
  if (flags.json) terminal.out(`${printVisibleJson(describeReport(report))}\n`);
  else if (flags.sarif) terminal.out(printSarif(report, { version: ports.version, folder: machine.folder, home: machine.home }));
  else
    terminal.out(
      printReport(report, { columns: terminal.columns ?? 100, hasColor: terminal.hasColor === true, hasDescriptions: flags.descriptions }),
    );
  context.exit(tellEnd(ports, report, hasYes, flags.failOn));
}

async function openBaseline(env: Environment, flags: ScanFlags): Promise<Baseline> {
  if (flags.baseline !== undefined) return unwrap(await openFileBaseline(flags.baseline, flags.updateBaseline === true));
  if (flags.updateBaseline) throw usage("`--update-baseline` goes with `--baseline FILE`.");
  return openFolderBaseline(path.join(flags.data ?? findDataFolder(env), "scans"));
}

async function writePolicy({ terminal }: Ports, { servers }: ScanReport, file: string): Promise<void> {
  const [server, ...others] = servers.filter(({ suggestedPolicy }) => suggestedPolicy !== undefined);
  if (server === undefined || others.length > 0) throw usage("`--policy` writes the policy of a single server that could be looked at.");
  await loadOperators();
  const policy = unwrap(parsePolicy(JSON.stringify(toJson(server.suggestedPolicy)), { format: "json" }));
  try {
    await writeFile(file, printPolicy(policy), { flag: "wx" });
  } catch {
    throw new FailureError({ code: "conflict", message: "The policy can't be written, or the file is there already.", at: { file } });
  }
  terminal.err(`The suggested policy is in ${file}.\n`);
}

function tellEnd({ terminal }: Ports, report: ScanReport, hasYes: boolean, failOn: readonly FailOn[] | undefined): number {
  const waiting = report.servers.filter(({ state }) => state === "waiting").length;
  if (waiting > 0 && !hasYes) {
    const why =
      terminal.ask === undefined ? "without a terminal nothing of a configuration is started unless `--run` says so" : "nobody agreed";
    terminal.err(`Not started or asked: ${waiting} of ${report.servers.length} servers; ${why}.\n`);
  }
  if (failOn === undefined) {
    const isBlind = report.servers.every(({ state }) => state !== "listed") && report.servers.some(({ state }) => state === "failed");
    return isBlind ? EXIT_NO : 0;
  }
  const { findings, unseen } = judgeReport(report, failOn);
  if (findings.length > 0)
    terminal.err(`--fail-on ${failOn.join(",")}: ${findings.length} ${findings.length === 1 ? "finding" : "findings"}.\n`);
  if (unseen > 0) terminal.err(`--fail-on: ${unseen} ${unseen === 1 ? "server" : "servers"} could not be looked at, which is no pass.\n`);
  return findings.length > 0 || unseen > 0 ? EXIT_NO : 0;
}
