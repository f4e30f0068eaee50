/**
 * The older YAML form of a policy → a document of this language, with everything that there is to say about it. What the
 * new document decides is what the older one decided or stricter, but for what is named as lost.
 */
import { type Failure, fail, type Result, succeed } from "../../kernel/failure.ts";
import { createJsonObject, isJsonNumber, isJsonObject, type Json, type JsonObject, readMember, toJson } from "../../kernel/json.ts";
import { escapePointer } from "../../kernel/strict-json.ts";
import type { PolicyDocument } from "../document.ts";
import { Inspector, readOptional } from "../inspector.ts";
import { readPolicy } from "../parse.ts";
import { MAX_RULES } from "../parse-rule.ts";
import { type DocumentOptions, scanDocument } from "../read-document.ts";
import { createEntryDraft, type DraftedRule, type EntryDraft, importRule, readOlderDuration } from "./import-rule.ts";
import { EVERY_TOOL, OLDER_DOCUMENT_KEYS, selectName } from "./older-form.ts";
import { type Remark, Remarks } from "./remarks.ts";

export interface ImportOptions extends DocumentOptions {
  /** Leave out what has no equal, instead of refusing it. */
  readonly lossy: boolean;
}

export interface ImportedPolicy {
  readonly document: PolicyDocument;
  readonly losses: readonly Remark[];
  readonly notes: readonly Remark[];
}

const MAX_HIDDEN = 50_000;
const MAX_DESCRIPTION_CHARACTERS = 65_536;
const DURATION_UNITS = [
  [86_400, "d"],
  [3600, "h"],
  [60, "m"],
] as const;
/** Keys by which a document of this language is told from an older one. */
const NEW_DOCUMENT_KEYS = ["all_tools", "timezone", "resources", "prompts"];
const NEW_ENTRY_KEYS = ["action", "reason", "require", "deny_if", "approve_if", "limits", "rate_limit", "validate", "approval"];

export function importPolicy(text: string, options: ImportOptions): Result<ImportedPolicy> {
  const scanned = scanDocument(text, options);
  if (scanned.value === undefined || scanned.failures.length > 0) return fail(...scanned.failures);
  const inspector = new Inspector((pointer, { key }) => scanned.place(pointer, key === true ? "key" : "value"));
  const remarks = new Remarks(inspector);
  const drafted = draftDocument(remarks, scanned.value);
  const refused: readonly Failure[] = options.lossy ? [] : remarks.refuseLosses();
  if (drafted === undefined || remarks.failures.length + refused.length > 0) return fail(...remarks.failures, ...refused);
  const read = readPolicy(drafted, (pointer) => remarks.findOrigin(pointer));
  if (!read.ok) return read;
  return succeed({ document: read.value, losses: remarks.losses, notes: remarks.notes });
}

function draftDocument(remarks: Remarks, value: Json): JsonObject | undefined {
  const { inspector } = remarks;
  if (!isJsonObject(value)) return inspector.fault("", "An older policy has to be an object.");
  for (const key of Object.keys(value)) {
    const at = `/${escapePointer(key)}`;
    if (NEW_DOCUMENT_KEYS.includes(key))
      inspector.fault(at, `\`${key}\` is of this language: the document needs no import.`, { key: true });
    else if (!OLDER_DOCUMENT_KEYS.includes(key)) remarks.lose(at, `The key \`${key}\` is not known here.`, { key: true });
  }
  const version = readMember(value, "version");
  if (version !== "1" && !(version !== undefined && isJsonNumber(version) && String(version) === "1")) {
    inspector.fault("/version", 'The version of an older policy is "1".');
  }
  const defaultTimeout = readOptional(value, "approvals", "", (approvals, at) => readApprovals(remarks, approvals, at));
  const { tools, everyTool } = readTools(remarks, value, defaultTimeout);
  const hidden = given(value, "hide") === undefined ? undefined : readHidden(remarks, value.hide as Json);
  const description = readOptional(value, "description", "", (text, at) =>
    inspector.readText(text, at, "`description`", MAX_DESCRIPTION_CHARACTERS),
  );
  return toJson({
    version: "1",
    default: readDefault(remarks, value),
    description: description || undefined,
    hide: hidden?.length === 0 ? undefined : hidden,
    all_tools: everyTool,
    tools,
  }) as JsonObject;
}

