/** Commands in this process: joined as the program joins them, with what they print kept apart. */

import { startApp } from "../../src/app.ts";
import type { Ports } from "../../src/cli/ports.ts";
import { runCli } from "../../src/cli/run-cli.ts";
import { findCommandFolder, openCommandFolder } from "../../src/data-folder.ts";

export interface CommandEnd {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Whoever needs standard streams of its own, is no matter of this. */
const absent = (): never => {
  throw new Error("this command is run as a process");
};

export async function runCommand(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  onOut: (text: string) => void = () => undefined,
): Promise<CommandEnd> {
  const kept = { out: "", err: "" };
  const ports: Ports = {
    version: "0.0.0",
    terminal: { env, isTerminal: false, out: (text) => (onOut(text), void (kept.out += text)), err: (text) => void (kept.err += text) },
    startGateway: (choice) => startApp({ ...choice, env }),
    runStdio: absent,
    openFolder: (choice) => openCommandFolder({ ...choice, env }),
    findFolder: async (dataDir) => findCommandFolder(dataDir, env),
    serveCatalogue: absent,
    waitForSignal: absent,
  };
  const code = await runCli(argv, ports);
  return { code, ...kept };
}
