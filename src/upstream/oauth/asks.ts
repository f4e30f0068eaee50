/**
 * What administrators asked to connect, step by step: asked (by the command), ready (the gateway knows where to sign in),
 * opened (a browser has come with the ticket), done or failed. Ticket, `state` and browser are kept as digests and each
 * works once; nothing of an ask is good after its time, and there are at most so many.
 */
import { createHash } from "node:crypto";
import { type Readable, readRows } from "../../store/read-rows.ts";
import type { Batch, SqlRow } from "../../store/store.ts";
import type { Keyring } from "../../vault/keyring.ts";
import type { LoginPlan } from "./authorize.ts";

export const ASK_LIFE_MS: number = 10 * 60 * 1000;
/** Asks that are open at the same time; one more is refused. */
export const MAX_OPEN_ASKS = 32;
const MAX_MESSAGE_CHARACTERS = 500;

export type AskState = "asked" | "preparing" | "ready" | "opened" | "redeeming" | "done" | "failed";

export interface Ask {
  readonly id: string;
  readonly serverId: string;
  readonly state: AskState;
  readonly askedBy: string;
  readonly expiresMs: number;
  /** For people: why it failed, or, once it is ready, where to go. */
  readonly message: string;
}

export interface OpenAsk {
  readonly id: string;
  readonly serverId: string;
  readonly askedBy: string;
  readonly ticket: string;
  readonly nowMs: number;
}

/** Everything here is random and long, so a bare digest tells nothing. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** A newer ask for the same server ends the older one; false: too many are open. */
export async function insertAsk(batch: Batch, ask: OpenAsk): Promise<boolean> {
  await batch.run("DELETE FROM upstream_ask WHERE expires_ms <= ?", [ask.nowMs]);
  await endAsksOf(batch, ask.serverId, "Another `server connect` took its place.");
  const [row] = await batch.all("SELECT count(*) AS open FROM upstream_ask WHERE state NOT IN ('done', 'failed')");
  if (Number(row?.["open"]) >= MAX_OPEN_ASKS) return false;
  await batch.run(
    `INSERT INTO upstream_ask (id, server_id, state, asked_by, expires_ms, ticket_hash, message) VALUES (?, ?, 'asked', ?, ?, ?, '')`,
    [ask.id, ask.serverId, ask.askedBy, ask.nowMs + ASK_LIFE_MS, hashSecret(ask.ticket)],
  );
  return true;
}

export async function readAsk(batch: Batch, id: string): Promise<Ask | undefined> {
  const [row] = await batch.all("SELECT * FROM upstream_ask WHERE id = ?", [id]);
  return row && readRow(row);
}

/** Whether there is such an ask, without a transaction. */
export async function hasAsk(source: Readable, column: "state" | "ticket_hash" | "state_hash", value: string): Promise<boolean> {
  return (await readRows(source, `SELECT id FROM upstream_ask WHERE ${column} = ? LIMIT 1`, [value])).length > 0;
}

/** Servers that somebody is connecting at this time. */
export async function listAskedServers(source: Readable, nowMs: number): Promise<ReadonlySet<string>> {
  const sql = "SELECT server_id FROM upstream_ask WHERE state NOT IN ('done', 'failed') AND expires_ms > ?";
  return new Set((await readRows(source, sql, [nowMs])).map((row) => String(row["server_id"])));
}

/** Takes the asks that nobody prepares yet. */
export async function claimAsks(batch: Batch, nowMs: number): Promise<readonly Ask[]> {
  await batch.run("DELETE FROM upstream_ask WHERE expires_ms <= ?", [nowMs]);
  const claimed = (await batch.all("SELECT * FROM upstream_ask WHERE state = 'asked' ORDER BY id")).map(readRow);
  for (const { id } of claimed) await batch.run("UPDATE upstream_ask SET state = 'preparing' WHERE id = ?", [id]);
  return claimed;
}

export async function markReady(batch: Batch, keyring: Keyring, id: string, plan: LoginPlan, page: string): Promise<void> {
  await batch.run("UPDATE upstream_ask SET state = 'ready', state_hash = ?, message = ?, sealed = ? WHERE id = ? AND state = 'preparing'", [
    hashSecret(plan.state),
    page,
    keyring.seal(JSON.stringify(plan), placeOf(id)),
    id,
  ]);
}

