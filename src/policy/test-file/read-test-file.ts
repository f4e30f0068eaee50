/**
 * Text of a policy test file → what it says, or every error at once, each with file, line, column and pointer. A policy
 * that stands in the file is read as a policy of its own would be; one that is named stays a path.
 */
import { type Failure, fail, type Result, succeed } from "../../kernel/failure.ts";
import { isJsonObject, type Json, readMember } from "../../kernel/json.ts";
import { type FindPlace, Inspector, readOptional } from "../inspector.ts";
import { readPolicy } from "../parse.ts";
import { type DocumentOptions, scanDocument } from "../read-document.ts";
import { readCases, readGrant } from "./read-case.ts";
import { type ClassifyListed, readTools } from "./read-tools.ts";
import type { InvalidCase, TestFile, TestPolicy } from "./test-file.ts";

export const MAX_INVALID_DOCUMENTS = 10_000;
export const MAX_TEST_TEXT_CHARACTERS = 4096;
const MAX_POINTERS = 1000;

export const TEST_FILE_KEYS: readonly string[] = ["$schema", "policy", "tools", "grant", "session", "cases", "invalid"];
export const INVALID_KEYS: readonly string[] = ["name", "document", "pointers"];

export interface TestFileOptions extends DocumentOptions {
  readonly classify?: ClassifyListed | undefined;
}

export function parseTestFile(text: string, options: TestFileOptions = {}): Result<TestFile> {
  const scanned = scanDocument(text, { ...options, anyMagnitude: true });
  if (scanned.value === undefined) return fail(...scanned.failures);
  const findPlace: FindPlace = (pointer, { key }) => scanned.place(pointer, key === true ? "key" : "value");
  const inspector = new Inspector(findPlace);
  inspector.failures.push(...scanned.failures);
  const file = readTestFile(inspector, scanned.value, findPlace, options.classify);
  return file === undefined || inspector.failures.length > 0 ? fail(...sortByPlace(inspector.failures)) : succeed(file);
}

function sortByPlace(failures: readonly Failure[]): Failure[] {
  return failures.toSorted((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0) || (a.at?.column ?? 0) - (b.at?.column ?? 0));
}

function readTestFile(inspector: Inspector, value: Json, findPlace: FindPlace, classify: ClassifyListed | undefined): TestFile | undefined {
  const file = inspector.readObject(value, "", "A policy test file", TEST_FILE_KEYS);
  if (!file) return undefined;
  readOptional(file, "$schema", "", (text, at) => inspector.readText(text, at, "`$schema`", MAX_TEST_TEXT_CHARACTERS));
  const policy = readOptional(file, "policy", "", (given, at) => readTestPolicy(inspector, given, at, findPlace));
  const cases = readOptional(file, "cases", "", (list, at) => readCases(inspector, list, at)) ?? [];
  const invalid = readOptional(file, "invalid", "", (list, at) => readInvalid(inspector, list, at)) ?? [];
  if (!Object.hasOwn(file, "cases") && !Object.hasOwn(file, "invalid")) inspector.fault("/cases", "A policy test file needs `cases`.");
  if (!Object.hasOwn(file, "policy") && Object.hasOwn(file, "cases")) inspector.fault("/policy", "The cases need a `policy` to ask.");
  return {
    policy,
    tools: readOptional(file, "tools", "", (list, at) => readTools(inspector, list, at, { strict: true, classify })),
    grant: readOptional(file, "grant", "", (grant, at) => readGrant(inspector, grant, at)) ?? {},
    session: readOptional(file, "session", "", (text, at) => inspector.readText(text, at, "`session`", MAX_TEST_TEXT_CHARACTERS)),
    cases,
    invalid,
  };
}

function readTestPolicy(inspector: Inspector, value: Json, pointer: string, findPlace: FindPlace): TestPolicy | undefined {
  if (typeof value === "string") {
    if (value.trim() === "") return inspector.fault(pointer, "`policy` is empty: it is a path, or the document itself.");
    return { path: value, at: inspector.locate(pointer) };
  }
  if (!isJsonObject(value)) return inspector.fault(pointer, "`policy` has to be a path, or the document itself.");
  const read = readPolicy(value, (below, options) => findPlace(`${pointer}${below}`, options));
  if (read.ok) return { document: read.value };
  inspector.failures.push(...read.failures);
  return undefined;
}

function readInvalid(inspector: Inspector, value: Json, pointer: string): readonly InvalidCase[] | undefined {
  const list = inspector.readList(value, pointer, "`invalid`", MAX_INVALID_DOCUMENTS);
  return list?.flatMap((member, index) => readInvalidCase(inspector, member, `${pointer}/${index}`, index) ?? []);
}

function readInvalidCase(inspector: Inspector, value: Json, pointer: string, index: number): InvalidCase | undefined {
  const given = inspector.readObject(value, pointer, "An invalid document", INVALID_KEYS, ["document"]);
  const document = given && readMember(given, "document");
  if (!given || document === undefined) return undefined;
  const name = readOptional(given, "name", pointer, (text, at) => inspector.readText(text, at, "A name", MAX_TEST_TEXT_CHARACTERS));
  const pointers = readOptional(given, "pointers", pointer, (list, at) => readPointers(inspector, list, at)) ?? [];
  return { name: name ?? `invalid document ${index + 1}`, document, pointers, at: inspector.locate(pointer) };
}

function readPointers(inspector: Inspector, value: Json, pointer: string): readonly string[] | undefined {
  const list = inspector.readList(value, pointer, "`pointers`", MAX_POINTERS);
  return list?.flatMap((member, index) => {
    const isPointer = typeof member === "string" && /^(?:\/(?:[^~]|~[01])*)?$/.test(member);
    return isPointer ? [member] : (inspector.fault(`${pointer}/${index}`, "This has to be a JSON Pointer, such as `/tools/x`.") ?? []);
  });
}
