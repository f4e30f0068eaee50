/** Puts the parts together, says where it listens, and ends with a signal or with the program that started it. */
import { fstatSync } from "node:fs";
import { resolveHost } from "./addresses.ts";
import { createCalls } from "./calls.ts";
import { openConnections } from "./connections.ts";
import { type HttpServer, startHttp } from "./http.ts";
import { createOAuth } from "./oauth.ts";
import { send } from "./outgoing.ts";
import { createSealer } from "./seal.ts";
import { readSettings } from "./settings.ts";
import { createWebhooks } from "./webhooks.ts";

const EXIT_USAGE = 2;

export async function run(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<void> {
  try {
    const http = await start(argv, env);
    watchEnd(http);
    process.stdout.write(`listening on ${http.origin}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = EXIT_USAGE;
  }
}

/** The whole server in this process, listening. */
export async function start(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<HttpServer> {
  const { port, dir, key, webhookSecret, allowLoopback, connectors } = readSettings(argv, env);
  const now = Date.now;
  const sealer = createSealer(key);
  const connections = openConnections(dir, sealer, now);
  let origin = "";
  const redirectUri = (): string => `${origin}/callback`;
  const oauth = createOAuth({ connectors, connections, sealer, send, now, redirectUri, allowLoopback });
  const webhooks = createWebhooks({ secret: webhookSecret, allowLoopback, send, resolve: resolveHost, now });
  const calls = createCalls({ connectors, connections, sealer, oauth, webhooks, now });
  const http = await startHttp(port, { calls, oauth });
  origin = http.origin;
  return http;
}

function watchEnd(http: HttpServer): void {
  const end = (): void => void http.stop().then(() => process.exit(0));
  process.once("SIGTERM", end).once("SIGINT", end);
  // A pipe that ends means that the parent is gone; /dev/null and a terminal mean nothing.
  const stdin = fstatSync(0);
  if (stdin.isFIFO() || stdin.isSocket()) process.stdin.once("end", end).once("error", end).resume();
}
