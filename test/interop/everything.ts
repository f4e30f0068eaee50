/** `@modelcontextprotocol/server-everything`, started as it is published: a process of its own on a free loopback port. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import path from "node:path";

export const EVERYTHING: string = path.resolve(
  import.meta.dirname,
  "../../node_modules/@modelcontextprotocol/server-everything/dist/index.js",
);
const START_TIMEOUT_MS = 30_000;

export interface Everything {
  readonly url: string;
  stop(): Promise<void>;
}

export async function findPort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** It takes no port 0: one that is free now may be another's when it starts, and then another is tried. */
export async function startEverything(attempts = 5): Promise<Everything> {
  try {
    return await startOnFreePort();
  } catch (error) {
    if (attempts <= 1) throw error;
    return await startEverything(attempts - 1);
  }
}

async function startOnFreePort(): Promise<Everything> {
  const port = await findPort();
  const child = spawn(process.execPath, [EVERYTHING, "streamableHttp"], {
    env: { PATH: process.env["PATH"] ?? "", PORT: String(port) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    await waitForLine(child, "listening");
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    async stop() {
      if (child.exitCode !== null) return;
      const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function waitForLine(child: ChildProcess, word: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    let said = "";
    const timer = setTimeout(() => reject(new Error(`server-everything did not start: ${said}`)), START_TIMEOUT_MS);
    child.once("exit", (code) => reject(new Error(`server-everything ended with ${code}: ${said}`)));
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (!said.includes(word)) return;
      clearTimeout(timer);
      resolve();
    });
  });
}
