/**
 * Fills a suggested policy in, as an administrator would who knows some ordinary calls: each empty list gets what those calls
 * have at its place, in the form that its operator asks for, and nothing else changes. A place that they don't use stays
 * empty, which refuses.
 */
import type { SuggestedPolicy } from "../../src/catalog/suggest-policy.ts";
import { isJsonList, isJsonNumber, isJsonObject, type Json, readMember } from "../../src/kernel/json.ts";
import { isPublicMailDomain } from "../../src/policy/public-mail-domains.ts";
import type { RecordedCall } from "./read-suites.ts";

interface Condition {
  readonly path?: string;
  readonly op?: string;
  readonly value?: unknown;
  readonly any?: readonly Condition[];
}

type Values = readonly Json[];

/** What goes into the list of an operator, for one value of an ordinary call; undefined: nothing that it takes. */
const FORMS: Readonly<Record<string, (value: Json) => string | undefined>> = {
  in: (value) => (typeof value === "string" ? value : undefined),
  host_in: (value) => (typeof value === "string" && URL.canParse(value) ? new URL(value).host || undefined : undefined),
  email_domain_in: (value) => {
    const domain = domainOf(value);
    return domain !== undefined && !isPublicMailDomain(domain) ? domain : undefined;
  },
  path_under: (value) => (typeof value === "string" ? /^(\/.*)\/[^/]+$/.exec(value)?.[1] : undefined),
  shell_commands_in: (value) => (typeof value === "string" ? value : undefined),
  sql_verbs_in: (value) => (typeof value === "string" ? /^\s*([a-z]+)/i.exec(value)?.[1]?.toLowerCase() : undefined),
};

const domainOf = (value: Json): string | undefined => (typeof value === "string" ? /@([^@\s>]+)>?$/.exec(value)?.[1] : undefined);

/** Beside hosts and mail domains, what they can't hold: addresses without a scheme, and those at public mail domains. */
const WHOLE: Readonly<Record<string, (value: Json) => string | undefined>> = {
  host_in: (value) => (FORMS["host_in"]?.(value) === undefined ? FORMS["in"]?.(value) : undefined),
  email_domain_in: (value) => (isPublicMailDomain(domainOf(value) ?? "") ? FORMS["in"]?.(value) : undefined),
};

/** `forms`: hosts, domains and folders, as the suggestion asks for them. `values`: the very values, compared as a whole. */
export type FillMode = "forms" | "values";

export function fillPolicy(policy: SuggestedPolicy, calls: readonly RecordedCall[], mode: FillMode = "forms"): SuggestedPolicy {
  const filled = Object.entries(policy.tools).map(([selector, entry]) => {
    const name = nameOf(selector);
    const args = calls.filter(({ tool }) => tool === name).map((call) => call.args);
    const require = entry.require?.map((rule) => ({
      ...rule,
      conditions: rule.conditions.map((condition) => fillCondition(condition as Condition, args, mode)),
    }));
    return [selector, { ...entry, ...(require ? { require } : {}) }] as const;
  });
  return { ...policy, tools: Object.fromEntries(filled) } as SuggestedPolicy;
}

/** The suggestion with no other tools that change something than these calls use: a grant for one piece of work. */
export function narrowPolicy(policy: SuggestedPolicy, calls: readonly RecordedCall[], reads: ReadonlySet<string>): SuggestedPolicy {
  const used = new Set(calls.map(({ tool }) => tool));
  const kept = Object.entries(policy.tools).filter(([selector]) => {
    const name = nameOf(selector);
    return reads.has(name) || used.has(name);
  });
  return { ...policy, tools: Object.fromEntries(kept) };
}

const nameOf = (selector: string): string => selector.replace(/\\([*@\\])/g, "$1");

function fillCondition(condition: Condition, args: Values, mode: FillMode, beside?: string): Condition {
  if (condition.any) {
    const other = condition.any.find(({ op = "" }) => op in WHOLE)?.op;
    return { any: condition.any.map((one) => fillCondition(one, args, mode, other)) };
  }
  const { path = "", op = "", value } = condition;
  const form = (op === "in" && beside !== undefined ? WHOLE[beside] : undefined) ?? FORMS[op];
  if (form && Array.isArray(value) && value.length === 0) {
    const write = mode === "values" ? FORMS["in"] : form;
    const list = [...new Set(readPath(args, path).flatMap((given) => write?.(given) ?? []))].sort();
    return { ...condition, op: mode === "values" ? "in" : op, value: list };
  }
  // The largest amount: zero stands for what is to be filled in.
  if (op === "lte" && value === 0) {
    const amounts = readPath(args, path).flatMap((given) => (isJsonNumber(given) ? [Number(String(given))] : []));
    return { ...condition, value: Math.max(0, ...amounts) };
  }
  return condition;
}

/** The values at `args.a.b[*].c`; a value that is a list where one is expected gives its members. */
function readPath(args: Values, path: string): Values {
  const steps = [...path.matchAll(/\.([^.[]+)|\[(\*)\]|\[("(?:[^"\\]|\\.)*")\]/g)];
  return steps.reduce<Values>(
    (values, [, plain, each, quoted]) =>
      values.flatMap((value): Values => {
        if (each !== undefined) return isJsonList(value) ? value : [];
        const key = plain ?? (JSON.parse(quoted as string) as string);
        const member = isJsonObject(value) ? readMember(value, key) : undefined;
        return member === undefined ? [] : [member];
      }),
    args,
  );
}
