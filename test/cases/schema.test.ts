/** The published schemas are fresh, know the keys that the check knows, and let pass every document that it takes. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { type Schema as JsonSchema, Validator } from "@cfworker/json-schema";
import { beforeAll, describe, expect, it } from "vitest";
import { isJsonObject, type Json, printJson, readMember } from "../../src/kernel/json.ts";
import { loadOperators } from "../../src/policy/operators/registry.ts";
import { readPolicy } from "../../src/policy/parse.ts";
import { readDocument } from "../../src/policy/read-document.ts";
import { parseTestFile } from "../../src/policy/test-file/read-test-file.ts";
import { describePolicySchema, describePolicyTestSchema, printSchema, type Schema } from "../../tools/policy-schema.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const BASE = "https://sallyport.example/";

/** A copy: the validator writes into the schemas that it is given. */
const copy = (schema: Schema): JsonSchema => JSON.parse(printSchema(schema)) as JsonSchema;
const policyValidator = new Validator(copy(describePolicySchema()), "2020-12", false);
const testValidator = new Validator(copy({ $id: `${BASE}policy-test.schema.json`, ...describePolicyTestSchema() }), "2020-12", false);
testValidator.addSchema(copy({ $id: `${BASE}policy.schema.json`, ...describePolicySchema() }));

const plain = (value: Json): unknown => JSON.parse(printJson(value));

function read(file: string): Json {
  const document = readDocument(readFileSync(path.join(ROOT, file), "utf8"), { file, anyMagnitude: true });
  if (!document.ok) throw new Error(JSON.stringify(document.failures));
  return document.value.value;
}

const testFiles = ["test/cases", "policies", "attacks"].flatMap((folder) => globSync(`${folder}/*.policy-test.yaml`, { cwd: ROOT }));

beforeAll(loadOperators);

describe("the schemas of policies", () => {
  it.each<[string, Schema]>([
    ["policy.schema.json", describePolicySchema()],
    ["policy-test.schema.json", describePolicyTestSchema()],
  ])("%s is checked in as it is made", (name, schema) => {
    const text = readFileSync(path.join(ROOT, "schema", name), "utf8");
    expect(text, "run `node tools/write-policy-schemas.ts`").toBe(printSchema(schema));
  });

  it.each(globSync("policies/*.json", { cwd: ROOT }))("lets pass %s", (file) => {
    expect(policyValidator.validate(plain(read(file)))).toMatchObject({ valid: true, errors: [] });
  });

  it.each(testFiles)("lets pass %s and its policy", (file) => {
    const value = read(file);
    expect(testValidator.validate(plain(value)).errors).toEqual([]);
    const policy = isJsonObject(value) ? readMember(value, "policy") : undefined;
    if (isJsonObject(policy)) expect(policyValidator.validate(plain(policy)).errors).toEqual([]);
  });

  it("refuses nothing that the check takes, and most of what it refuses", () => {
    const refused = testFiles.flatMap((file) => {
      const parsed = parseTestFile(readFileSync(path.join(ROOT, file), "utf8"), { file });
      return parsed.ok ? parsed.value.invalid.filter(({ document }) => typeof document !== "string") : [];
    });
    const passed = refused.filter(({ document }) => policyValidator.validate(plain(document)).valid);
    expect(refused.length).toBeGreaterThan(25);
    expect(passed.length).toBeLessThan(refused.length / 2);
  });
});

/** The keys that an unknown key's error names, of an object that stands at a pointer of this document. */
function askKnownKeys(document: unknown, pointer: string): string[] {
  const result = readPolicy(document as Json);
  const failures = result.ok ? [] : result.failures;
  const hint = failures.find((failure) => failure.at?.pointer === `${pointer}/zzz`)?.hint ?? "";
  return hint.replace("Known here: ", "").replace(/\.$/, "").split(", ").sort();
}

function askTestKeys(document: unknown, pointer: string): string[] {
  const result = parseTestFile(JSON.stringify(document));
  const failures = result.ok ? [] : result.failures;
  const hint = failures.find((failure) => failure.at?.pointer === `${pointer}/zzz`)?.hint ?? "";
  return hint.replace("Known here: ", "").replace(/\.$/, "").split(", ").sort();
}

const keysOf = (schema: unknown): string[] => Object.keys((schema as { properties: object }).properties).sort();
const definitions = describePolicySchema().$defs as Record<string, { properties: Record<string, unknown> }>;
const inEntry = (entry: object) => ({ version: "1", default: "deny", tools: { x: entry } });
const zzz = 1;

describe("the keys of the schemas are those of the language", () => {
  it.each<[string, unknown, unknown, string]>([
    ["a document", describePolicySchema(), { zzz }, ""],
    ["an entry", definitions.entry, inEntry({ zzz }), "/tools/x"],
    ["all_tools", definitions.all_tools, { all_tools: { zzz } }, "/all_tools"],
    ["a rule", definitions.rule, inEntry({ require: [{ zzz }] }), "/tools/x/require/0"],
    [
      "a comparison",
      definitions.comparison,
      inEntry({ require: [{ conditions: [{ path: "args.a", op: "shell_commands_in", value: [], zzz }] }] }),
      "/tools/x/require/0/conditions/0",
    ],
    ["a limit", definitions.limit, inEntry({ limits: [{ zzz }] }), "/tools/x/limits/0"],
    ["a rate limit", definitions.entry?.properties.rate_limit, inEntry({ rate_limit: { zzz } }), "/tools/x/rate_limit"],
    ["approval", definitions.approval, inEntry({ approval: { zzz } }), "/tools/x/approval"],
    ["validate", definitions.entry?.properties.validate, inEntry({ validate: { zzz } }), "/tools/x/validate"],
    ["resources", definitions.block, { resources: { zzz } }, "/resources"],
  ])("%s", (_, schema, document, pointer) => {
    expect(keysOf(schema)).toEqual(askKnownKeys(document, pointer));
  });

  const test = describePolicyTestSchema() as unknown as { properties: Record<string, { items: { properties: Record<string, unknown> } }> };
  const oneCase = test.properties.cases?.items as { properties: Record<string, unknown> };
  it.each<[string, unknown, unknown, string]>([
    ["a test file", test, { zzz }, ""],
    ["a case", oneCase, { cases: [{ zzz }] }, "/cases/0"],
    ["a call", oneCase.properties.call, { cases: [{ call: { zzz } }] }, "/cases/0/call"],
    ["an expectation", oneCase.properties.expect, { cases: [{ expect: { zzz } }] }, "/cases/0/expect"],
    ["a grant", test.properties.grant, { grant: { zzz } }, "/grant"],
    ["a tool", test.properties.tools?.items, { tools: [{ zzz }] }, "/tools/0"],
    ["an invalid document", test.properties.invalid?.items, { invalid: [{ zzz }] }, "/invalid/0"],
  ])("%s", (_, schema, document, pointer) => {
    expect(keysOf(schema)).toEqual(askTestKeys(document, pointer));
  });
});
