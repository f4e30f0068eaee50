/** Structured results for legacy clients: what is no object goes, on both sides of the pair, and nothing else. */
import { describe, expect, it } from "vitest";
import { listForeignMembers, planPlainResult } from "../../src/gateway/pair-structured.ts";
import { skimAnswer } from "../../src/mcp/answer.ts";
import { parseListPage } from "../../src/mcp/lists.ts";
import { writeEditedResult } from "../../src/mcp/relay.ts";
import { createMessageId } from "../../src/mcp/request-id.ts";

function listed(schema: string): readonly string[] {
  const page = parseListPage(`{"tools":[{"name":"a","inputSchema":{"type":"object"}${schema}}]}`, "tools");
  if (page.kind === "invalid") throw new Error(page.reason);
  return page.items.flatMap((item) => listForeignMembers(item));
}

function told(result: string): string {
  const bytes = Buffer.from(`{"jsonrpc":"2.0","id":1,"result":${result}}`);
  const answer = skimAnswer(bytes);
  if (answer.kind !== "result") throw new Error("no result");
  const plan = planPlainResult(answer, bytes);
  return plan ? writeEditedResult(createMessageId(1), answer, bytes, plan).toString() : "as it is";
}

describe("a tool's output schema", () => {
  it.each(["", ',"outputSchema":{"type":"object"}', ',"outputSchema":{"type":"object","anyOf":[{}]}'])("stays: %s", (schema) => {
    expect(listed(schema)).toEqual([]);
  });

  it.each(['{"type":"array"}', "{}", "true", "null", "[]", '"object"', '{"type":["object","null"]}', '{"anyOf":[{"type":"object"}]}'])(
    "goes: %s",
    (schema) => {
      expect(listed(`,"outputSchema":${schema}`)).toEqual(["outputSchema"]);
    },
  );
});

describe("a tool's structured content", () => {
  it.each(['{"content":[]}', '{"content":[],"structuredContent":{}}', '{"content":[],"structuredContent": { "a":1.0 }}'])(
    "stays: %s",
    (result) => {
      expect(told(result)).toBe("as it is");
    },
  );

  it("goes where it is no object, and everything else stays as it was written", () => {
    for (const structured of ["[1, 2]", "1.0", '"text"', "null", "true"]) {
      expect(told(`{"content" : [{"type":"text","text":"\\u0061"}],"structuredContent":${structured},"x":1.0}`)).toBe(
        '{"jsonrpc":"2.0","id":1,"result":{"content" : [{"type":"text","text":"\\u0061"}],"x":1.0}}',
      );
    }
  });

  it("is said in text where it was all that the tool said", () => {
    for (const content of ['"content":[],', '"content":[ \n ],', ""]) {
      expect(told(`{${content}"structuredContent":[1.0, "a"]}`)).toContain('[{"type":"text","text":"[1.0, \\"a\\"]"}]');
    }
  });
});
