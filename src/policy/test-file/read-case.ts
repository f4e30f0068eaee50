/** Reads the cases of a policy test file: who asks, for what, when, and what is expected. A typo is an error here too. */
import { createJsonObject, isJsonObject, type Json, type JsonObject, readMember } from "../../kernel/json.ts";
import { escapePointer } from "../../kernel/strict-json.ts";
import { freezeGiven, type Inspector, readOptional, readWhole } from "../inspector.ts";
import { isDateTime } from "../schema/format-time.ts";
import { type Expectation, TEST_DECISIONS, TEST_OUTCOMES, type TestCase, type TestGrant, type TestSubject } from "./test-file.ts";

export const MAX_CASES = 100_000;
export const MAX_REPEAT = 100_000;
const MAX_TEXT_CHARACTERS = 65_536;

export const CASE_KEYS: readonly string[] = [
  "name",
  "at",
  "call",
  "read",
  "prompt",
  "outcome",
  "approved",
  "repeat",
  "grant",
  "session",
  "expect",
];
export const GRANT_KEYS: readonly string[] = ["label", "identity", "tags"];
export const EXPECT_KEYS: readonly string[] = ["decision", "code", "rule", "message", "retryAfterMs", "cause"];
const SUBJECT_KEYS = ["call", "read", "prompt"] as const;

export function readCases(inspector: Inspector, value: Json, pointer: string): readonly TestCase[] | undefined {
  const list = inspector.readList(value, pointer, "`cases`", MAX_CASES);
  return list?.flatMap((member, index) => readCase(inspector, member, `${pointer}/${index}`, index) ?? []);
}

function readCase(inspector: Inspector, value: Json, pointer: string, index: number): TestCase | undefined {
  const given = inspector.readObject(value, pointer, "A case", CASE_KEYS, ["expect"]);
  if (!given) return undefined;
  const text = (key: string): string | undefined =>
    readOptional(given, key, pointer, (member, at) => inspector.readText(member, at, `\`${key}\``, MAX_TEXT_CHARACTERS));
  const subject = readSubject(inspector, given, pointer);
  const expect = readOptional(given, "expect", pointer, (member, at) => readExpectation(inspector, member, at));
  const read = {
    name: text("name") ?? `case ${index + 1}`,
    atMs: readOptional(given, "at", pointer, (time, at) => readTime(inspector, time, at)),
    outcome: readOptional(given, "outcome", pointer, (outcome, at) => inspector.readChoice(outcome, at, TEST_OUTCOMES)) ?? "ok",
    approved: readOptional(given, "approved", pointer, (flag, at) => readFlag(inspector, flag, at)) ?? false,
    repeat: readOptional(given, "repeat", pointer, (count, at) => readRepeat(inspector, count, at)) ?? 1,
    grant: readOptional(given, "grant", pointer, (grant, at) => readGrant(inspector, grant, at)) ?? {},
    session: text("session"),
  };
  return subject && expect && { ...read, subject, expect, at: inspector.locate(pointer) };
}

function readSubject(inspector: Inspector, given: JsonObject, pointer: string): TestSubject | undefined {
  const named = SUBJECT_KEYS.filter((key) => Object.hasOwn(given, key));
  const [kind] = named;
  if (kind === undefined) return inspector.fault(`${pointer}/call`, "A case needs a `call`, or `read` or `prompt` in its place.");
  if (named.length > 1)
    return inspector.fault(`${pointer}/${named[1]}`, "A case asks one thing: `call`, `read` or `prompt`.", { key: true });
  const at = `${pointer}/${kind}`;
  const member = readMember(given, kind) as Json;
  if (kind === "call") return readCall(inspector, member, at);
  const text = inspector.readText(member, at, `\`${kind}\``, MAX_TEXT_CHARACTERS);
  if (text === undefined) return undefined;
  return kind === "read" ? { kind, uri: text } : { kind, name: text };
}

