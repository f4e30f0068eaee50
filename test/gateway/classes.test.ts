/** Classes that the gateway finds: they select, stand in the log, and give way to a person's. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RawGateway, startGateway } from "../support/raw-gateway.ts";
import { tool } from "../support/raw-upstream.ts";

const tools = `[${tool("get_note")},${tool("delete_note")},${tool("create_note")},${tool("remove_label")}]`;
const policy = {
  version: "1",
  default: "deny",
  hide: ["@destructive"],
  tools: { "@read": {}, "@write": { action: "deny", reason: "Nothing is written." } },
};
let gateway: RawGateway;

beforeAll(async () => {
  gateway = await startGateway({ servers: { alpha: { policy, tools, entry: { classes: { remove_label: "read" } } } } });
});
afterAll(() => gateway.stop());

const ask = async (name: string): Promise<string> => JSON.stringify((await gateway.call(name)).json());

test("select in lists and calls", async () => {
  const list = (await gateway.post('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')).json() as { result: { tools: { name: string }[] } };
  expect(list.result.tools.map(({ name }) => name)).toEqual(["get_note", "create_note", "remove_label"]);
  expect(await ask("get_note")).toContain("done");
  expect(await ask("create_note")).toContain("Nothing is written.");
  expect(await ask("delete_note")).toContain("not_allowed");
  expect(await ask("remove_label")).toContain("done");
});

test("stand in the log with risk and the classifier's version; a person's class says so", async () => {
  const entries = (await gateway.entries()).filter(({ decision }) => decision !== undefined);
  const of = (name: string) => entries.filter((entry) => entry["tool"] === name).at(-1);
  expect(of("get_note")).toMatchObject({ toolClass: "read", toolRisk: "low", classifier: "2" });
  expect(of("create_note")).toMatchObject({ toolClass: "write", toolRisk: "medium", classifier: "2", decision: "deny" });
  expect(of("delete_note")).toMatchObject({ toolClass: "destructive", toolRisk: "critical", rule: "(hidden)" });
  expect(of("remove_label")).toMatchObject({ toolClass: "read", classifier: "hand" });
});
