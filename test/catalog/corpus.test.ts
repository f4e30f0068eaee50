/** Every suggestion for every server whose tools lie beside the checkout is a policy that nothing can be said against. */
import { expect, it } from "vitest";
import { hasData, readCorpus, toDefinition } from "../../bench/classifier/measure.ts";
import { joinSuggestions, suggestForTool } from "../../src/catalog/suggest-policy.ts";
import { lintPolicy } from "../../src/policy/lint.ts";
import { loadOperators } from "../../src/policy/operators/registry.ts";
import { parsePolicy } from "../../src/policy/parse.ts";

await loadOperators();

it("every suggestion for every known server is a policy without an error or a warning", () => {
  const rows = hasData() ? readCorpus() : [{ server: "one", tool: "get_user" }];
  const servers = Map.groupBy(rows, ({ server }) => server);
  const faults: string[] = [];
  for (const [server, tools] of servers) {
    const parsed = parsePolicy(JSON.stringify(joinSuggestions(tools.map((row) => suggestForTool(toDefinition(row))))), { format: "json" });
    if (!parsed.ok) faults.push(`${server}: ${JSON.stringify(parsed.failures)}`);
    else faults.push(...lintPolicy(parsed.value).map(({ message }) => `${server}: ${message}`));
  }
  expect(servers.size).toBeGreaterThan(0);
  expect(faults).toEqual([]);
}, 120_000);
