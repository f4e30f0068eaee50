/** `$ref`, `$id`, anchors and dynamic references: what they name within the document, and that nothing else is asked. */
import { describe, expect, test } from "vitest";
import { compileInputSchema } from "../../../src/policy/schema/input-schema.ts";
import { compilePolicySchema } from "../../../src/policy/schema/policy-schema.ts";
import { judgeByInput, judgeByPolicy, listSurprises, type Row, readJson } from "./read.ts";

/** A box that holds any object, unless who opens it says more of its ware. */
const BOX = '"box":{"$id":"box","properties":{"of":{"$dynamicRef":"#ware"}},"$defs":{"any":{"$dynamicAnchor":"ware","type":"object"}}}';

const ROWS: readonly Row[] = [
  {
    about: "the root",
    schema: '{"properties":{"foo":{"$ref":"#"}},"additionalProperties":false}',
    good: ['{"foo":false}', '{"foo":{"foo":false}}'],
    bad: ['{"bar":false}', '{"foo":{"bar":false}}'],
  },
  {
    about: "a property",
    schema: '{"properties":{"foo":{"type":"integer"},"bar":{"$ref":"#/properties/foo"}}}',
    good: ['{"bar":3}'],
    bad: ['{"bar":true}'],
  },
  {
    about: "an item of a list",
    schema: '{"prefixItems":[{"type":"integer"},{"$ref":"#/prefixItems/0"}]}',
    good: ["[1,2]"],
    bad: ['[1,"foo"]'],
  },
  {
    about: "escaped pointers",
    schema:
      '{"$defs":{"tilde~field":{"type":"integer"},"slash/field":{"type":"integer"},"percent%field":{"type":"integer"},"foo\\"bar":{"type":"number"}},"properties":{"tilde":{"$ref":"#/$defs/tilde~0field"},"slash":{"$ref":"#/$defs/slash~1field"},"percent":{"$ref":"#/$defs/percent%25field"},"quote":{"$ref":"#/$defs/foo%22bar"}}}',
    good: ['{"slash":1,"tilde":1,"percent":1,"quote":1}'],
    bad: ['{"slash":"a"}', '{"tilde":"a"}', '{"percent":"a"}', '{"quote":"a"}'],
  },
  {
    about: "through several",
    schema: '{"$defs":{"a":{"type":"integer"},"b":{"$ref":"#/$defs/a"},"c":{"$ref":"#/$defs/b"}},"$ref":"#/$defs/c"}',
    good: ["5"],
    bad: ['"a"'],
  },
  { about: "a property of that name", schema: '{"properties":{"$ref":{"type":"string"}}}', good: ['{"$ref":"a"}'], bad: ['{"$ref":2}'] },
  { about: "a boolean", schema: '{"$ref":"#/$defs/no","$defs":{"no":false}}', bad: ['"foo"'] },
  {
    about: "an empty name",
    schema: '{"$defs":{"":{"$defs":{"":{"type":"number"}}}},"allOf":[{"$ref":"#/$defs//$defs/"}]}',
    good: ["1"],
    bad: ['"a"'],
  },
  {
    about: "a tree of two named schemas",
    schema:
      '{"$id":"http://localhost:1234/tree","type":"object","properties":{"nodes":{"type":"array","items":{"$ref":"node"}}},"required":["nodes"],"$defs":{"node":{"$id":"http://localhost:1234/node","type":"object","properties":{"value":{"type":"number"},"subtree":{"$ref":"tree"}},"required":["value"]}}}',
    good: ['{"nodes":[{"value":1,"subtree":{"nodes":[{"value":1.1}]}}]}'],
    bad: ['{"nodes":[{"value":1,"subtree":{"nodes":[{"value":"x"}]}}]}'],
  },
  {
    about: "its own absolute name",
    schema:
      '{"$id":"http://x.test/root.json","properties":{"a":{"$ref":"http://x.test/root.json#/$defs/n"},"b":{"$ref":"root.json#/$defs/n"}},"$defs":{"n":{"type":"number"}}}',
    good: ['{"a":1,"b":1}'],
    bad: ['{"a":"x"}', '{"b":"x"}'],
  },
  {
    about: "a base for what stands below it",
    schema:
      '{"$id":"http://x.test/","items":{"$id":"base/","items":{"$ref":"leaf.json"}},"$defs":{"l":{"$id":"base/leaf.json","type":"integer"}}}',
    good: ["[[1]]"],
    bad: ['[["a"]]'],
  },
  {
    about: "a pointer below a nearer name",
    schema:
      '{"$id":"http://x.test/root","$defs":{"n":{"type":"string"},"e":{"$id":"embedded","$defs":{"n":{"type":"number"}},"$ref":"#/$defs/n"}},"$ref":"#/$defs/e"}',
    good: ["1"],
    bad: ['"a"'],
  },
  {
    about: "without a base, relative names",
    schema: '{"$ref":"item.json","$defs":{"x":{"$id":"item.json","type":"integer"}}}',
    good: ["1"],
    bad: ['"a"'],
  },
  {
    about: "names that are no addresses",
    schema:
      '{"$id":"urn:uuid:deadbeef-1234-ff00-00ff-4321feebdaed","properties":{"foo":{"$ref":"urn:uuid:deadbeef-1234-ff00-00ff-4321feebdaed#/$defs/bar"},"top":{"$ref":"#something"}},"$defs":{"bar":{"$anchor":"something","type":"string"}}}',
    good: ['{"foo":"bar","top":"a"}'],
    bad: ['{"foo":12}', '{"top":1}'],
  },
  {
    about: "names in parts of a urn",
    schema: '{"$id":"urn:example:1/406/47452/2","properties":{"foo":{"$ref":"#/$defs/bar"}},"$defs":{"bar":{"type":"string"}}}',
    good: ['{"foo":"bar"}'],
    bad: ['{"foo":12}'],
  },
  {
    about: "$id in an enum is a value",
    schema:
      '{"$defs":{"v":{"enum":[{"$id":"http://x.test/my.json","type":"null"}]},"real":{"$id":"http://x.test/my.json","type":"string"}},"$ref":"http://x.test/my.json"}',
    good: ['"a"'],
    bad: ["null"],
  },
  {
    about: "$ref in an enum is a value",
    schema: '{"$defs":{"a":{"enum":["x"]}},"enum":[{"$ref":"#/$defs/a"}]}',
    good: ['{"$ref":"#/$defs/a"}'],
    bad: ['"x"'],
  },
  { about: "$ref in a const is a value", schema: '{"const":{"$ref":"#/nowhere"}}', good: ['{"$ref":"#/nowhere"}'], bad: ["1"] },
  { about: "an anchor", schema: '{"$ref":"#foo","$defs":{"A":{"$anchor":"foo","type":"integer"}}}', good: ["1"], bad: ['"a"'] },
  {
    about: "an anchor of another resource",
    schema:
      '{"$id":"http://localhost:1234/root","$ref":"http://localhost:1234/nested.json#foo","$defs":{"A":{"$id":"nested.json","$defs":{"B":{"$anchor":"foo","type":"integer"}}}}}',
    good: ["1"],
    bad: ['"a"'],
  },
  {
    about: "one anchor's name in two resources",
    schema:
      '{"$id":"http://localhost:1234/foobar","$defs":{"A":{"$id":"child1","allOf":[{"$id":"child2","$anchor":"my","type":"number"},{"$anchor":"my","type":"string"}]}},"$ref":"child1#my"}',
    good: ['"a"'],
    bad: ["1"],
  },
  {
    about: "a dynamic anchor is an anchor",
    schema: '{"additionalProperties":{"$ref":"#leaf"},"$defs":{"x":{"$dynamicAnchor":"leaf","type":"boolean"}}}',
    good: ['{"k":true}'],
    bad: ['{"k":0}'],
  },
  {
    about: "a dynamic reference to a plain anchor",
    schema: '{"additionalProperties":{"$dynamicRef":"#leaf"},"$defs":{"x":{"$anchor":"leaf","type":"boolean"}}}',
    good: ['{"k":true}'],
    bad: ['{"k":0}'],
  },
  {
    about: "a dynamic reference at home",
    schema: '{"additionalProperties":{"$dynamicRef":"#leaf"},"$defs":{"x":{"$dynamicAnchor":"leaf","type":"boolean"}}}',
    good: ['{"k":true}'],
    bad: ['{"k":0}'],
  },
  {
    about: "a dynamic reference to the top",
    schema: '{"$dynamicAnchor":"top","properties":{"down":{"$dynamicRef":"#top"}},"additionalProperties":false}',
    good: ['{"down":{"down":{}}}'],
    bad: ['{"down":{"up":{}}}'],
  },
  {
    about: "the outermost dynamic anchor",
    schema: `{"$id":"https://x.test/store","$ref":"box","$defs":{"w":{"$dynamicAnchor":"ware","required":["price"]},${BOX}}}`,
    good: ['{"of":{"price":1}}'],
    bad: ['{"of":{}}'],
  },
  {
    about: "past resources that have none",
    schema: `{"$id":"https://x.test/store","allOf":[{"$ref":"crate"}],"$defs":{"w":{"$dynamicAnchor":"ware","required":["price"]},"c":{"$id":"crate","$ref":"box"},${BOX}}}`,
    good: ['{"of":{"price":1}}'],
    bad: ['{"of":{}}'],
  },
  {
    about: "a plain anchor outside does not count",
    schema: `{"$id":"https://x.test/store","$ref":"box","$defs":{"w":{"$anchor":"ware","required":["price"]},${BOX}}}`,
    good: ['{"of":{}}'],
    bad: ['{"of":5}'],
  },
  {
    about: "a pointer is no anchor",
    schema: `{"$id":"https://x.test/store","$ref":"box","$defs":{"w":{"$dynamicAnchor":"ware","required":["price"]},${BOX.replace("#ware", "#/$defs/any")}}}`,
    good: ['{"of":{}}'],
    bad: ['{"of":5}'],
  },
  {
    about: "a plain anchor at home stays at home",
    schema: `{"$id":"https://x.test/store","$ref":"box","$defs":{"w":{"$dynamicAnchor":"ware","required":["price"]},${BOX.replace("$dynamicAnchor", "$anchor")}}}`,
    good: ['{"of":{}}'],
    bad: ['{"of":5}'],
  },
  {
    about: "one box for two stores",
    schema: `{"oneOf":[{"$ref":"https://x.test/cheap"},{"$ref":"https://x.test/dear"}],"$defs":{"a":{"$id":"https://x.test/cheap","$ref":"box","$defs":{"w":{"$dynamicAnchor":"ware","properties":{"price":{"maximum":10}}}}},"b":{"$id":"https://x.test/dear","$ref":"box","$defs":{"w":{"$dynamicAnchor":"ware","properties":{"price":{"minimum":100}}}}},"c":{"$id":"https://x.test/all","$defs":{${BOX}}}}}`,
    good: ['{"of":{"price":5}}', '{"of":{"price":500}}'],
    bad: ['{"of":{"price":50}}', '{"of":{}}'],
  },
  {
    about: "a resource that was left counts no more",
    schema: `{"$id":"https://x.test/store","allOf":[{"$ref":"visited"},{"$ref":"box"}],"$defs":{"v":{"$id":"visited","$defs":{"w":{"$dynamicAnchor":"ware","required":["never"]}}},${BOX}}}`,
    good: ['{"of":{}}'],
    bad: ['{"of":1}'],
  },
  {
    about: "a resource that is only written around it counts not",
    schema: `{"$id":"https://x.test/store","$ref":"box","$defs":{"hall":{"$id":"hall","$defs":{"w":{"$dynamicAnchor":"ware","required":["never"]},${BOX.replace('"$id":"box"', '"$id":"/box"')}}}}}`,
    good: ['{"of":{}}'],
    bad: ['{"of":1}'],
  },
  {
    about: "an anchor in another resource, first named from afar",
    schema: `{"$id":"https://x.test/store","properties":{"first":{"$ref":"desk"}},"$defs":{"w":{"$dynamicAnchor":"ware","type":"string"},"d":{"$id":"desk","properties":{"of":{"$dynamicRef":"box#ware"}}},${BOX}}}`,
    good: ['{"first":{"of":"x"}}'],
    bad: ['{"first":{"of":{}}}'],
  },
  {
    about: "one place asked twice of one value is no ring",
    schema:
      '{"$defs":{"int":{"type":"integer"}},"allOf":[{"properties":{"foo":{"$ref":"#/$defs/int"}}},{"additionalProperties":{"$ref":"#/$defs/int"}}]}',
    good: ['{"foo":1}'],
    bad: ['{"foo":"a"}'],
  },
];

