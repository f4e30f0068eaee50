/**
 * The beginning of the conversation with a shared process, ours alone: which era it speaks, and for the legacy one the
 * one `initialize` that all its clients share. We offer the server nothing that a client could be asked for. A server that
 * is silent to the probe is greeted in the old way too; one that then answers both has to be opened anew.
 */
import { setTimeout as pause } from "node:timers/promises";
import { isJsonList, isJsonObject, type JsonObject, printJson, readMember, toJson } from "../../kernel/json.ts";
import { META } from "../../mcp/meta.ts";
import { isLegacyRevision, LATEST_LEGACY, LATEST_MODERN, type LegacyRevision } from "../../mcp/revisions.ts";
import { writeNotification } from "../../mcp/rewrite.ts";
import { askServer, type ServerAnswer } from "../ask-server.ts";
import { readResult } from "../server-session.ts";
import type { StdioLink } from "./link.ts";

/** How long a server may be silent to the probe before it is greeted in the old way too. */
export const PROBE_TIMEOUT_MS = 3_000;
/** The whole opening; a package that is fetched first takes its time. */
export const OPEN_TIMEOUT_MS = 60_000;

export type Opening =
  | { readonly kind: "modern" }
  | { readonly kind: "legacy"; readonly revision: LegacyRevision; readonly result: JsonObject; readonly wasSilent: boolean }
  /** It speaks the modern era, and said so after it had been greeted in the old way: which one it is in now, nobody knows. */
  | { readonly kind: "late" }
  /** `ofProbe`: the process ended before it had answered the probe. */
  | { readonly kind: "gone"; readonly ofProbe: boolean }
  | { readonly kind: "failed"; readonly words: string };

export interface OpeningOptions {
  readonly link: StdioLink;
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** A process has died of the probe before. */
  readonly skipProbe: boolean;
  /** How long to wait for the probe's answer alone. */
  readonly probeMs: number;
  readonly openMs: number;
}

export async function openStdio(options: OpeningOptions): Promise<Opening> {
  const signal = AbortSignal.timeout(options.openMs);
  if (options.skipProbe) return await greet(options, signal, false);
  const probing = probe(options, signal);
  const timer = new AbortController();
  const silence = pause(options.probeMs, "silent" as const, { signal: timer.signal, ref: false }).catch(() => "silent" as const);
  const first = await Promise.race([probing, silence]);
  timer.abort();
  if (first === "legacy") return await greet(options, signal, false);
  if (first !== "silent") return first;
  const greeting = greet(options, signal, true);
  const isLate = probing.then((found) => found !== "legacy" && found.kind === "modern");
  const greeted = await Promise.race([greeting, isLate.then((late) => (late ? LATE : greeting))]);
  // Both answers may have come at once; and one that can't be greeted may still have to say that it is modern.
  const soon = greeted.kind === "failed" ? isLate : Promise.race([isLate, pause(0, false)]);
  return (await soon) ? LATE : greeted;
}

const LATE: Opening = { kind: "late" };

async function probe({ link, clientInfo }: OpeningOptions, signal: AbortSignal): Promise<Opening | "legacy"> {
  const meta = { [META.protocolVersion]: LATEST_MODERN, [META.clientInfo]: clientInfo, [META.clientCapabilities]: {} };
  const answer = await ask(link, "server/discover", { _meta: meta }, signal);
  if (answer.kind === "fault") {
    if (answer.fault.reason === "broken") return { kind: "gone", ofProbe: true };
    return answer.fault.reason === "connect" ? { kind: "gone", ofProbe: false } : "legacy";
  }
  const result = answer.kind === "result" ? readResult(answer) : undefined;
  const versions = result && readMember(result, "supportedVersions");
  return isJsonList(versions) && versions.includes(LATEST_MODERN) ? { kind: "modern" } : "legacy";
}

async function greet({ link, clientInfo }: OpeningOptions, signal: AbortSignal, wasSilent: boolean): Promise<Opening> {
  const answer = await ask(link, "initialize", { protocolVersion: LATEST_LEGACY, capabilities: {}, clientInfo }, signal);
  if (answer.kind === "fault") {
    const { reason } = answer.fault;
    if (reason === "broken" || reason === "connect") return { kind: "gone", ofProbe: wasSilent };
    return { kind: "failed", words: "did not open the conversation in time." };
  }
  const result = answer.kind === "result" ? readResult(answer) : undefined;
  const revision = result && readMember(result, "protocolVersion");
  if (!isJsonObject(result) || typeof revision !== "string" || !isLegacyRevision(revision)) {
    return { kind: "failed", words: "speaks no revision of the protocol that is known here." };
  }
  link.tell(writeNotification("notifications/initialized"));
  return { kind: "legacy", revision, result, wasSilent };
}

let lastId = 0;

/** A request of our own to the process. */
export async function ask(link: StdioLink, method: string, params: object, signal: AbortSignal): Promise<ServerAnswer> {
  const id = `sallyport-${++lastId}`;
  const body = printJson(toJson({ jsonrpc: "2.0", id, method, params }));
  return await askServer(link, { method: "POST", id, body, headers: {}, signal });
}