/** A member that is there and not null, as the older form reads an empty one. */
function given(object: JsonObject, key: string): Json | undefined {
  return readMember(object, key) ?? undefined;
}

function readDefault(remarks: Remarks, document: JsonObject): string | undefined {
  const effect = given(document, "default") ?? "";
  if (effect !== "") return remarks.inspector.readChoice(effect, "/default", ["allow", "deny"]);
  remarks.note("/default", "No `default` is said, which means `allow` there: the policy says `allow` now. `deny` would be the safer one.");
  return "allow";
}

function readHidden(remarks: Remarks, value: Json): readonly string[] | undefined {
  const list = remarks.inspector.readList(value, "/hide", "`hide`", MAX_HIDDEN);
  return list?.flatMap((name, index) => {
    const at = `/hide/${index}`;
    if (typeof name !== "string" || name.trim() === "") return remarks.fault(at, "A hidden tool has a name.") ?? [];
    remarks.origins.set(at, at);
    return [name === EVERY_TOOL ? name : selectTool(remarks, name, at)];
  });
}

function selectTool(remarks: Remarks, name: string, pointer: string): string {
  if (name.includes("*")) remarks.note(pointer, `\`${name}\` is one tool's name there, not a pattern: its star is taken literally.`);
  return selectName(name);
}

function readApprovals(remarks: Remarks, value: Json, pointer: string): number | undefined {
  if (!isJsonObject(value)) return remarks.fault(pointer, "`approvals` has to be an object.");
  for (const key of Object.keys(value)) {
    if (key === "default_timeout") continue;
    const message = `\`approvals.${key}\` has no equal in a policy: who is told, and how, is the gateway's business.`;
    remarks.lose(`${pointer}/${escapePointer(key)}`, message, { key: true });
  }
  return readOptional(value, "default_timeout", pointer, (text, at) => readOlderDuration(remarks, text, at));
}

function readTools(
  remarks: Remarks,
  document: JsonObject,
  defaultTimeout: number | undefined,
): { readonly tools: Json | undefined; readonly everyTool: Json | undefined } {
  const value = given(document, "tools");
  if (value === undefined) return { tools: undefined, everyTool: undefined };
  if (!isJsonObject(value)) {
    remarks.fault("/tools", "`tools` has to be an object of names and rules.");
    return { tools: undefined, everyTool: undefined };
  }
  const tools = createJsonObject();
  let everyTool: Json | undefined;
  for (const name of Object.keys(value)) {
    const pointer = `/tools/${escapePointer(name)}`;
    if (name === "") remarks.fault(pointer, "A tool has a name.");
    const entry = createEntryDraft();
    for (const [index, rule] of readRules(remarks, value[name] as Json, pointer).entries()) {
      importRule({ remarks, tool: name, entry, defaultTimeout }, rule, `${pointer}/rules/${index}`);
    }
    if (name === EVERY_TOOL) everyTool = writeEveryTool(remarks, entry, pointer);
    else {
      const selector = selectTool(remarks, name, pointer);
      tools[selector] = writeEntry(remarks, entry, pointer, `/tools/${escapePointer(selector)}`);
    }
  }
  return { tools, everyTool };
}

function readRules(remarks: Remarks, value: Json, pointer: string): readonly Json[] {
  if (value === null) return [];
  if (!isJsonObject(value)) {
    remarks.fault(pointer, "A tool has to be an object with `rules`.");
    return [];
  }
  for (const key of Object.keys(value)) {
    if (key === "rules") continue;
    const at = `${pointer}/${escapePointer(key)}`;
    if (NEW_ENTRY_KEYS.includes(key)) {
      remarks.inspector.fault(at, `\`${key}\` is of this language: an older policy has \`rules\` alone here.`, { key: true });
    } else remarks.lose(at, `The key \`${key}\` is not known here.`, { key: true });
  }
  const rules = given(value, "rules");
  return rules === undefined ? [] : (remarks.inspector.readList(rules, `${pointer}/rules`, "`rules`", MAX_RULES) ?? []);
}

