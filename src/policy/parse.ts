/**
 * Text or value → policy document, or every error at once, each with its pointer. What the language does not know is an
 * error wherever it stands, and a document with an error is none.
 */
import type { Failure, Result } from "../kernel/failure.ts";
import { fail, succeed } from "../kernel/failure.ts";
import { createJsonObject, isJsonObject, type Json, type JsonObject } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { inspectAgreement } from "./agreement.ts";
import type { AllToolsEntry, PolicyDocument, SelectionBlock, ToolEntry, Validation } from "./document.ts";
import { type FindPlace, freezeGiven, Inspector, readOptional } from "./inspector.ts";
import { parseApproval, parseLimits, parseRateLimit, type ReadLimit } from "./parse-limit.ts";
import { MAX_SENTENCE_CHARACTERS, parseRules } from "./parse-rule.ts";
import { isShorter } from "./print.ts";
import { type DocumentOptions, MAX_JSON_CHARACTERS, scanDocument } from "./read-document.ts";
import { compilePolicySchema } from "./schema/policy-schema.ts";
import { isSelector, parseSelector } from "./selector.ts";
import { isZone } from "./zone.ts";

/** UTF-16 units of a whole policy as compact JSON, so that what is printed can be parsed again. */
export const MAX_POLICY_CHARACTERS: number = MAX_JSON_CHARACTERS;
export const MAX_ENTRIES = 50_000;
export const MAX_LISTED_SELECTORS = 50_000;
export const MAX_REQUIRED_ARGS = 1000;
const MAX_ARGUMENT_CHARACTERS = 1024;
const MAX_DESCRIPTION_CHARACTERS = 65_536;

const DOCUMENT_KEYS = ["$schema", "version", "default", "description", "timezone", "hide", "all_tools", "tools", "resources", "prompts"];
const ALL_TOOLS_KEYS = ["require", "deny_if", "approve_if", "limits", "approval"];
const ENTRY_KEYS = ["action", "reason", ...ALL_TOOLS_KEYS, "rate_limit", "validate"];
const EFFECTS = ["allow", "deny"] as const;
const ACTIONS = ["allow", "deny", "require_approval"] as const;

/** Parses the text of a policy. */
export function parsePolicy(text: string, options: DocumentOptions = {}): Result<PolicyDocument> {
  // What a policy compares and counts are exact decimals: no number of it is too large.
  const scanned = scanDocument(text, { ...options, anyMagnitude: true });
  if (scanned.value === undefined) return fail(...scanned.failures);
  const read = readPolicy(scanned.value, (pointer, { key }) => scanned.place(pointer, key === true ? "key" : "value"));
  if (scanned.failures.length === 0) return read;
  return fail(...sortFailures([...scanned.failures, ...(read.ok ? [] : read.failures)]));
}

/** Reads a policy that stands inside of another document; `findPlace` says where its parts stand. */
export function readPolicy(value: Json, findPlace: FindPlace = (pointer) => ({ pointer })): Result<PolicyDocument> {
  const inspector = new Inspector(findPlace);
  const reader = new DocumentReader(inspector);
  const document = reader.readDocument(value);
  inspectAgreement(inspector, orderLimits(reader.limits, value));
  if (document && !isShorter(document as unknown as Json, MAX_POLICY_CHARACTERS))
    inspector.fault("", "The policy is too long or nested too deep.");
  return inspector.failures.length > 0 || !document ? fail(...sortFailures(inspector.failures)) : succeed(document);
}

/** As the document has them, which is read in an order of its own: of two that disagree the later one is in error. */
function orderLimits(limits: readonly ReadLimit[], document: Json): readonly ReadLimit[] {
  const keys = isJsonObject(document) ? Object.keys(document) : [];
  if (keys.indexOf("all_tools") < keys.indexOf("tools")) return limits;
  const isShared = ({ pointer }: ReadLimit): boolean => pointer.startsWith("/all_tools/");
  return [...limits.filter((limit) => !isShared(limit)), ...limits.filter(isShared)];
}

