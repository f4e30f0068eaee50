/**
 * What an entry of the log says, and its one text: a line of JSON with its members in a fixed order, printed by hand
 * because it stands in the path of each call. Promises that every fact fits: a line beyond its bound is printed again
 * with its free texts cut, never dropped. Holds argument values only where the caller hands them over.
 */
import { type Json, type JsonNumber, type JsonObject, printJson } from "../kernel/json.ts";

export const AUDIT_KINDS = [
  "intent",
  "outcome",
  "denial",
  "list",
  "approval",
  "authentication",
  "envelope",
  "admin",
  "start",
  "stop",
] as const;
export type AuditKind = (typeof AUDIT_KINDS)[number];
export type AuditDecision = "allow" | "deny" | "approve";

/** A line without opted-in argument values is never longer (UTF-16 units). */
export const MAX_LINE_CHARACTERS: number = 32 * 1024;
/** Opted-in argument values beyond this are left out, and their length told instead. */
export const MAX_VALUES_CHARACTERS: number = 64 * 1024;
/** What a free text is cut to when its line is too long. */
export const CUT_TEXT_CHARACTERS = 256;
/** Charges of one entry when its line is too long; the rest are counted. */
export const CUT_CHARGES = 16;

/** What a limit was charged. The value of `per` is an argument's, so only its digest may stand here. */
export interface AuditCharge {
  readonly rule: string;
  /** A plain decimal. */
  readonly amount: string;
  readonly perDigest?: string | undefined;
}

export interface AuditLatency {
  readonly totalMs: number;
  /** Waiting for people. */
  readonly heldMs?: number | undefined;
  readonly upstreamMs?: number | undefined;
}

/** The facts of one entry. An outcome carries its intent's `exchange` and repeats server, grant, identity, method, tool. */
export interface AuditEntry {
  readonly kind: AuditKind;
  readonly exchange?: string | undefined;
  readonly server?: string | undefined;
  /** The grant's label. */
  readonly grant?: string | undefined;
  readonly grantId?: string | undefined;
  readonly identity?: string | undefined;
  readonly session?: string | undefined;
  readonly client?: { readonly name?: string | undefined; readonly version?: string | undefined } | undefined;
  readonly method?: string | undefined;
  /** The tool's name; of other methods, what they name: the prompt, the resource's URI. */
  readonly tool?: string | undefined;
  readonly toolHash?: string | undefined;
  readonly toolClass?: string | undefined;
  readonly toolRisk?: string | undefined;
  readonly classifier?: string | undefined;
  readonly decision?: AuditDecision | undefined;
  readonly code?: string | undefined;
  readonly rule?: string | undefined;
  readonly message?: string | undefined;
  readonly cause?: string | undefined;
  readonly policy?: string | undefined;
  readonly policyRevision?: string | undefined;
  /** The client's JSON-RPC id, as it was spelled. */
  readonly requestId?: string | number | JsonNumber | null | undefined;
  readonly outcome?: string | undefined;
  readonly argumentKeys?: readonly string[] | undefined;
  /** How many keys there were, where `argumentKeys` holds not all of them. */
  readonly argumentCount?: number | undefined;
  readonly argumentDigest?: string | undefined;
  /** Canonical JSON of the arguments, only where the server opts in. */
  readonly argumentValues?: string | undefined;
  readonly approval?: string | undefined;
  readonly upstreamStatus?: number | undefined;
  readonly latency?: AuditLatency | undefined;
  readonly charges?: readonly AuditCharge[] | undefined;
  /** Where a request came from, for failures before a grant is known. */
  readonly source?: string | undefined;
  /** How many of a kind this entry stands for. */
  readonly count?: number | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  /** What an admin's act was done to. */
  readonly object?: string | undefined;
  /** A few more facts. Never secrets, never argument values. */
  readonly detail?: JsonObject | undefined;
}

/** What the writer knows and the caller does not. */
export interface EntryPlace {
  /** Left out: the first one. */
  readonly chain?: number | undefined;
  readonly seq: number;
  readonly id: string;
  readonly timeMs: number;
  /** Hash of the entry before, in hex. */
  readonly prev: string;
}

type PrintText = (text: string) => string;

