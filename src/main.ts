/** argv → command. Joins the commands with the floors they need; loads nothing that the command does not use. */
import { once } from "node:events";
import type { Ports, StartedGateway } from "./cli/ports.ts";

export async function main(argv: readonly string[]): Promise<void> {
  const { runCli } = await import("./cli/run-cli.ts");
  const { VERSION } = await import("./version.ts");
  const ports: Ports = {
    version: VERSION,
    terminal: {
      env: process.env,
      isTerminal: process.stderr.isTTY === true,
      out: (text) => void process.stdout.write(text),
      drained: async () => {
        if (process.stdout.writableNeedDrain) await once(process.stdout, "drain");
      },
      err: (text) => void process.stderr.write(text),
      columns: process.stdout.columns,
      hasColor: process.stdout.isTTY === true && (process.env["NO_COLOR"] ?? "") === "",
      ask: process.stdin.isTTY === true && process.stderr.isTTY === true ? askOnTerminal : undefined,
    },
    program: [process.execPath, process.argv[1] ?? "sallyport"],
    startGateway: async (choice): Promise<StartedGateway> => {
      const { startApp } = await import("./app.ts");
      return await startApp({ ...choice, env: process.env });
    },
    runStdio: async (choice) => {
      const { runStdio } = await import("./run-stdio.ts");
      const stopping = new Promise<void>((resolve) => {
        process.once("SIGTERM", () => resolve());
        process.once("SIGINT", () => resolve());
      });
      try {
        return await runStdio({ ...choice, env: process.env, input: process.stdin, output: process.stdout, stopping });
      } finally {
        // A client that keeps its end open must not keep this process.
        process.stdin.destroy();
      }
    },
    openFolder: async ({ dataDir, config, mustExist }) => {
      const { openCommandFolder } = await import("./data-folder.ts");
      return await openCommandFolder({ dataDir, config, mustExist, env: process.env });
    },
    findFolder: async (dataDir) => (await import("./data-folder.ts")).findCommandFolder(dataDir, process.env),
    serveCatalogue: async (choice) => {
      const { serveCatalogue } = await import("./serve-catalogue.ts");
      return await serveCatalogue(choice);
    },
    waitForSignal: () =>
      new Promise((resolve) => {
        process.once("SIGTERM", () => resolve());
        process.once("SIGINT", () => resolve());
      }),
  };
  process.exitCode = await runCli(argv, ports);
}

async function askOnTerminal(question: string): Promise<string> {
  const { createInterface } = await import("node:readline/promises");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and the end of the input are no yes.
  const closed = new Promise<string>((resolve) => void lines.once("close", () => resolve("")));
  try {
    return await Promise.race([lines.question(question), closed]);
  } finally {
    lines.close();
  }
}
