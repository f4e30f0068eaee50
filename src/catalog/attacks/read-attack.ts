/**
 * Text of an attack's file → the attack, or every error at once with its place. Beyond the form it holds each claim to what
 * stands beside it: `yes` has a proof and leaves nothing open, `partly` has a proof and says what it leaves open, `no` has
 * none and says so.
 */
import { type Failure, fail, type Result, succeed } from "../../kernel/failure.ts";
import { isJsonObject, type Json, type JsonObject, readMember } from "../../kernel/json.ts";
import { TOOL_CLASSES } from "../../policy/decision.ts";
import { freezeGiven, Inspector, readOptional } from "../../policy/inspector.ts";
import { scanDocument } from "../../policy/read-document.ts";
import { SIGNAL_NAMES } from "../signals.ts";
import {
  ATTACK_KINDS,
  ATTACK_SEVERITIES,
  type Attack,
  type AttackKind,
  type AttackProof,
  type AttackReach,
  type AttackRecord,
  EVIDENCE,
  LOG_MEMBERS,
  type LogMember,
  type LogSign,
  OWASP_ENTRIES,
  type OwaspEntry,
  RECORD_KINDS,
  STOPS,
  type ToolReach,
} from "./attack.ts";

export const MAX_ATTACK_TEXT_CHARACTERS = 1_000;
export const MAX_ATTACK_LIST = 64;

export const ATTACK_ID: RegExp = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
export const RECORD_ID: RegExp = /^[A-Z]\d{3,}$/;
export const RECORD_DATE: RegExp = /^\d{4}(?:-\d{2}(?:-\d{2})?)?$/;

export const ATTACK_KEYS = [
  "id",
  "name",
  "kind",
  "severity",
  "owasp",
  "touches",
  "what",
  "how",
  "look_for",
  "stopped",
  "why",
  "proofs",
  "records",
] as const;
const OPTIONAL_ATTACK_KEYS = ["$schema", "also", "not_stopped"] as const;
export const RECORD_KEYS = ["id", "name", "kind", "what", "stopped", "evidence", "sources"] as const;
const OPTIONAL_RECORD_KEYS = ["date", "advisories"] as const;
const REACH_KEYS = ["classes", "signals"] as const;
const TOUCHES_KEYS: readonly string[] = [...REACH_KEYS, "legs", "everywhere"];
export const SIGN_KEYS = ["where", "means"] as const;
export const PROOF_KEYS = ["by", "file"] as const;

export function parseAttack(text: string, options: { readonly file?: string } = {}): Result<Attack> {
  const scanned = scanDocument(text, options);
  if (scanned.value === undefined) return fail(...scanned.failures);
  const inspector = new Inspector((pointer, { key }) => scanned.place(pointer, key === true ? "key" : "value"));
  inspector.failures.push(...scanned.failures);
  const attack = readAttack(inspector, scanned.value);
  return attack === undefined || inspector.failures.length > 0 ? fail(...inspector.failures) : succeed(attack);
}

function readAttack(inspector: Inspector, value: Json): Attack | undefined {
  const file = inspector.readObject(value, "", "An attack", [...ATTACK_KEYS, ...OPTIONAL_ATTACK_KEYS], ATTACK_KEYS);
  if (!file) return undefined;
  const text = (key: string): string => readOptional(file, key, "", (given, at) => readWords(inspector, given, at)) ?? "";
  const texts = (key: string): readonly string[] => readOptional(file, key, "", (given, at) => readTexts(inspector, given, at)) ?? [];
  const list = <T>(key: string, read: (inspector: Inspector, given: Json, at: string) => T | undefined): readonly T[] =>
    readOptional(file, key, "", (given, at) => readEach(inspector, given, at, read)) ?? [];
  const attack: Attack = {
    id: text("id"),
    name: text("name"),
    kind: choose(inspector, file, "kind", "", Object.keys(ATTACK_KINDS) as AttackKind[]),
    severity: choose(inspector, file, "severity", "", ATTACK_SEVERITIES),
    owasp: list("owasp", (_, given, at) => inspector.readChoice(given, at, Object.keys(OWASP_ENTRIES) as OwaspEntry[])),
    also: texts("also"),
    touches: readOptional(file, "touches", "", (given, at) => readTouches(inspector, given, at)) ?? {},
    what: text("what"),
    how: text("how"),
    look_for: list("look_for", readSign),
    stopped: choose(inspector, file, "stopped", "", STOPS),
    why: text("why"),
    not_stopped: texts("not_stopped"),
    proofs: list("proofs", readProof),
    records: list("records", readRecord),
  };
  if (inspector.failures.length > 0) return undefined;
  if (!ATTACK_ID.test(attack.id)) inspector.fault("/id", "An `id` is words of small letters and digits, joined by hyphens.");
  checkClaim(inspector, attack);
  return Object.freeze(attack);
}

