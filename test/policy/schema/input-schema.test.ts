/** A server's own schema: what is unusable and why, what is left out, what is told of arguments that don't fit. */
import { describe, expect, test } from "vitest";
import { type JsonObject, toJson } from "../../../src/kernel/json.ts";
import { compileInputSchema } from "../../../src/policy/schema/input-schema.ts";
import { judgeByInput, readJson, URI_07, URI_2020 } from "./read.ts";

const UNUSABLE: readonly [string, RegExp][] = [
  ['"a"', /object/],
  ["null", /object/],
  ["[]", /object/],
  ["1.0", /object/],
  ['{"required":"a"}', /`required` has to be a list of strings \(at `\/required`\)/],
  ['{"required":[1]}', /\/required\/0/],
  ['{"properties":{"a":{"required":true}}}', /\/properties\/a\/required/],
  ['{"properties":[]}', /\/properties`/],
  ['{"properties":{"a":"string"}}', /\/properties\/a`/],
  ['{"properties":{"a":null}}', /\/properties\/a`/],
  ['{"type":"any"}', /\/type/],
  ['{"type":[]}', /\/type/],
  ['{"type":["string",null]}', /\/type\/1/],
  ['{"enum":"a"}', /\/enum/],
  ['{"minimum":"1"}', /\/minimum/],
  ['{"minLength":-1}', /\/minLength/],
  ['{"minLength":1.5}', /\/minLength/],
  ['{"multipleOf":0}', /\/multipleOf/],
  ['{"multipleOf":-2.0}', /\/multipleOf/],
  ['{"uniqueItems":"yes"}', /\/uniqueItems/],
  ['{"allOf":[]}', /\/allOf/],
  ['{"allOf":{}}', /\/allOf/],
  ['{"anyOf":[1]}', /\/anyOf\/0/],
  ['{"items":"string"}', /\/items/],
  ['{"additionalProperties":"no"}', /\/additionalProperties/],
  ['{"not":null}', /\/not/],
  ['{"pattern":5}', /\/pattern/],
  ['{"patternProperties":[]}', /\/patternProperties/],
  ['{"dependentRequired":{"a":"b"}}', /\/dependentRequired\/a/],
  ['{"$defs":{"a":5}}', /\/\$defs\/a/],
  ['{"$anchor":"#a"}', /\/\$anchor/],
  ['{"$id":5}', /\/\$id/],
  ['{"$id":"http://[","properties":{}}', /address/],
  [`{"$schema":"${URI_2020}","$id":"http://x.test/a#b"}`, /fragment/],
  ['{"$schema":5}', /\$schema/],
  ['{"$schema":"http://json-schema.org/draft-03/schema#"}', /no draft/],
  ['{"$schema":"https://example.test/my-dialect"}', /no draft/],
  ['{"$schema":"https://json-schema.org/draft/2020-12/schema#x"}', /no draft/],
  ['{"properties":{"a":{"$id":"b","$schema":"https://example.test/mine"}}}', /no draft/],
  ['{"$ref":"https://example.test/schema"}', /nothing is fetched/],
  ['{"properties":{"a":{"$ref":"#/definitions/b"}}}', /names nothing in this document/],
];

test.each(UNUSABLE)("%s is unusable", (text, reason) => {
  expect(compileInputSchema(readJson(text))).toEqual({ unusable: expect.stringMatching(reason) });
});

test("a stranger's text in a reason is short and has no line of its own", () => {
  const prepared = compileInputSchema(toJson({ $ref: `https://x.test/\n\`\`\`${"a".repeat(5000)}` }));
  expect(prepared).toHaveProperty("unusable");
  const reason = "unusable" in prepared ? prepared.unusable : "";
  expect(reason.length).toBeLessThan(400);
  expect(reason).not.toMatch(/\n|```/);
});

test("annotations and unknown keywords are not looked at", () => {
  const schema =
    '{"title":5,"description":[],"default":"x","examples":"a","deprecated":"no","format":5,"nullable":true,"optional":{"a":1},"x-order":1,"$comment":{},"contentSchema":"x","$vocabulary":1,"readOnly":"maybe","properties":{"a":{"format":"email","type":"string"}}}';
  expect(judgeByInput(readJson(schema))(readJson('{"a":"no address"}'))).toBeUndefined();
});

test.each([
  "http://json-schema.org/draft-07/schema#",
  "https://json-schema.org/draft-07/schema",
  "http://json-schema.org/schema#",
  "https://json-schema.org/draft/2019-09/schema",
  "http://json-schema.org/draft-06/schema#",
])("%s is known", (uri) => {
  expect(compileInputSchema(toJson({ $schema: uri, type: "object" }))).toHaveProperty("schema");
});

test("the top-level properties are told, and no others", () => {
  const prepared = compileInputSchema(
    readJson('{"properties":{"a":{"properties":{"b":{}}},"__proto__":{}},"allOf":[{"properties":{"c":{}}}],"patternProperties":{"d":{}}}'),
  );
  expect("schema" in prepared && [...prepared.schema.properties]).toEqual(["a", "__proto__"]);
  const none = compileInputSchema(readJson("true"));
  expect("schema" in none && none.schema.properties.size).toBe(0);
});

describe("patterns", () => {
  const prepare = (text: string): { judge: (args: string) => string | undefined; findings: string[] } => {
    const prepared = compileInputSchema(readJson(text));
    if ("unusable" in prepared) throw new Error(prepared.unusable);
    return { judge: (args) => prepared.schema.check(readJson(args) as JsonObject), findings: prepared.findings };
  };

  test("what RE2 can't take is left out and told, the rest still holds", () => {
    const { judge, findings } = prepare(
      '{"properties":{"a":{"pattern":"^(?!x)","maxLength":3},"b":{"pattern":"(a)\\\\1"},"c":{"pattern":"^c$"}}}',
    );
    expect(findings).toHaveLength(2);
    expect(findings[0]).toContain("/properties/a/pattern");
    expect(findings[1]).toContain("/properties/b/pattern");
    expect([judge('{"a":"xyz","b":"q"}'), judge('{"a":"wxyz"}'), judge('{"c":"d"}')]).toEqual([
      undefined,
      "`/a` has to be at most 3 characters long.",
      "`/c` has to match its schema's pattern.",
    ]);
  });

  test("a key of patternProperties that RE2 can't take covers nothing", () => {
    const { judge, findings } = prepare('{"patternProperties":{"^(?=a)":{"type":"string"},"^b":{}},"additionalProperties":false}');
    expect(findings).toEqual([expect.stringContaining("/patternProperties/^(?=a)")]);
    expect([judge('{"b":1}'), judge('{"a":"x"}')]).toEqual([undefined, "`/a` is not allowed."]);
  });

  test("ECMAScript's escapes of characters are read", () => {
    const { judge, findings } = prepare(
      '{"properties":{"a":{"pattern":"^[\\\\u4e00-\\\\u9fff]+$"},"b":{"pattern":"^\\\\ud83d\\\\ude00\\\\u{1F601}$"},"c":{"pattern":"^\\\\\\\\u0041$"}}}',
    );
    expect(findings).toEqual([]);
    expect([judge('{"a":"中文"}'), judge('{"b":"😀😁"}'), judge('{"c":"\\\\u0041"}')]).toEqual([undefined, undefined, undefined]);
    expect([judge('{"a":"x"}'), judge('{"b":"😀"}'), judge('{"c":"A"}')].every((told) => told !== undefined)).toBe(true);
  });

  test("half a character is nothing that RE2 takes", () => {
    expect(prepare('{"pattern":"\\\\ud83d"}').findings).toHaveLength(1);
  });
});

describe("what is told", () => {
  const schema = toJson({
    type: "object",
    properties: {
      "a/b~c": { type: "string", minLength: 1 },
      n: { type: ["integer", "null"], minimum: 5, maximum: 480.5 },
      list: {
        type: "array",
        items: { type: "object", required: ["id"], properties: { id: { type: "string" } }, additionalProperties: false },
        maxItems: 2,
      },
      kind: { enum: ["secret-one", "secret-two"] },
      either: { anyOf: [{ type: "string", maxLength: 2 }, { type: "null" }] },
      types: { anyOf: [{ type: "string" }, { type: "integer" }] },
      forms: { oneOf: [{ required: ["a"] }, { required: ["b"] }] },
      ref: { anyOf: [{ $ref: "#/$defs/deep" }, { type: "null" }] },
      names: { propertyNames: { maxLength: 2 } },
      none: false,
      no: { not: { type: "string" } },
    },
    dependentRequired: { n: ["list"] },
    $defs: { deep: { type: "object", properties: { x: { properties: { y: { const: 1 } } } } } },
  });
  const judge = judgeByInput(schema);

  test.each([
    ["[]", "The value of `arguments` has to be an object."],
    ['{"a/b~c":""}', "`/a~1b~0c` can't be empty."],
    ['{"a/b~c":1}', "`/a~1b~0c` has to be a string."],
    ['{"n":4,"list":[]}', "`/n` has to be at least 5."],
    ['{"n":481,"list":[]}', "`/n` has to be at most 480.5."],
    ['{"n":5.5,"list":[]}', "`/n` has to be an integer or null."],
    ['{"n":5}', "`/list` is missing, as another argument asks for it."],
    ['{"list":[{"id":"a"},{}]}', "`/list/1/id` is missing."],
    ['{"list":[{"id":"a","b":1}]}', "`/list/0/b` is not allowed."],
    ['{"list":[{"id":"a"},{"id":"a"},{"id":"a"}]}', "`/list` can hold at most 2 items."],
    ['{"kind":"sk-canary"}', "`/kind` has to be one of the values that its schema lists."],
    ['{"either":"sk-canary"}', "`/either` has to be at most 2 characters long."],
    ['{"either":5}', "`/either` has to be a string or null."],
    ['{"types":[]}', "`/types` has to be a string or an integer."],
    ['{"forms":{}}', "`/forms` fits none of the forms that its schema allows."],
    ['{"forms":{"a":1,"b":1}}', "`/forms` fits more than one of the forms of which its schema allows exactly one."],
    ['{"ref":{"x":{"y":"sk-canary"}}}', "`/ref/x/y` has to be the one value that its schema names."],
    ['{"names":{"abc":1}}', "`/names/abc` has a name that is not allowed."],
    ['{"none":1}', "`/none` is not allowed."],
    ['{"no":"sk-canary"}', "`/no` has a form that its schema rules out."],
  ])("%s", (args, sentence) => {
    expect(judge(readJson(args))).toBe(sentence);
  });

  test("no value and no text of the server is repeated", () => {
    const told = judge(readJson('{"kind":"sk-canary"}')) ?? "";
    expect(told).not.toMatch(/canary|secret/);
  });

  test("a long or strange name is cut and escaped", () => {
    const told = judgeByInput(toJson({ additionalProperties: false }))(toJson({ [`\n${"x".repeat(5000)}`]: 1 })) ?? "";
    expect(told.length).toBeLessThan(250);
    expect(told).toContain("`/\\u000axxx");
  });

  test("draft-07 tells the same way", () => {
    expect(judgeByInput(toJson({ $schema: URI_07, required: ["a"] }))(readJson("{}"))).toBe("`/a` is missing.");
  });
});

test("ordinary objects with a prototype are judged by their own members", () => {
  const judge = judgeByInput(toJson({ required: ["toString"], properties: { valueOf: false } }));
  expect(judge({} as JsonObject)).toBe("`/toString` is missing.");
  expect(judge({ toString: 1 } as unknown as JsonObject)).toBeUndefined();
});