function writeEveryTool(remarks: Remarks, entry: EntryDraft, pointer: string): Json {
  const always = (reason: string | undefined): DraftedRule => ({ name: undefined, conditions: [], onDeny: reason, origin: pointer });
  if (entry.denied) entry.denyIf.unshift(always(entry.denied.reason));
  if (entry.asked) entry.approveIf.unshift(always(entry.asked.reason));
  return writeShared(remarks, entry, pointer, "/all_tools", undefined);
}

function writeEntry(remarks: Remarks, entry: EntryDraft, pointer: string, here: string): Json {
  const { denied, asked } = entry;
  remarks.origins.set(here, pointer);
  if (denied) {
    const others = entry.require.length + entry.denyIf.length + entry.approveIf.length + entry.limits.length;
    if (others > 0 || asked) remarks.note(pointer, "One of its rules denies every call: the others are never asked and are left out.");
    return toJson({ action: "deny", reason: denied.reason });
  }
  if (!asked) return writeShared(remarks, entry, pointer, here, undefined);
  if (entry.approveIf.length > 0) {
    remarks.note(pointer, "One of its rules asks a person about every call: the others that ask are left out.");
    entry.approveIf.length = 0;
  }
  const shared = writeShared(remarks, entry, pointer, here, asked.reason) as JsonObject;
  return toJson({ action: "require_approval", reason: asked.reason, ...shared });
}

/** `reason` is the entry's, which would stand in for what a rule does not say. */
function writeShared(remarks: Remarks, entry: EntryDraft, pointer: string, here: string, reason: string | undefined): Json {
  const writeRules = (list: string, rules: readonly DraftedRule[]): Json | undefined => {
    rules.forEach((rule, index) => remarks.origins.set(`${here}/${list}/${index}`, rule.origin));
    if (rules.length === 0) return undefined;
    return rules.map(({ name, conditions, onDeny }) => {
      const words = onDeny ?? (reason === undefined || list === "approve_if" ? undefined : describeRule(name));
      return toJson({ name, conditions, on_deny: words });
    });
  };
  entry.limits.forEach(({ origin }, index) => remarks.origins.set(`${here}/limits/${index}`, origin));
  const expires = chooseExpiry(remarks, entry, pointer);
  return toJson({
    require: writeRules("require", entry.require),
    deny_if: writeRules("deny_if", entry.denyIf),
    approve_if: writeRules("approve_if", entry.approveIf),
    limits: entry.limits.length === 0 ? undefined : entry.limits.map(({ limit }) => limit),
    approval: expires === undefined ? undefined : { expires },
  });
}

function describeRule(name: string | undefined): string {
  return name === undefined ? "A rule of the policy does not allow this call." : `The rule \`${name}\` does not allow this call.`;
}

/** One time for all approvals of an entry: of several the shortest. */
function chooseExpiry(remarks: Remarks, { expires }: EntryDraft, pointer: string): string | undefined {
  if (expires.length === 0) return undefined;
  remarks.noteOnce(
    pointer,
    "Approvals are given by admins, one of them for each call, unless `approval` says otherwise; each grant needs an owner.",
  );
  const said = expires.filter((seconds) => seconds !== undefined);
  if (said.length === 0) return undefined;
  if (new Set(expires).size > 1) remarks.lose(pointer, "All approvals of a tool expire after one time here: the shortest is taken.");
  return printDuration(Math.min(...said));
}

/** In the largest unit that holds it whole. */
function printDuration(seconds: number): string {
  const [length, unit] = DURATION_UNITS.find(([size]) => seconds % size === 0) ?? [1, "s"];
  return `${seconds / length}${unit}`;
}