/** Texts that JSON prints as they are: nearly all of them, and a test costs less than half of `JSON.stringify`. */
const PLAIN = /^[ !#-[\]-~]*$/;

const printWhole: PrintText = (text) => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

/**
 * Names of our own objects come again and again: looked up they cost a fraction of being tested. Never for texts out of a
 * request, which would keep the whole body alive that they were cut from.
 */
const MAX_PRINTED_NAMES = 4096;
const MAX_PRINTED_NAME_CHARACTERS = 128;
const printedNames = new Map<string, string>();

const printName: PrintText = (text) => {
  const known = printedNames.get(text);
  if (known !== undefined) return known;
  const printed = printWhole(text);
  if (text.length > MAX_PRINTED_NAME_CHARACTERS) return printed;
  if (printedNames.size >= MAX_PRINTED_NAMES) printedNames.clear();
  printedNames.set(text, printed);
  return printed;
};

/** In a cut line control characters and halves of characters become one sign, so that no text grows by printing. */
const printCut: PrintText = (text) => {
  const short = text.length > CUT_TEXT_CHARACTERS ? `${text.slice(0, CUT_TEXT_CHARACTERS)}…` : text;
  // oxlint-disable-next-line no-control-regex
  return JSON.stringify(short.toWellFormed().replace(/[\u0000-\u001f\u007f-\u009f]/g, "\ufffd"));
};

/** A thousandth as the digits behind a point; with the zeros at its end and without. */
const THOUSANDTHS: readonly string[] = Array.from({ length: 1000 }, (_, count) => String(count).padStart(3, "0"));
const SHORT_FRACTIONS: readonly string[] = THOUSANDTHS.map((digits) => (digits === "000" ? "" : `.${digits.replace(/0+$/, "")}`));

let lastSecond = -1;
let lastSecondText = "";

/** ISO 8601 in UTC, with milliseconds. Entries come many to the second, so the text of the last one is kept. */
export function printTime(timeMs: number): string {
  const second = Math.floor(timeMs / 1000);
  if (second !== lastSecond) {
    lastSecondText = new Date(second * 1000).toISOString().slice(0, -4);
    lastSecond = second;
  }
  return `${lastSecondText}${THOUSANDTHS[Math.floor(timeMs) - second * 1000] as string}Z`;
}

/** To the microsecond. */
function printMs(ms: number): string {
  const micros = Math.round(ms * 1000);
  if (!(micros >= 0 && micros <= Number.MAX_SAFE_INTEGER)) return String(micros / 1000);
  const whole = Math.floor(micros / 1000);
  return `${whole}${SHORT_FRACTIONS[micros - whole * 1000] as string}`;
}

/** The line up to its own hash: the bytes that the hash covers. */
export function printEntry(entry: AuditEntry, place: EntryPlace): string {
  const body = printMembers(entry, place, false);
  const values = printValues(entry);
  if (body.length <= MAX_LINE_CHARACTERS) return body + values + printEnd(place);
  return printMembers(entry, place, true) + values + printEnd(place);
}

function printEnd(place: EntryPlace): string {
  return `,"prev":"${place.prev}"`;
}

function printValues(entry: AuditEntry): string {
  const values = entry.argumentValues;
  if (values === undefined) return "";
  return values.length <= MAX_VALUES_CHARACTERS ? `,"arguments":${values}` : `,"argumentsLeftOut":${values.length}`;
}

/** The members that every entry has, then those that this one has. */
function printMembers(entry: AuditEntry, place: EntryPlace, cut: boolean): string {
  const text = cut ? printCut : printWhole;
  const name = cut ? printCut : printName;
  const chain = place.chain === undefined || place.chain === 0 ? "" : `"chain":${place.chain},`;
  let line = `{"seq":${place.seq},${chain}"id":"${place.id}","time":"${printTime(place.timeMs)}","kind":"${entry.kind}"`;
  line += entry.server === undefined ? ',"server":null' : `,"server":${name(entry.server)}`;
  line += entry.grant === undefined ? ',"grant":null' : `,"grant":${name(entry.grant)}`;
  line += entry.identity === undefined ? ',"identity":null' : `,"identity":${name(entry.identity)}`;
  line += entry.method === undefined ? ',"method":null' : `,"method":${text(entry.method)}`;
  line += entry.tool === undefined ? ',"tool":null' : `,"tool":${text(entry.tool)}`;
  line += entry.decision === undefined ? ',"decision":null' : `,"decision":"${entry.decision}"`;
  line += entry.code === undefined ? ',"code":null' : `,"code":${name(entry.code)}`;
  line += entry.rule === undefined ? ',"rule":null' : `,"rule":${name(entry.rule)}`;
  line += entry.policyRevision === undefined ? ',"policyRevision":null' : `,"policyRevision":${name(entry.policyRevision)}`;
  line += `,"requestId":${printRequestId(entry.requestId, text)}`;
  line += entry.outcome === undefined ? ',"outcome":null' : `,"outcome":${name(entry.outcome)}`;
  if (entry.exchange !== undefined) line += `,"exchange":${text(entry.exchange)}`;
  if (entry.message !== undefined) line += `,"message":${text(entry.message)}`;
  if (entry.cause !== undefined) line += `,"cause":${text(entry.cause)}`;
  if (entry.policy !== undefined) line += `,"policy":${name(entry.policy)}`;
  if (entry.grantId !== undefined) line += `,"grantId":${name(entry.grantId)}`;
  if (entry.session !== undefined) line += `,"session":${text(entry.session)}`;
  if (entry.client !== undefined) line += printClient(entry.client, text);
  if (entry.toolHash !== undefined) line += `,"toolHash":${name(entry.toolHash)}`;
  if (entry.toolClass !== undefined) line += `,"toolClass":${name(entry.toolClass)}`;
  if (entry.toolRisk !== undefined) line += `,"toolRisk":${name(entry.toolRisk)}`;
  if (entry.classifier !== undefined) line += `,"classifier":${name(entry.classifier)}`;
  if (entry.argumentKeys !== undefined) line += `,"argumentKeys":[${entry.argumentKeys.map(text).join(",")}]`;
  if (entry.argumentCount !== undefined) line += `,"argumentCount":${entry.argumentCount}`;
  if (entry.argumentDigest !== undefined) line += `,"argumentDigest":${text(entry.argumentDigest)}`;
  if (entry.approval !== undefined) line += `,"approval":${text(entry.approval)}`;
  if (entry.upstreamStatus !== undefined) line += `,"upstreamStatus":${entry.upstreamStatus}`;
  if (entry.latency !== undefined) line += printLatency(entry.latency);
  if (entry.charges !== undefined && entry.charges.length > 0) line += printCharges(entry.charges, text, name, cut);
  if (entry.source !== undefined) line += `,"source":${text(entry.source)}`;
  if (entry.count !== undefined) line += `,"count":${entry.count}`;
  if (entry.actor !== undefined) line += `,"actor":${text(entry.actor)}`;
  if (entry.action !== undefined) line += `,"action":${text(entry.action)}`;
  if (entry.object !== undefined) line += `,"object":${text(entry.object)}`;
  if (entry.detail !== undefined) line += `,"detail":${cut ? printCut(printJson(entry.detail)) : printJson(entry.detail)}`;
  return cut ? `${line},"cut":true` : line;
}

function printRequestId(id: AuditEntry["requestId"], text: PrintText): string {
  if (id === undefined || id === null) return "null";
  return typeof id === "string" ? text(id) : printJson(id as Json);
}

function printClient(client: NonNullable<AuditEntry["client"]>, text: PrintText): string {
  const name = client.name === undefined ? "null" : text(client.name);
  return `,"client":{"name":${name},"version":${client.version === undefined ? "null" : text(client.version)}}`;
}

function printLatency(latency: AuditLatency): string {
  let line = `,"latency":{"totalMs":${printMs(latency.totalMs)}`;
  if (latency.heldMs !== undefined) line += `,"heldMs":${printMs(latency.heldMs)}`;
  if (latency.upstreamMs !== undefined) line += `,"upstreamMs":${printMs(latency.upstreamMs)}`;
  return `${line}}`;
}

function printCharges(charges: readonly AuditCharge[], text: PrintText, name: PrintText, cut: boolean): string {
  const shown = cut ? charges.slice(0, CUT_CHARGES) : charges;
  let list = "";
  for (const { rule, amount, perDigest } of shown) {
    const per = perDigest === undefined ? "" : `,"perDigest":${text(perDigest)}`;
    list += `${list === "" ? "" : ","}{"rule":${name(rule)},"amount":${text(amount)}${per}}`;
  }
  return `,"charges":[${list}]${shown.length < charges.length ? `,"chargeCount":${charges.length}` : ""}`;
}
