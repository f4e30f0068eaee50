/**
 * Webhooks: a URL is looked at, its host resolved and pinned, and a ping sent that is signed by the Standard Webhooks
 * scheme. Only a receiver that answers 2xx is registered. The URL may itself be the secret, so nothing here repeats it.
 */
import { createHmac, randomBytes } from "node:crypto";
import { type Address, isLoopback, isPublic, listAddresses, type resolveHost } from "./addresses.ts";
import type { WebhookConnector } from "./connectors.ts";
import { describeError, type Send } from "./outgoing.ts";
import { MAX_URL_CHARACTERS } from "./tools.ts";

const LOOKUP_TIMEOUT_MS = 2_000;
const PING_TIMEOUT_MS = 4_000;
const SECRET_PREFIX = "whsec_";

export interface Webhooks {
  /** Undefined once the receiver has answered; otherwise why the URL is not registered. */
  check(connector: WebhookConnector, webhookUrl: string): Promise<string | undefined>;
}

export interface WebhookPorts {
  readonly secret: string;
  readonly allowLoopback: boolean;
  readonly send: Send;
  readonly resolve: typeof resolveHost;
  readonly now: () => number;
}

export function createWebhooks(ports: WebhookPorts): Webhooks {
  return {
    check: async (connector, webhookUrl) => {
      const url = parseUrl(webhookUrl, ports.allowLoopback);
      if (typeof url === "string") return url;
      const address = await chooseAddress(url, ports);
      if (typeof address === "string") return address;
      const nowMs = ports.now();
      const id = `msg_${randomBytes(16).toString("hex")}`;
      const body = createPing(connector, nowMs);
      const headers = {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(body)),
        "user-agent": "connector-sample/1",
        ...signMessage(ports.secret, id, Math.floor(nowMs / 1000), body),
      };
      const sent = await ports.send({ url, method: "POST", headers, body, address, timeoutMs: PING_TIMEOUT_MS, read: false });
      if (!sent.ok) return `The ping could not be delivered: ${sent.reason}.`;
      if (sent.status >= 300 && sent.status < 400) return `The receiver answered the ping with ${sent.status}; redirects are not followed.`;
      if (sent.status < 200 || sent.status > 299) return `The receiver answered the ping with ${sent.status}; 2xx is needed.`;
      return undefined;
    },
  };
}

/** Host only: a webhook's path and query are often all that keeps others out. */
export function maskUrl(webhookUrl: string): string {
  return `${new URL(webhookUrl).host}/…`;
}

export function signMessage(secret: string, id: string, seconds: number, body: string): Record<string, string> {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), "base64");
  const signature = createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": String(seconds), "webhook-signature": `v1,${signature}` };
}

function parseUrl(text: string, allowLoopback: boolean): URL | string {
  const url = text.length <= MAX_URL_CHARACTERS ? URL.parse(text) : null;
  if (url === null) return "`webhookUrl` is not a URL of at most 2048 characters.";
  if (url.protocol !== "https:" && !(allowLoopback && url.protocol === "http:")) return "`webhookUrl` must begin with https://.";
  if (url.username !== "" || url.password !== "") return "`webhookUrl` must not hold a user name or password.";
  return url;
}

async function chooseAddress(url: URL, ports: WebhookPorts): Promise<Address | string> {
  let found: readonly Address[];
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(Object.assign(new Error("late"), { code: "ETIMEDOUT" })), LOOKUP_TIMEOUT_MS);
    });
    found = await Promise.race([listAddresses(url.hostname, ports.resolve), late]);
  } catch (error) {
    return `The ping could not be delivered: ${describeError(error)}.`;
  } finally {
    clearTimeout(timer);
  }
  const mayUse = (one: Address): boolean => (ports.allowLoopback && isLoopback(one)) || (url.protocol === "https:" && isPublic(one));
  if (!found.every(mayUse)) return "`webhookUrl` points at a private or special address, or at http beyond this machine.";
  return found.find(({ family }) => family === 4) ?? found[0] ?? "The ping could not be delivered: the host has no address.";
}

function createPing({ id, name, textField }: WebhookConnector, nowMs: number): string {
  const text = `This webhook is now connected as ${name}.`;
  if (textField !== undefined) return JSON.stringify({ [textField]: text });
  return JSON.stringify({ type: "webhook.ping", timestamp: new Date(nowMs).toISOString(), data: { connector: id, message: text } });
}
