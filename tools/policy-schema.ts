/**
 * The JSON Schemas of policies and of policy test files, for editors, made from the language's own tables of words. They
 * let pass some texts that the check refuses (patterns, time zones, addresses), and never the other way round.
 */
import { TOOL_CLASSES, TOOL_RISKS } from "../src/policy/decision.ts";
import { CALENDAR_WINDOWS, LIMIT_ALIGNS, LIMIT_COUNTS, LIMIT_SCOPES, OPERATORS } from "../src/policy/document.ts";
import { TEXT_OPERATORS } from "../src/policy/operators/registry.ts";
import { SHELL_OPENINGS } from "../src/policy/operators/shell-commands.ts";
import { MAX_CONDITIONS, MAX_NAME_CHARACTERS, MAX_RULES, MAX_SENTENCE_CHARACTERS } from "../src/policy/parse-rule.ts";
import { MAX_REPEAT } from "../src/policy/test-file/read-case.ts";
import { TEST_DECISIONS, TEST_OUTCOMES } from "../src/policy/test-file/test-file.ts";

export type Schema = Readonly<Record<string, unknown>>;

const DRAFT = "https://json-schema.org/draft/2020-12/schema";
const POLICY_FILE = "policy.schema.json";

const text = (description: string, more: Schema = {}): Schema => ({ description, type: "string", ...more });
const choice = (description: string, words: readonly string[]): Schema => ({ description, enum: words });
const ref = (name: string): Schema => ({ $ref: `#/$defs/${name}` });
const described = (description: string, schema: Schema): Schema => ({ ...schema, description });
const listOf = (description: string, items: Schema, more: Schema = {}): Schema => ({ description, type: "array", items, ...more });

function closed(description: string, properties: Record<string, Schema>, required: readonly string[] = []): Schema {
  return { description, type: "object", properties, additionalProperties: false, ...(required.length === 0 ? {} : { required }) };
}

const effect = (description: string): Schema => choice(description, ["allow", "deny"]);
const rules = (description: string): Schema => listOf(description, ref("rule"), { maxItems: MAX_RULES });
const onlyFor = (words: readonly string[], value: Schema): Schema => ({
  anyOf: [{ properties: { op: { not: { enum: words } } } }, { properties: { value } }],
});

const selectors = (description: string, more: Schema = {}): Schema => listOf(description, ref("selector"), more);

const SHARED_ENTRY = {
  require: rules("Rules that the call must all satisfy."),
  deny_if: rules("Rules of which none may match. Without conditions a rule always matches."),
  approve_if: rules("Rules; if one matches, the call waits for a person."),
  limits: listOf("How often, or how much, in a window of time.", ref("limit")),
  approval: ref("approval"),
};