describe.each([
  ["input", judgeByInput],
  ["policy", judgeByPolicy],
] as const)("%s", (_, judge) => {
  test.each(ROWS.map((row) => [row.about, row] as const))("%s", (_about, row) => {
    expect(listSurprises(row, judge(readJson(row.schema)))).toEqual([]);
  });
});

test("a reference may name what no keyword makes a schema, whose identifiers are none", () => {
  const judge = judgeByInput(
    readJson(
      '{"components":{"schemas":{"P":{"$id":"http://x.test/p","properties":{"a":{"$ref":"#/components/schemas/N"}}},"N":{"type":"number"}}},"properties":{"p":{"$ref":"#/components/schemas/P"}}}',
    ),
  );
  expect(listSurprises({ about: "", schema: "", good: ['{"p":{"a":1}}'], bad: ['{"p":{"a":"x"}}'] }, judge)).toEqual([]);
});

test("what is named below another resource belongs to that one", () => {
  const schema =
    '{"$ref":"#/$defs/e/x-parts/p","$defs":{"e":{"$id":"http://x.test/e","x-parts":{"p":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"number"}}}}}';
  expect(listSurprises({ about: "", schema, good: ["1"], bad: ['"a"'] }, judgeByInput(readJson(schema)))).toEqual([]);
});

