/** The order of a start: who logs in is known before the first request, and a start that fails leaves nothing behind. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { startApp } from "../../src/app.ts";
import { createLog } from "../../src/observe/log.ts";

const apply = vi.hoisted(() => vi.fn<(config: unknown, url: string) => Promise<void>>());
vi.mock("../../src/create-login.ts", () => ({ createLogin: () => ({ signIn: undefined, apply }) }));

const log = createLog({ form: "words", write: () => undefined, now: () => Date.now() });

function makeFolder(): string {
  const dataDir = mkdtempSync(path.join(tmpdir(), "start-order-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  return dataDir;
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket.destroy() && true));
    socket.on("error", () => resolve(false));
  });
}

test("who logs in is known before the gateway listens", async () => {
  const listening: boolean[] = [];
  const start = async (attempts: number): Promise<Awaited<ReturnType<typeof startApp>>> => {
    const port = await findPort();
    listening.length = 0;
    apply.mockImplementation(async () => void listening.push(await answers(port)));
    // What was free may be somebody else's by now.
    return await startApp({ dataDir: makeFolder(), port, env: {}, log }).catch((error: unknown) => {
      if (attempts > 1 && /is taken/.test(String(error))) return start(attempts - 1);
      throw error;
    });
  };
  const app = await start(5);
  await app.stop();
  expect(listening[0]).toBe(false);
});

test("a start that fails after it listens, listens no more", async () => {
  const servers = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap").length;
  const before = servers();
  let during = 0;
  apply.mockImplementation(() => {
    during = servers();
    return Promise.reject(new Error("no room"));
  });
  await expect(startApp({ dataDir: makeFolder(), port: 0, env: {}, log })).rejects.toThrow("no room");
  expect([during, servers()]).toEqual([before + 1, before]);
});