const DEFINITIONS: Record<string, Schema> = {
  selector: {
    description: "An exact name, a glob with `*`, or a class of tools such as `@read`.",
    anyOf: [
      { enum: TOOL_CLASSES.map((name) => `@${name}`) },
      { type: "string", pattern: "^(?:[^@\\\\]|\\\\[*@\\\\])(?:[^\\\\]|\\\\[*@\\\\])*$" },
    ],
  },
  entry: closed("What holds for the tools of one selector. `{}` allows them.", {
    action: choice("What happens to a call that no rule stops; left out: allow.", ["allow", "deny", "require_approval"]),
    reason: text("Told to the agent when the action is deny, and in place of a rule's missing `on_deny`.", {
      maxLength: MAX_SENTENCE_CHARACTERS,
    }),
    ...SHARED_ENTRY,
    rate_limit: closed("So many calls of this tool in a session and window.", { max: ref("max"), window: ref("window") }, [
      "max",
      "window",
    ]),
    validate: closed("What is asked of the arguments, besides the tool's own input schema.", {
      required_args: listOf("Arguments that have to be there.", { type: "string" }),
      unknown_args: effect("Whether arguments that no schema names may be there; left out: allow."),
      schema: { description: "JSON Schema 2020-12 of the arguments.", type: ["object", "boolean"] },
    }),
  }),
  all_tools: closed("Rules and limits of every call, besides the tool's own.", SHARED_ENTRY),
  rule: closed(
    "Conditions, joined by AND.",
    {
      name: text("What the rule is called.", { maxLength: MAX_NAME_CHARACTERS }),
      conditions: listOf("Joined by AND.", ref("condition"), { maxItems: MAX_CONDITIONS }),
      on_deny: text("Told to the agent.", { maxLength: MAX_SENTENCE_CHARACTERS }),
    },
    ["conditions"],
  ),
  condition: {
    description: "A comparison, or `any` of several conditions, or `not` one.",
    oneOf: [
      ref("comparison"),
      closed("One of them holds.", { any: listOf("Joined by OR.", ref("condition"), { minItems: 1, maxItems: MAX_CONDITIONS }) }, ["any"]),
      closed("It does not hold.", { not: ref("condition") }, ["not"]),
    ],
  },
  comparison: {
    ...closed(
      "What stands at a path, held against a value.",
      {
        path: text("Such as `args.amount`, `args.items[*].price`, `grant.tags.team`, `time.hour`."),
        op: choice("How it is held against the value.", OPERATORS),
        value: { description: "What it is held against." },
        missing: choice("In `deny_if` and `approve_if`: a missing argument matches.", ["match"]),
        allow: listOf("What a shell line may hold besides plain commands.", { enum: [...SHELL_OPENINGS] }),
      },
      ["path", "op", "value"],
    ),
    allOf: [
      onlyFor(["in", "not_in"], { type: "array" }),
      onlyFor(["lt", "lte", "gt", "gte"], { type: ["number", "string"] }),
      onlyFor(["regex", "not_regex", "starts_with", "ends_with"], { type: "string" }),
      onlyFor(["exists"], { type: "boolean" }),
      onlyFor(["length_lte", "length_gte"], { type: "integer" }),
      onlyFor([...TEXT_OPERATORS], { type: "array", items: { type: "string" } }),
    ],
  },
  limit: closed(
    "At most so many calls, or so much of an amount, in a window of time.",
    {
      counter: text("Limits with one name, window and scope share one count."),
      window: ref("window"),
      max: ref("max"),
      scope: choice("What shares the count; left out: the grant.", LIMIT_SCOPES),
      add: text("Path of the amount that a call charges instead of 1, such as `args.amount`."),
      per: text("Path of a value that splits the count further, such as `args.customer`."),
      align: choice("Whether the window slides, or begins with the clock's.", LIMIT_ALIGNS),
      count: choice("Whether calls that failed stay counted.", LIMIT_COUNTS),
      durable: { type: "boolean", description: "Counted in the store, also where other limits are counted in Redis." },
    },
    ["window", "max"],
  ),
  window: {
    description: `A name, whole seconds, or a duration such as \`15m\`. With \`align: calendar\` one of ${CALENDAR_WINDOWS.join(", ")}.`,
    anyOf: [{ enum: ["second", ...CALENDAR_WINDOWS] }, { type: "integer", minimum: 1 }, { type: "string", pattern: "^[0-9]{1,9}[smhd]$" }],
  },
  max: {
    description: "A number above zero, or its decimals as a text.",
    anyOf: [
      { type: "number", exclusiveMinimum: 0 },
      { type: "string", pattern: "^(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$" },
    ],
  },
  duration: {
    description: "Whole seconds, or a text such as `30m`.",
    anyOf: [
      { type: "integer", minimum: 0 },
      { type: "string", pattern: "^[0-9]{1,9}[smhd]$" },
    ],
  },
  approval: closed("Who has to agree, and how long the call waits.", {
    quorum: { description: "How many have to agree; left out: 1.", type: "integer", minimum: 1 },
    expires: described("How long an approval holds; left out: 30m.", ref("duration")),
    hold: described("How long the call is held open, at most 55s; left out: 25s.", ref("duration")),
    approvers: listOf("`role:…`, `group:…`, or a member's e-mail.", { type: "string" }, { minItems: 1 }),
  }),
  block: closed("Which resources or prompts may be had: hide, then deny, then allow, then default.", {
    default: effect("For what nothing selects; left out: the document's."),
    allow: selectors("May be had."),
    deny: selectors("May not be had, and are told so."),
    hide: selectors("Answer as what does not exist.", { uniqueItems: true }),
  }),
};

export function describePolicySchema(): Schema {
  return {
    $schema: DRAFT,
    title: "Sallyport policy",
    ...closed(
      "What a grant may do on one server.",
      {
        $schema: text("The schema of this file, for editors."),
        version: { description: "The version of the language.", const: "1" },
        default: effect("What happens to a tool that no entry of `tools` selects."),
        description: text("What this policy is for."),
        timezone: text("IANA zone of `time.*` and of calendar windows; left out: UTC."),
        hide: selectors("Tools that are not listed and answer as ones that do not exist.", { uniqueItems: true }),
        all_tools: ref("all_tools"),
        tools: {
          description: "Entries by selector. The most specific one decides alone.",
          type: "object",
          propertyNames: ref("selector"),
          additionalProperties: ref("entry"),
        },
        resources: ref("block"),
        prompts: ref("block"),
      },
      ["version", "default"],
    ),
    $defs: DEFINITIONS,
  };
}

