/**
 * The vocabulary of risk: what makes a tool worth a second look, in words for people, with the public lists that name the
 * same thing. A signal adds to the class; it never takes away from it.
 */

interface SignalKind {
  readonly words: string;
  readonly owasp: readonly string[];
}

export const SIGNAL_NAMES = [
  "handles_secrets",
  "freeform_code",
  "runs_commands",
  "filesystem_path",
  "arbitrary_url",
  "reads_private_data",
  "returns_untrusted_content",
  "raw_markup",
  "bulk_scope",
  "recipient_param",
  "external_send",
  "moves_money",
  "money_amount",
  "financial_data",
  "two_way",
  "admin_privilege",
  "irreversible",
  "reversible_delete",
  "non_additive",
  "code_write",
  "started_job",
  "force_flag",
  "context_param",
  "external_reach",
  "annotation_conflict",
  "word_conflict",
  "hidden_text",
  "addresses_model",
  "many_arguments",
  "not_looked_at",
] as const;
export type SignalName = (typeof SIGNAL_NAMES)[number];

export const SIGNALS: Readonly<Record<SignalName, SignalKind>> = {
  handles_secrets: { words: "Handles credentials or secrets", owasp: ["MCP01"] },
  freeform_code: { words: "Takes free-form code or a query", owasp: ["MCP05", "ASI05"] },
  runs_commands: { words: "Runs system commands", owasp: ["MCP05", "ASI05"] },
  filesystem_path: { words: "Accepts a file system path", owasp: ["MCP05"] },
  arbitrary_url: { words: "Accepts a URL or endpoint", owasp: ["MCP06"] },
  reads_private_data: { words: "Reads personal or internal data", owasp: ["MCP10"] },
  returns_untrusted_content: { words: "Returns text that others wrote", owasp: ["MCP06", "ASI01"] },
  raw_markup: { words: "Accepts raw HTML or a template", owasp: ["MCP06"] },
  bulk_scope: { words: "Bulk operation on several targets", owasp: ["MCP02"] },
  recipient_param: { words: "Chooses who receives something", owasp: ["MCP10"] },
  external_send: { words: "Sends or publishes to others", owasp: ["MCP10"] },
  moves_money: { words: "Moves money or value", owasp: ["MCP02", "ASI02"] },
  money_amount: { words: "Takes an amount of money", owasp: ["MCP02"] },
  financial_data: { words: "Reads or writes financial records", owasp: ["MCP10"] },
  two_way: { words: "One argument chooses between actions", owasp: ["MCP02"] },
  admin_privilege: { words: "Administrative operation on access or identities", owasp: ["MCP02", "ASI03"] },
  irreversible: { words: "Says that it cannot be undone", owasp: ["MCP02", "ASI10"] },
  reversible_delete: { words: "Removes in a way that can be taken back", owasp: [] },
  non_additive: { words: "Overwrites or changes what is there", owasp: ["MCP02"] },
  code_write: { words: "Writes code or scripts", owasp: ["MCP05"] },
  started_job: { words: "Starts work that goes on by itself", owasp: ["ASI08"] },
  force_flag: { words: "Can be told to skip a safeguard", owasp: ["MCP02"] },
  context_param: { words: "Asks for the conversation or for instructions", owasp: ["MCP10"] },
  external_reach: { words: "Says that it reaches outside", owasp: ["MCP10"] },
  annotation_conflict: { words: "Its own annotations contradict its words", owasp: ["MCP03"] },
  word_conflict: { words: "Its name and its description say different things", owasp: ["MCP03"] },
  hidden_text: { words: "Holds text that people do not see", owasp: ["MCP03"] },
  addresses_model: { words: "Holds text that addresses the model or names secrets", owasp: ["MCP03"] },
  many_arguments: { words: "High number of arguments", owasp: [] },
  not_looked_at: { words: "Too large to be looked at as a whole", owasp: [] },
};

export interface Signal {
  readonly name: SignalName;
  /** The arguments that fired it, as people read them: `media[].url`. */
  readonly arguments: readonly string[];
}

/** Arguments of one signal that are named. */
const MAX_NAMED_ARGUMENTS = 8;

/** `Handles credentials or secrets (apiKey)`. */
export function describeSignal({ name, arguments: named }: Signal): string {
  if (named.length === 0) return SIGNALS[name].words;
  const rest = named.length - MAX_NAMED_ARGUMENTS;
  return `${SIGNALS[name].words} (${named.slice(0, MAX_NAMED_ARGUMENTS).join(", ")}${rest > 0 ? `, ${rest} more` : ""})`;
}
