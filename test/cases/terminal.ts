/** A terminal that keeps what is printed, for commands that need nothing of the floor above. */
import type { Ports } from "../../src/cli/ports.ts";

export interface KeptTerminal {
  readonly ports: Ports;
  readonly out: string;
  readonly err: string;
}

const absent = (): never => {
  throw new Error("this command needs nothing of the floor above");
};

export function createTerminal(ports: Partial<Ports> = {}): KeptTerminal {
  const kept = { out: "", err: "" };
  return {
    ports: {
      version: "0.0.0",
      terminal: {
        env: {},
        isTerminal: false,
        out: (text) => {
          kept.out += text;
        },
        err: (text) => {
          kept.err += text;
        },
      },
      startGateway: absent,
      runStdio: absent,
      openFolder: absent,
      findFolder: absent,
      serveCatalogue: absent,
      waitForSignal: absent,
      ...ports,
    },
    get out() {
      return kept.out;
    },
    get err() {
      return kept.err;
    },
  };
}
