/** The hostile server as a process: every case on its standard output. */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { findCase, type Mouth } from "../cases.ts";
import { answer } from "../http-servers.ts";

function createLineMouth(id: string): Mouth {
  return {
    id,
    frame: (message) => `${message}\n`,
    async say(bytes) {
      if (!process.stdout.write(bytes)) await once(process.stdout, "drain");
      return true;
    },
    cut: () => process.exit(3),
    end: () => undefined,
  };
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line) as { id?: number; method?: string; params?: { name?: string } };
  if (id === undefined || method === undefined) return;
  const found = method === "tools/call" ? findCase(params?.name) : undefined;
  if (found) void found.act?.(createLineMouth(JSON.stringify(id)));
  else process.stdout.write(`${answer(JSON.stringify(id), method)}\n`);
});
