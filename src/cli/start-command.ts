/** `sallyport start`: runs the gateway until it is told to stop, and says at a glance how to use it. */
import { type Command, InvalidArgumentError } from "commander";
import { createLog } from "../observe/log.ts";
import { describeStart } from "./describe-start.ts";
import type { StartedGateway } from "./ports.ts";
import type { CommandContext } from "./run-cli.ts";

interface StartFlags {
  readonly config?: string;
  readonly data?: string;
  readonly host?: string;
  readonly port?: number;
  readonly demo?: boolean;
  readonly logJson?: boolean;
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return port;
}

export function addStartCommand(program: Command, context: CommandContext): void {
  program
    .command("start")
    .summary("run the gateway")
    .description("Run the gateway: every server of the configuration under /mcp/<server>, until SIGTERM or Ctrl-C.")
    .option("-c, --config <file>", "configuration, YAML or JSON")
    .option("-d, --data <dir>", "data folder; left out: the platform's, in the demo ./.sallyport")
    .option("--host <host>", "address to listen on; left out: 127.0.0.1")
    .option("-p, --port <port>", "port to listen on, 0 for a free one; left out: 8420", parsePort)
    .option("--demo", "serve the bundled sample server with its policy and a grant")
    .option("--log-json", "log as JSON, one object a line")
    .addHelpText(
      "after",
      "\nExamples:\n  $ sallyport start --demo\n  $ sallyport start --config sallyport.yaml --data /var/lib/sallyport\n\n" +
        "SIGTERM lets calls in flight end and exits 0; a second signal ends at once.",
    )
    .action((flags: StartFlags) => start(context, flags));
}

async function start(context: CommandContext, flags: StartFlags): Promise<void> {
  const { terminal } = context.ports;
  const log = createLog({ form: flags.logJson ? "json" : "words", write: (line) => terminal.err(line), now: () => Date.now() });
  const stopping = waitForSignal();
  const running = await context.ports.startGateway({
    configFile: flags.config,
    dataDir: flags.data,
    host: flags.host,
    port: flags.port,
    demo: flags.demo === true,
    log,
  });
  terminal.out(describeStart(running));
  await stopping;
  await stop(running, log);
}

function waitForSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("SIGINT", () => resolve());
  });
}

async function stop(running: StartedGateway, log: { info(event: string, words: string): void }): Promise<void> {
  log.info("stop.begin", "Stopping: calls in flight end first.");
  const atOnce = (): void => process.exit(1);
  process.once("SIGTERM", atOnce);
  process.once("SIGINT", atOnce);
  await running.stop();
  log.info("stop.done", "Stopped.");
}