/** `{ name, arguments }`; arguments that are no object are the policy's to refuse. */
export function readCall(inspector: Inspector, value: Json, pointer: string): Extract<TestSubject, { kind: "call" }> | undefined {
  const call = inspector.readObject(value, pointer, "A call", ["name", "arguments"], ["name"]);
  const name = call && readOptional(call, "name", pointer, (text, at) => inspector.readText(text, at, "`name`", MAX_TEXT_CHARACTERS));
  return call && name !== undefined ? { kind: "call", name, args: readMember(call, "arguments") ?? createJsonObject() } : undefined;
}

function readTime(inspector: Inspector, value: Json, pointer: string): number | undefined {
  const ms = typeof value === "string" ? parseTestTime(value) : undefined;
  return ms ?? inspector.fault(pointer, "A time is written as `2026-01-05T09:00:00Z`, with its zone.");
}

/** RFC 3339 → Unix milliseconds; undefined where it is no such time. */
export function parseTestTime(text: string): number | undefined {
  const ms = isDateTime(text) ? Date.parse(text.toUpperCase()) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function readFlag(inspector: Inspector, value: Json, pointer: string): boolean | undefined {
  return typeof value === "boolean" ? value : inspector.fault(pointer, "This has to be `true` or `false`.");
}

function readRepeat(inspector: Inspector, value: Json, pointer: string): number | undefined {
  const count = readWhole(value);
  if (count !== undefined && count >= 1 && count <= MAX_REPEAT) return count;
  return inspector.fault(pointer, `\`repeat\` is a whole number from 1 to ${MAX_REPEAT}.`);
}

export function readGrant(inspector: Inspector, value: Json, pointer: string): TestGrant | undefined {
  const grant = inspector.readObject(value, pointer, "A grant", GRANT_KEYS);
  if (!grant) return undefined;
  const text = (key: string): string | undefined =>
    readOptional(grant, key, pointer, (member, at) => inspector.readText(member, at, `\`${key}\``, MAX_TEXT_CHARACTERS));
  return freezeGiven<TestGrant>({
    label: text("label"),
    identity: text("identity"),
    tags: readOptional(grant, "tags", pointer, (tags, at) => readTags(inspector, tags, at)),
  });
}

function readTags(inspector: Inspector, value: Json, pointer: string): Readonly<Record<string, string>> | undefined {
  if (!isJsonObject(value)) return inspector.fault(pointer, "`tags` has to be an object of names and texts.");
  const tags = createJsonObject() as Record<string, string>;
  for (const [name, text] of Object.entries(value)) {
    if (typeof text === "string") tags[name] = text;
    else inspector.fault(`${pointer}/${escapePointer(name)}`, "A tag's value has to be a text.");
  }
  return tags;
}

function readExpectation(inspector: Inspector, value: Json, pointer: string): Expectation | undefined {
  const expect = inspector.readObject(value, pointer, "`expect`", EXPECT_KEYS);
  if (!expect) return undefined;
  if (Object.keys(expect).length === 0) return inspector.fault(pointer, "`expect` of nothing can't fail: name what must be equal.");
  const text = (key: string): string | undefined =>
    readOptional(expect, key, pointer, (member, at) => inspector.readText(member, at, `\`${key}\``, MAX_TEXT_CHARACTERS));
  return freezeGiven<Expectation>({
    decision: readOptional(expect, "decision", pointer, (word, at) => inspector.readChoice(word, at, TEST_DECISIONS)),
    code: text("code"),
    rule: text("rule"),
    message: text("message"),
    cause: text("cause"),
    retryAfterMs: readOptional(expect, "retryAfterMs", pointer, (wait, at) => readWait(inspector, wait, at)),
    written: expect,
  });
}

function readWait(inspector: Inspector, value: Json, pointer: string): Expectation["retryAfterMs"] {
  if (typeof value === "boolean") return value;
  const exact = readWhole(value);
  if (exact !== undefined) return { min: exact, max: exact };
  const range = inspector.readObject(value, pointer, "`retryAfterMs`", ["min", "max"]);
  if (!range) return undefined;
  const read = (key: "min" | "max"): number | undefined =>
    readOptional(range, key, pointer, (ms, at) => readWhole(ms) ?? inspector.fault(at, "Milliseconds are a whole number."));
  const [min = 0, max = Number.MAX_SAFE_INTEGER] = [read("min"), read("max")];
  return min <= max ? { min, max } : inspector.fault(pointer, "`min` is above `max`.");
}