/** A claim says neither more nor less than what stands beside it. */
function checkClaim(inspector: Inspector, { stopped, proofs, not_stopped, records }: Attack): void {
  const isProven = proofs.length > 0;
  const isWhole = not_stopped.length === 0;
  if (isProven !== (stopped !== "no")) {
    inspector.fault("/stopped", isProven ? "There are proofs, and the attack is said not to be stopped." : "A claim needs `proofs`.");
  }
  if (isWhole !== (stopped === "yes")) {
    inspector.fault("/not_stopped", isWhole ? "What gets by has to be said." : "An attack that is wholly stopped lets nothing by.");
  }
  records.forEach((record, index) => {
    if (stopped === "no" && record.stopped !== "no")
      inspector.fault(`/records/${index}/stopped`, "An attack that is not stopped has no record that is.");
  });
}

function readTouches(inspector: Inspector, value: Json, pointer: string): AttackReach | undefined {
  const given = inspector.readObject(value, pointer, "`touches`", TOUCHES_KEYS);
  if (!given) return undefined;
  const legs = readOptional(given, "legs", pointer, (each, at) => readEach(inspector, each, at, readReach));
  const everywhere = readMember(given, "everywhere");
  if (everywhere !== undefined && everywhere !== true) inspector.fault(`${pointer}/everywhere`, "This is `true`, or left out.");
  const reach: AttackReach = freezeGiven<AttackReach>({
    ...readReachMembers(inspector, given, pointer),
    legs,
    everywhere: everywhere === true ? everywhere : undefined,
  });
  const says = [reach.signals, reach.legs, reach.everywhere].filter((part) => part !== undefined).length;
  if (says === 0)
    inspector.fault(pointer, "An attack touches tools by `signals`, servers by `legs`, or is `everywhere`: a class alone says nothing.");
  if (reach.everywhere && Object.keys(reach).length > 1) inspector.fault(pointer, "What is `everywhere` asks for nothing else.");
  if (reach.legs && (reach.legs.length < 2 || !reach.legs.some(({ signals }) => signals !== undefined)))
    inspector.fault(`${pointer}/legs`, "There are two legs at least, and one of them has `signals`.");
  return reach;
}

function readReach(inspector: Inspector, value: Json, pointer: string): ToolReach | undefined {
  const given = inspector.readObject(value, pointer, "A leg", REACH_KEYS);
  if (!given) return undefined;
  const reach = readReachMembers(inspector, given, pointer);
  return Object.keys(reach).length === 0 ? inspector.fault(pointer, "A leg asks for `classes` or `signals`.") : reach;
}

function readReachMembers(inspector: Inspector, given: JsonObject, pointer: string): ToolReach {
  const words = <T extends string>(key: string, choices: readonly T[]): readonly T[] | undefined =>
    readOptional(given, key, pointer, (each, at) =>
      readEach(inspector, each, at, (_, word, below) => inspector.readChoice(word, below, choices)),
    );
  return freezeGiven<ToolReach>({ classes: words("classes", TOOL_CLASSES), signals: words("signals", SIGNAL_NAMES) });
}

function readSign(inspector: Inspector, value: Json, pointer: string): LogSign | undefined {
  const given = inspector.readObject(value, pointer, "What to look for", SIGN_KEYS, SIGN_KEYS);
  const where = given && readMember(given, "where");
  if (!given || !isJsonObject(where as Json)) return given && inspector.fault(`${pointer}/where`, "`where` has to be an object.");
  const members = inspector.readObject(where as Json, `${pointer}/where`, "`where`", LOG_MEMBERS, ["kind"]);
  if (!members) return undefined;
  const asked: Partial<Record<LogMember, string>> = {};
  for (const member of LOG_MEMBERS) {
    const word = readOptional(members, member, `${pointer}/where`, (text, at) => readWords(inspector, text, at));
    if (word !== undefined) asked[member] = word;
  }
  const means = readOptional(given, "means", pointer, (text, at) => readWords(inspector, text, at)) ?? "";
  return { where: asked, means };
}