test("escapes of a pointer are read once", () => {
  const schema = '{"$ref":"#/$defs/a~01b","$defs":{"a~1b":{"type":"number"},"a/b":{"type":"string"}}}';
  expect(listSurprises({ about: "", schema, good: ["1"], bad: ['"a"'] }, judgeByPolicy(readJson(schema)))).toEqual([]);
});

const LOST: readonly [string, string, string][] = [
  ["another host", '{"properties":{"a":{"$ref":"https://evil.test/schema.json"}}}', "/properties/a/$ref"],
  ["the meta-schema", '{"$ref":"https://json-schema.org/draft/2020-12/schema"}', "/$ref"],
  ["a file", '{"$ref":"file:///etc/passwd"}', "/$ref"],
  ["a relative file", '{"items":{"$ref":"other.json#/a"}}', "/items/$ref"],
  ["a pointer to nothing", '{"$ref":"#/$defs/nope"}', "/$ref"],
  ["a pointer along a prototype", '{"$ref":"#/constructor"}', "/$ref"],
  ["an anchor that is not there", '{"$ref":"#nope"}', "/$ref"],
  ["a dynamic anchor that is not there", '{"$dynamicRef":"#nope"}', "/$dynamicRef"],
  ["a fragment that can't be decoded", '{"$ref":"#/%ZZ"}', "/$ref"],
  ["a list's length", '{"allOf":[{"$ref":"#/allOf/length"}]}', "/allOf/0/$ref"],
  ["an index with a leading zero", '{"allOf":[{"$ref":"#/allOf/01"},true]}', "/allOf/0/$ref"],
  ["no text", '{"$ref":5}', "/$ref"],
  ["an anchor in another resource", '{"$ref":"#a","$defs":{"x":{"$id":"http://x.test/x","$anchor":"a"}}}', "/$ref"],
  ["itself", '{"$ref":"#"}', "/$ref"],
  [
    "itself through others",
    '{"$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}]},"b":{"if":{"$ref":"#/$defs/a"}}}}',
    "/$defs/b/if/$ref",
  ],
];

test.each(LOST)("a reference to %s is refused at its place", (_about, text, pointer) => {
  expect(compilePolicySchema(readJson(text))).toMatchObject({ faults: [{ pointer }] });
  expect(compileInputSchema(readJson(text))).toMatchObject({ unusable: expect.stringContaining(`(at \`${pointer}\`)`) });
});

test("two schemas of one name or anchor are refused, unless they say the same", () => {
  expect(
    compileInputSchema(readJson('{"$defs":{"a":{"$id":"http://x.test/a","type":"string"},"b":{"$id":"http://x.test/a","type":"number"}}}')),
  ).toHaveProperty("unusable");
  expect(
    compileInputSchema(readJson('{"$defs":{"a":{"$id":"http://x.test/a","type":"string"},"b":{"type":"string","$id":"http://x.test/a"}}}')),
  ).toHaveProperty("schema");
  expect(compileInputSchema(readJson('{"$defs":{"a":{"$anchor":"a"},"b":{"$dynamicAnchor":"a"}}}'))).toHaveProperty("unusable");
});