/** Ends what is open for a server, wherever it stands; gives how many there were. */
export async function endAsksOf(batch: Batch, serverId: string, message: string): Promise<number> {
  const open = await batch.all("SELECT id FROM upstream_ask WHERE server_id = ? AND state NOT IN ('done', 'failed')", [serverId]);
  for (const row of open) await endAsk(batch, String(row["id"]), "failed", message);
  return open.length;
}

/** Ends an ask; what was sealed in it goes. */
export async function endAsk(batch: Batch, id: string, state: "done" | "failed", message: string): Promise<void> {
  const words = message.slice(0, MAX_MESSAGE_CHARACTERS);
  await batch.run("UPDATE upstream_ask SET state = ?, message = ?, sealed = NULL WHERE id = ?", [state, words, id]);
}

export interface ComingBrowser {
  readonly ticket: string;
  /** What it shows of an earlier visit. */
  readonly shown: string | undefined;
  /** What it gets where this is its first: never what it brought, for somebody else may have put that there. */
  readonly fresh: string;
  readonly serverId: string;
  readonly nowMs: number;
}

/** A browser comes with the ticket: the first one is bound to it, and may come again; every other is refused. */
export async function openWithTicket(
  batch: Batch,
  keyring: Keyring,
  coming: ComingBrowser,
): Promise<{ readonly url: string; readonly browser: string } | undefined> {
  const [row] = await batch.all("SELECT * FROM upstream_ask WHERE ticket_hash = ? AND server_id = ? AND expires_ms > ?", [
    hashSecret(coming.ticket),
    coming.serverId,
    coming.nowMs,
  ]);
  const plan = row && openPlan(keyring, row);
  if (row === undefined || plan === undefined) return undefined;
  if (row["state"] === "opened" && coming.shown !== undefined && row["browser_hash"] === hashSecret(coming.shown)) {
    return { url: plan.authorizationUrl, browser: coming.shown };
  }
  if (row["state"] !== "ready") return undefined;
  const id = String(row["id"]);
  await batch.run("UPDATE upstream_ask SET state = 'opened', browser_hash = ? WHERE id = ?", [hashSecret(coming.fresh), id]);
  return { url: plan.authorizationUrl, browser: coming.fresh };
}

/** The plan that a `state` belongs to, once, and only to the browser that opened it. */
export async function takePlan(
  batch: Batch,
  keyring: Keyring,
  coming: { readonly state: string; readonly browser: string; readonly nowMs: number },
): Promise<{ readonly ask: Ask; readonly plan: LoginPlan } | undefined> {
  const [row] = await batch.all(
    "SELECT * FROM upstream_ask WHERE state_hash = ? AND state = 'opened' AND browser_hash = ? AND expires_ms > ?",
    [hashSecret(coming.state), hashSecret(coming.browser), coming.nowMs],
  );
  const plan = row && openPlan(keyring, row);
  if (row === undefined || plan === undefined) return undefined;
  const ask = readRow(row);
  await batch.run("UPDATE upstream_ask SET state = 'redeeming', sealed = NULL WHERE id = ?", [ask.id]);
  return { ask, plan };
}

function openPlan(keyring: Keyring, row: SqlRow): LoginPlan | undefined {
  if (typeof row["sealed"] !== "string") return undefined;
  const opened = keyring.open(row["sealed"], placeOf(String(row["id"])));
  return opened.ok ? (JSON.parse(opened.value) as LoginPlan) : undefined;
}

function placeOf(id: string): { table: string; column: string; row: string } {
  return { table: "upstream_ask", column: "sealed", row: id };
}

function readRow(row: SqlRow): Ask {
  return {
    id: String(row["id"]),
    serverId: String(row["server_id"]),
    state: String(row["state"]) as AskState,
    askedBy: String(row["asked_by"]),
    expiresMs: Number(row["expires_ms"]),
    message: String(row["message"]),
  };
}
