/** The policies of the bench: a realistic entry with rules and two limits, alone or among many. */

const RULES = {
  validate: { required_args: ["text"] },
  require: [{ conditions: [{ path: "args.text", op: "length_lte", value: 4000 }] }],
  deny_if: [
    { conditions: [{ path: "args.text", op: "contains", value: "forbidden words" }] },
    { conditions: [{ path: "grant.tags.team", op: "eq", value: "guests" }] },
  ],
  limits: [
    { counter: "calls", window: "minute", max: 100_000_000 },
    { window: "day", max: 1_000_000_000, scope: "identity" },
  ],
};

/** `entries` entries, of which calls select one. */
export function benchPolicy(entries: number): unknown {
  const tools: Record<string, unknown> = { echo: RULES };
  for (let index = 1; index < entries; index++) {
    tools[index % 10 === 0 ? `glob_${index}_*` : `tool_${index}`] = index % 3 === 0 ? { action: "deny" } : {};
  }
  return { version: "1", default: "deny", tools };
}