function readProof(inspector: Inspector, value: Json, pointer: string): AttackProof | undefined {
  const given = inspector.readObject(value, pointer, "A proof", [...PROOF_KEYS, "name"], PROOF_KEYS);
  if (!given) return undefined;
  const text = (key: string): string | undefined => readOptional(given, key, pointer, (word, at) => readWords(inspector, word, at));
  const [by = "", file = "", name] = [text("by"), text("file"), text("name")];
  if ((by === "policy") !== (name === undefined)) {
    inspector.fault(
      pointer,
      by === "policy" ? "All cases of a policy test file count: it has no `name`." : "A test of ours has its `name`.",
    );
  }
  return freezeGiven<AttackProof>({ by, file, name });
}

function readRecord(inspector: Inspector, value: Json, pointer: string): AttackRecord | undefined {
  const given = inspector.readObject(value, pointer, "A record", [...RECORD_KEYS, ...OPTIONAL_RECORD_KEYS], RECORD_KEYS);
  if (!given) return undefined;
  const text = (key: string): string => readOptional(given, key, pointer, (word, at) => readWords(inspector, word, at)) ?? "";
  const texts = (key: string): readonly string[] | undefined =>
    readOptional(given, key, pointer, (words, at) => readTexts(inspector, words, at));
  const id = text("id");
  if (!RECORD_ID.test(id)) inspector.fault(`${pointer}/id`, "A record's `id` is a letter and three digits.");
  const date = readOptional(given, "date", pointer, (word, at) => readWords(inspector, word, at));
  if (date !== undefined && !RECORD_DATE.test(date))
    inspector.fault(`${pointer}/date`, "A date is a year, a month or a day: `2025-07-18`.");
  return freezeGiven<AttackRecord>({
    id,
    name: text("name"),
    kind: choose(inspector, given, "kind", pointer, RECORD_KINDS),
    date,
    what: text("what"),
    advisories: texts("advisories"),
    stopped: choose(inspector, given, "stopped", pointer, STOPS),
    evidence: choose(inspector, given, "evidence", pointer, EVIDENCE),
    sources: texts("sources") ?? [],
  });
}

/** The chosen word; where there is none a fault is told, and the first stands in for it in a value that nobody gets. */
function choose<T extends string>(inspector: Inspector, given: JsonObject, key: string, pointer: string, choices: readonly T[]): T {
  return readOptional(given, key, pointer, (word, at) => inspector.readChoice(word, at, choices)) ?? (choices[0] as T);
}

function readWords(inspector: Inspector, value: Json, pointer: string): string | undefined {
  const text = inspector.readText(value, pointer, "This", MAX_ATTACK_TEXT_CHARACTERS);
  return text?.trim() === "" ? inspector.fault(pointer, "This text is empty.") : text;
}

const readTexts = (inspector: Inspector, value: Json, pointer: string): readonly string[] | undefined =>
  readEach(inspector, value, pointer, readWords);

function readEach<T>(
  inspector: Inspector,
  value: Json,
  pointer: string,
  read: (inspector: Inspector, value: Json, pointer: string) => T | undefined,
): readonly T[] | undefined {
  const list = inspector.readList(value, pointer, "This", MAX_ATTACK_LIST);
  const members = list?.flatMap((member, index) => read(inspector, member, `${pointer}/${index}`) ?? []);
  return members && Object.freeze(members);
}

/** Attacks of one collection: no id and no record stands twice. */
export function checkCollection(attacks: readonly Attack[]): readonly Failure[] {
  const failures: Failure[] = [];
  const look = (id: string, what: string, ids: Set<string>): void => {
    if (ids.has(id)) failures.push({ code: "conflict", message: `${what} \`${id}\` stands twice.` });
    ids.add(id);
  };
  const ids = new Set<string>();
  const records = new Set<string>();
  for (const attack of attacks) {
    look(attack.id, "The attack", ids);
    for (const record of attack.records) look(record.id, "The record", records);
  }
  return failures;
}