/** In the order of the text, as far as their places are known. */
function sortFailures(failures: readonly Failure[]): Failure[] {
  return failures.toSorted(
    (left, right) => (left.at?.line ?? 0) - (right.at?.line ?? 0) || (left.at?.column ?? 0) - (right.at?.column ?? 0),
  );
}

class DocumentReader {
  readonly limits: ReadLimit[] = [];
  readonly #inspector: Inspector;

  constructor(inspector: Inspector) {
    this.#inspector = inspector;
  }

  readDocument(value: Json): PolicyDocument | undefined {
    const inspector = this.#inspector;
    const document = inspector.readObject(value, "", "A policy", DOCUMENT_KEYS, ["version", "default"]);
    if (!document) return undefined;
    return freezeGiven<PolicyDocument>({
      $schema: readOptional(document, "$schema", "", (text, at) => inspector.readText(text, at, "`$schema`", MAX_SENTENCE_CHARACTERS)),
      version: readOptional(document, "version", "", (version, at) =>
        version === "1" ? version : inspector.fault(at, 'The version has to be the text "1".'),
      ) as "1",
      default: readOptional(document, "default", "", (effect, at) => inspector.readChoice(effect, at, EFFECTS)) as "allow" | "deny",
      description: this.#readText(document, "description", MAX_DESCRIPTION_CHARACTERS),
      timezone: readOptional(document, "timezone", "", (zone, at) =>
        typeof zone === "string" && isZone(zone) ? zone : inspector.fault(at, "This has to be an IANA time zone, such as `Europe/Berlin`."),
      ),
      hide: readOptional(document, "hide", "", (list, at) => this.#readSelectors(list, at, { classes: true, unique: true })),
      all_tools: readOptional(document, "all_tools", "", (entry, at) => this.#readAllTools(entry, at)),
      tools: readOptional(document, "tools", "", (tools, at) => this.#readTools(tools, at)),
      resources: readOptional(document, "resources", "", (block, at) => this.#readBlock(block, at)),
      prompts: readOptional(document, "prompts", "", (block, at) => this.#readBlock(block, at)),
    });
  }

  #readText(object: JsonObject, key: string, maxCharacters: number, pointer = ""): string | undefined {
    return readOptional(object, key, pointer, (text, at) => this.#inspector.readText(text, at, `\`${key}\``, maxCharacters));
  }

  #readTools(value: Json, pointer: string): Readonly<Record<string, ToolEntry>> | undefined {
    if (!isJsonObject(value)) return this.#inspector.fault(pointer, "`tools` has to be an object of selectors and entries.");
    const selectors = Object.keys(value);
    if (selectors.length > MAX_ENTRIES) return this.#inspector.fault(pointer, `\`tools\` holds at most ${MAX_ENTRIES} entries.`);
    const tools = createJsonObject() as unknown as Record<string, ToolEntry>;
    for (const text of selectors) {
      const at = `${pointer}/${escapePointer(text)}`;
      const selector = parseSelector(text);
      if (!isSelector(selector)) this.#inspector.fault(at, selector.fault, { key: true, code: "invalid_selector" });
      tools[text] = this.#readEntry(value[text] as Json, at);
    }
    return Object.freeze(tools);
  }

  #readEntry(value: Json, pointer: string): ToolEntry {
    const inspector = this.#inspector;
    const entry = inspector.readObject(value, pointer, "An entry", ENTRY_KEYS) ?? {};
    return freezeGiven<ToolEntry>({
      action: readOptional(entry, "action", pointer, (action, at) => inspector.readChoice(action, at, ACTIONS)),
      reason: this.#readText(entry, "reason", MAX_SENTENCE_CHARACTERS, pointer),
      ...this.#readShared(entry, pointer),
      rate_limit: readOptional(entry, "rate_limit", pointer, (rate, at) => parseRateLimit(inspector, rate, at)),
      validate: readOptional(entry, "validate", pointer, (validate, at) => this.#readValidate(validate, at)),
    });
  }

  #readAllTools(value: Json, pointer: string): AllToolsEntry {
    const entry = this.#inspector.readObject(value, pointer, "`all_tools`", ALL_TOOLS_KEYS) ?? {};
    return freezeGiven<AllToolsEntry>(this.#readShared(entry, pointer));
  }

  /** What an entry and `all_tools` have in common. */
  #readShared(entry: JsonObject, pointer: string): { [K in keyof Required<AllToolsEntry>]: AllToolsEntry[K] | undefined } {
    const inspector = this.#inspector;
    const readRules = (list: "require" | "deny_if" | "approve_if") =>
      readOptional(entry, list, pointer, (rules, at) => parseRules(inspector, rules, at, list));
    return {
      require: readRules("require"),
      deny_if: readRules("deny_if"),
      approve_if: readRules("approve_if"),
      limits: readOptional(entry, "limits", pointer, (limits, at) => parseLimits(inspector, limits, at, (read) => this.limits.push(read))),
      approval: readOptional(entry, "approval", pointer, (terms, at) => parseApproval(inspector, terms, at)),
    };
  }

  #readValidate(value: Json, pointer: string): Validation | undefined {
    const inspector = this.#inspector;
    const validate = inspector.readObject(value, pointer, "`validate`", ["required_args", "unknown_args", "schema"]);
    if (!validate) return undefined;
    return freezeGiven<Validation>({
      required_args: readOptional(validate, "required_args", pointer, (list, at) => this.#readArguments(list, at)),
      unknown_args: readOptional(validate, "unknown_args", pointer, (effect, at) => inspector.readChoice(effect, at, EFFECTS)),
      schema: readOptional(validate, "schema", pointer, (schema, at) => {
        const compiled = compilePolicySchema(schema);
        if ("faults" in compiled) for (const fault of compiled.faults) inspector.fault(`${at}${fault.pointer}`, `${fault.message}.`);
        return schema;
      }),
    });
  }

  #readArguments(value: Json, pointer: string): readonly string[] | undefined {
    const list = this.#inspector.readList(value, pointer, "`required_args`", MAX_REQUIRED_ARGS);
    const names = list?.map((name, index) =>
      this.#inspector.readText(name, `${pointer}/${index}`, "An argument's name", MAX_ARGUMENT_CHARACTERS),
    );
    return names && Object.freeze(names.filter((name) => name !== undefined));
  }

  #readBlock(value: Json, pointer: string): SelectionBlock | undefined {
    const block = this.#inspector.readObject(value, pointer, `\`${pointer.slice(1)}\``, ["default", "allow", "deny", "hide"]);
    if (!block) return undefined;
    const readSelectors = (key: string, unique: boolean) =>
      readOptional(block, key, pointer, (list, at) => this.#readSelectors(list, at, { classes: false, unique }));
    return freezeGiven<SelectionBlock>({
      default: readOptional(block, "default", pointer, (effect, at) => this.#inspector.readChoice(effect, at, EFFECTS)),
      allow: readSelectors("allow", false),
      deny: readSelectors("deny", false),
      hide: readSelectors("hide", true),
    });
  }

  #readSelectors(
    value: Json,
    pointer: string,
    options: { readonly classes: boolean; readonly unique: boolean },
  ): readonly string[] | undefined {
    const inspector = this.#inspector;
    const list = inspector.readList(value, pointer, "A list of selectors", MAX_LISTED_SELECTORS);
    if (!list) return undefined;
    const seen = new Set<string>();
    list.forEach((text, index) => {
      const at = `${pointer}/${index}`;
      const selector = typeof text === "string" ? parseSelector(text) : { fault: "A selector has to be a text." };
      if (!isSelector(selector)) inspector.fault(at, selector.fault, { code: "invalid_selector" });
      else if (selector.kind === "class" && !options.classes) {
        inspector.fault(at, "Classes are of tools: they select nothing here.", { code: "invalid_selector" });
      } else if (options.unique && seen.has(selector.text)) inspector.fault(at, `\`${selector.text}\` is hidden twice.`);
      else seen.add(selector.text);
    });
    return Object.freeze(list.filter((text) => typeof text === "string"));
  }
}
