/**
 * What the server is told: the command line, the environment, and the key files of its folder, which are made at the
 * first start and readable by their owner only. Everything that is wrong is said in words before anything runs.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { type Connector, readConnectors } from "./connectors.ts";
import { KEY_BYTES } from "./seal.ts";

const WEBHOOK_SECRET = /^whsec_([A-Za-z0-9+/]{32,88}={0,2})$/;
const MAX_PORT = 65_535;

export interface Settings {
  readonly port: number;
  readonly dir: string;
  readonly key: Uint8Array;
  readonly webhookSecret: string;
  readonly allowLoopback: boolean;
  readonly connectors: readonly Connector[];
}

export function readSettings(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Settings {
  const { values } = parseArgs({ args: [...argv], options: { port: { type: "string", default: "0" }, data: { type: "string" } } });
  if (!/^\d{1,5}$/.test(values.port) || Number(values.port) > MAX_PORT)
    throw new Error("--port must be a port number; 0 takes a free one.");
  if (values.data === undefined || values.data === "") throw new Error("--data DIR is needed: the folder for what is stored.");
  const allowLoopback = env["SENDIT_ALLOW_LOOPBACK"] === "1";
  const connectors = readConnectors(env["SENDIT_OAUTH2"], allowLoopback);
  const dir = path.resolve(values.data);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return {
    port: Number(values.port),
    dir,
    key: parseKey(env["SENDIT_KEY"] ?? keepFile(path.join(dir, "key"), () => randomBytes(KEY_BYTES).toString("base64"))),
    webhookSecret: checkSecret(keepFile(path.join(dir, "webhook-secret"), () => `whsec_${randomBytes(KEY_BYTES).toString("base64")}`)),
    allowLoopback,
    connectors,
  };
}

function parseKey(text: string): Uint8Array {
  const key = Buffer.from(text, "base64");
  if (key.length !== KEY_BYTES || key.toString("base64") !== text.trim())
    throw new Error("SENDIT_KEY (or the key file) must be 32 bytes in base64.");
  return key;
}

function checkSecret(text: string): string {
  if (!WEBHOOK_SECRET.test(text)) throw new Error("The file webhook-secret must hold `whsec_` and at least 24 bytes in base64.");
  return text;
}

/** What the file holds; made first where there is none. */
function keepFile(file: string, create: () => string): string {
  try {
    writeFileSync(file, `${create()}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return readFileSync(file, "utf8").trim();
}
