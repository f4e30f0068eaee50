import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toJson } from "../../src/kernel/json.ts";
import { skimAnswer } from "../../src/mcp/answer.ts";
import {
  hashDefinition,
  type ListPage,
  parseListPage,
  printItem,
  printList,
  printListPage,
  readListPage,
  writeResultText,
} from "../../src/mcp/lists.ts";
import { flagName } from "../../src/mcp/names.ts";
import { createMessageId } from "../../src/mcp/request-id.ts";
import { bytesOf, object, text } from "./support.ts";

function page(textOfResult: string, kind: Parameters<typeof parseListPage>[1] = "tools"): ListPage {
  const read = parseListPage(textOfResult, kind);
  if (read.kind === "invalid") throw new Error(read.reason);
  return read;
}

const PAGE =
  '{ "tools" : [ {"name":"a","x":1.0} , { "name" : "b", "_meta":{"é":"\\u00e9"} },{"name":"c"} ], "nextCursor":"n" , "other":[ 1 ] }';

describe("a page of a list", () => {
  it("is read with its items as they were written", () => {
    const read = page(PAGE);
    expect(read.items.map((item) => [item.key, item.raw])).toEqual([
      ["a", '{"name":"a","x":1.0}'],
      ["b", '{ "name" : "b", "_meta":{"é":"\\u00e9"} }'],
      ["c", '{"name":"c"}'],
    ]);
    expect(read.nextCursor).toBe("n");
    expect(page('{"tools":[],"nextCursor":null}').nextCursor).toBeUndefined();
    expect(page('{"tools":[],"nextCursor":""}').nextCursor).toBe("");
  });

  it("is known by name, URI or template", () => {
    expect(page('{"prompts":[{"name":"p"}]}', "prompts").items[0]?.key).toBe("p");
    expect(page('{"resources":[{"uri":"a://b","name":"n"}]}', "resources").items[0]?.key).toBe("a://b");
    expect(page('{"resourceTemplates":[{"uriTemplate":"a://{b}","name":"n"}]}', "resourceTemplates").items[0]?.key).toBe("a://{b}");
  });

  it("is taken from an answer's bytes", () => {
    const bytes = bytesOf(`{"jsonrpc":"2.0","id":"é","result":${PAGE}}`);
    const answer = skimAnswer(bytes);
    if (answer.kind !== "result") throw new Error("not a result");
    const read = readListPage(answer, bytes, "tools");
    expect(read.kind === "tools" && read.items).toHaveLength(3);
  });

  it.each([
    ["no list", "{}"],
    ["null", '{"tools":null}'],
    ["an object", '{"tools":{"a":{}}}'],
    ["another spelling beside it", '{"tools":[],"Tools":[]}'],
    ["a doubled list", '{"tools":[],"tools":[]}'],
    ["a doubled key beside it", '{"tools":[],"_meta":{"a":1,"a":2}}'],
    ["a cursor that is no text", '{"tools":[],"nextCursor":1}'],
    ["a number beyond doubles", '{"tools":[{"name":"a","x":1e400}]}'],
    ["no object", "[]"],
    ["no JSON", '{"tools":[}'],
  ])("is invalid: %s", (_name, body) => {
    expect(parseListPage(body, "tools")).toMatchObject({ kind: "invalid" });
  });

  it("an item that can't be trusted is left out, the others stay", () => {
    const read = page(
      '{"tools":[{"name":"a"},7,{"title":"x"},{"name":"b","Name":"c"},{"name":"d","s":{"l":[{"k":1,"k":2}]}},{"name":""},{"name":"e"}]}',
    );
    expect(read.items.map((item) => item.fault !== undefined)).toEqual([false, true, true, true, true, true, false]);
    expect(JSON.parse(printListPage(read, () => true))).toEqual({ tools: [{ name: "a" }, { name: "e" }] });
  });

  it("a name that stands twice is marked in both places", () => {
    expect(page('{"tools":[{"name":"a"},{"name":"b"},{"name":"a"}]}').items.map((item) => item.isRepeated)).toEqual([true, false, true]);
  });

  it("goes on as it is where nothing is left out", () => {
    expect(printListPage(page(PAGE), () => true)).toBe(PAGE);
  });

  it("keeps every field of what it shows", () => {
    expect(printListPage(page(PAGE), (item) => item.key !== "a")).toBe(
      '{"tools":[{ "name" : "b", "_meta":{"é":"\\u00e9"} },{"name":"c"}],"nextCursor":"n","other":[ 1 ]}',
    );
    expect(printListPage(page(PAGE), () => false)).toBe('{"tools":[],"nextCursor":"n","other":[ 1 ]}');
  });

  it("takes another cursor, other members and other names", () => {
    expect(printListPage(page('{"tools":[],"nextCursor":"n"}'), () => true, { nextCursor: "ours" })).toBe(
      '{"tools":[],"nextCursor":"ours"}',
    );
    expect(printListPage(page('{"tools":[],"nextCursor":"n"}'), () => true, { nextCursor: null })).toBe('{"tools":[]}');
    expect(printListPage(page('{"tools":[]}'), () => true, { nextCursor: "ours" })).toBe('{"tools":[],"nextCursor":"ours"}');
    expect(printListPage(page('{"tools":[],"ttlMs":9}'), () => true, { set: { ttlMs: 0, cacheScope: "private" } })).toBe(
      '{"tools":[],"ttlMs":0,"cacheScope":"private"}',
    );
    expect(
      printListPage(page(PAGE), (item) => item.key === "b", { rename: (item) => `s__${item.key}`, remove: ["other", "nextCursor"] }),
    ).toBe('{"tools":[{ "name" : "s__b", "_meta":{"é":"\\u00e9"} }]}');
  });

  it("a page without single members of its items, the rest as it was written", () => {
    const text = '{"tools":[{ "name" : "a", "outputSchema":{"x" : 1.0}, "n":1.0},{"name":"b","n" : 2}],"k":1}';
    const omit = (item: { readonly key: string }): string[] => (item.key === "a" ? ["outputSchema", "absent"] : []);
    expect(printListPage(page(text), () => true, { omit })).toBe('{"tools":[{"name" : "a","n":1.0},{"name":"b","n" : 2}],"k":1}');
    expect(printListPage(page(text), () => true, { omit: () => [] })).toBe(text);
    expect(printListPage(page(text), ({ key }) => key === "a", { omit, rename: ({ key }) => `s__${key}` })).toBe(
      '{"tools":[{"name":"s__a","n":1.0}],"k":1}',
    );
  });

  it("items of several pages make one list", () => {
    const read = page(PAGE);
    const list = printList(
      "tools",
      read.items.map((item) => printItem(read, item, `x__${item.key}`)),
      { nextCursor: "k" },
    );
    expect((JSON.parse(list) as { tools: { name: string }[] }).tools.map((tool) => tool.name)).toEqual(["x__a", "x__b", "x__c"]);
    expect(writeResultText(createMessageId("a"), '{"tools":[]}').toString()).toBe('{"jsonrpc":"2.0","id":"a","result":{"tools":[]}}');
  });

  const tools = fc.array(
    fc.tuple(text, object).map(([name, members]) => ({
      ...Object.fromEntries(Object.entries(members).map(([key, value]) => [`x-${key}`, value])),
      name: `t${name}`,
    })),
    { maxLength: 6 },
  );
  it("law: what is left out by splicing is what a filter of the parsed list leaves out", () => {
    fc.assert(
      fc.property(
        tools,
        object,
        fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
        fc.constantFrom("", " ", "\n"),
        (list, members, mask, indent) => {
          const result = {
            ...Object.fromEntries(Object.entries(members).map(([key, value]) => [`x-${key}`, value])),
            tools: list,
            nextCursor: "n",
          };
          const read = page(JSON.stringify(result, null, indent));
          const printed = printListPage(read, (item) => mask[item.index] === true);
          const expected = { ...result, tools: list.filter((_, index) => mask[index] === true) };
          expect(JSON.parse(printed)).toEqual(JSON.parse(JSON.stringify(expected)));
          for (const item of read.items.filter(({ index }) => mask[index] === true)) expect(printed).toContain(item.raw);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("the hash of a definition", () => {
  it("counts every field, and neither order nor spelling", () => {
    const [a, b] = page(
      '{"tools":[{"name":"a","inputSchema":{"type":"object","x":1.0}},{ "inputSchema":{"x":1,"type":"object"},"\\u006eame":"a"}]}',
    ).items;
    expect(a?.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(a?.hash).toBe(b?.hash);
    const base = { name: "a", description: "d", inputSchema: {}, annotations: {}, _meta: {} };
    const hashes = [base, ...Object.keys(base).map((key) => ({ ...base, [key]: "changed" }))].map((tool) => hashDefinition(toJson(tool)));
    expect(new Set(hashes).size).toBe(6);
  });
});

describe("names", () => {
  it.each([
    "get_weather",
    "admin.tools.list",
    "DATA_EXPORT-v2",
    "mcp:read/file",
    "read file",
    "天気を取得",
    "wetter_für_köln",
    "получить_погоду_ы",
    "🔍search",
  ])("%j is ordinary, or flagged only for letters that look like Latin ones", (name) => {
    expect(flagName(name).filter((flag) => flag !== "confusable")).toEqual([]);
  });

  it.each<[string, string]>([
    ["", "empty"],
    ["x".repeat(257), "too_long"],
    ["read\u0000file", "control"],
    ["read\nfile", "control"],
    ["read\u202efile", "bidi"],
    ["read\u2066file", "bidi"],
    ["read\u200bfile", "invisible"],
    ["read\u200dfile", "invisible"],
    ["read\ufefffile", "invisible"],
    ["read\u00adfile", "invisible"],
    ["read\u{e0041}file", "invisible"],
    ["read\u3164file", "invisible"],
    [" read", "blank"],
    ["read ", "blank"],
    ["read  file", "blank"],
    ["read\u00a0file", "blank"],
    ["ｒead", "compatibility"],
    ["re\u{1d41a}d", "compatibility"],
    ["ﬁle", "compatibility"],
    ["rеad", "mixed_script"],
    ["rοad", "mixed_script"],
    ["сор", "confusable"],
    ["read\u2010file", "confusable"],
    ["read\u2044file", "confusable"],
  ])("%j is flagged as %s", (name, flag) => {
    expect(flagName(name)).toContain(flag);
  });
});