const GRANT = closed("Who calls. A label names a grant.", {
  label: text("What the grant is called."),
  identity: text("The person, agent or automation that holds it."),
  tags: { description: "Words about the grant.", type: "object", additionalProperties: { type: "string" } },
});

const EXPECT: Schema = {
  ...closed("What must be equal; the rest is free.", {
    decision: choice("What comes of the call.", TEST_DECISIONS),
    code: text("The log's code, such as `denied`."),
    rule: text("The log's rule: a JSON Pointer, or a word in parentheses."),
    message: text("The sentence, without its prefix."),
    cause: choice("Why a condition could not be judged.", ["missing", "wrong_type"]),
    retryAfterMs: {
      description: "`true`: given, above zero and right. `false`: not given.",
      anyOf: [
        { type: "boolean" },
        { type: "integer", minimum: 0 },
        closed("Both ends are part of it.", { min: { type: "integer" }, max: { type: "integer" } }),
      ],
    },
  }),
  minProperties: 1,
};

const CASE: Schema = {
  ...closed(
    "One call, with what is expected of it.",
    {
      name: text("What the case shows."),
      at: text("The clock from here on, such as `2026-01-05T09:00:00Z`; left out: it stands still."),
      call: closed("A call of a tool.", { name: text("The tool's name."), arguments: { description: "Left out: none." } }, ["name"]),
      read: text("The URI of a resource, in place of a call."),
      prompt: text("The name of a prompt, in place of a call."),
      outcome: choice("What the upstream did with an allowed call; left out: ok.", TEST_OUTCOMES),
      approved: { description: "A person approved exactly this call before.", type: "boolean" },
      repeat: { description: "The same call so many times, each with what is expected.", type: "integer", minimum: 1, maximum: MAX_REPEAT },
      grant: described("Merged over the file's key by key, tags as a whole.", GRANT),
      session: text("The protocol session; left out: the file's."),
      expect: EXPECT,
    },
    ["expect"],
  ),
  oneOf: ["call", "read", "prompt"].map((key) => ({ required: [key] })),
};

const TOOL = closed(
  "A tool, as the server lists it.",
  {
    name: text("The tool's name."),
    title: text("Its title."),
    description: text("Its description."),
    inputSchema: { description: "JSON Schema of its arguments.", type: ["object", "boolean"] },
    outputSchema: { description: "JSON Schema of its results." },
    annotations: { description: "The server's hints.", type: "object" },
    icons: { description: "Pictures of it." },
    execution: { description: "How it runs." },
    _meta: { description: "The protocol's extensions." },
    class: choice("What it does, in place of the classifier's word.", TOOL_CLASSES),
    risk: choice("How much it can harm, in place of the classifier's word.", TOOL_RISKS),
  },
  ["name"],
);

export function describePolicyTestSchema(): Schema {
  return {
    $schema: DRAFT,
    title: "Sallyport policy tests",
    ...closed("Calls with what a policy has to say to each. They run in order and share counters and clock.", {
      $schema: text("The schema of this file, for editors."),
      policy: { description: "A path, relative to this file, or the document itself.", anyOf: [{ type: "string" }, { $ref: POLICY_FILE }] },
      tools: listOf("The server's tools; left out: not known, and input schemas are not asked.", TOOL),
      grant: GRANT,
      session: text("The protocol session; left out: none."),
      cases: listOf("From top to bottom.", CASE),
      invalid: listOf(
        "Documents that have to be refused.",
        closed(
          "A document with an error at each pointer.",
          {
            name: text("What is wrong with it."),
            document: { description: "The document, or its text." },
            pointers: listOf("JSON Pointers of errors that have to be told; none: wherever.", { type: "string" }),
          },
          ["document"],
        ),
      ),
    }),
    anyOf: [{ required: ["policy", "cases"] }, { required: ["invalid"], not: { required: ["cases"] } }],
  };
}

/** In the project's own form: short lists and objects of plain values on one line. */
export function printSchema(schema: Schema): string {
  return `${printValue(schema, "", 0)}\n`;
}

const LINE_CHARACTERS = 140;

function printValue(value: unknown, indent: string, before: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const line = `[${value.map((item) => JSON.stringify(item)).join(", ")}]`;
    const isShort = value.every((item) => typeof item !== "object") && before + line.length < LINE_CHARACTERS;
    return isShort ? line : `[\n${value.map((item) => deeper + printValue(item, deeper, deeper.length)).join(",\n")}\n${indent}]`;
  }
  const members = Object.entries(value).map(([key, member]) => {
    const start = `${deeper}${JSON.stringify(key)}: `;
    return start + printValue(member, deeper, start.length);
  });
  return members.length === 0 ? "{}" : `{\n${members.join(",\n")}\n${indent}}`;
}
