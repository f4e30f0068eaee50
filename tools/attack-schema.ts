/**
 * The JSON Schema of an attack's file, for editors, made from the words and bounds that the check goes by. What one part says
 * of another, such as a claim of its proofs, is the check's alone.
 */
import {
  ATTACK_KINDS,
  ATTACK_SEVERITIES,
  EVIDENCE,
  LOG_MEMBERS,
  OWASP_ENTRIES,
  RECORD_KINDS,
  STOPS,
} from "../src/catalog/attacks/attack.ts";
import {
  ATTACK_ID,
  ATTACK_KEYS,
  MAX_ATTACK_LIST,
  MAX_ATTACK_TEXT_CHARACTERS,
  PROOF_KEYS,
  RECORD_DATE,
  RECORD_ID,
  RECORD_KEYS,
  SIGN_KEYS,
} from "../src/catalog/attacks/read-attack.ts";
import { SIGNAL_NAMES } from "../src/catalog/signals.ts";
import { TOOL_CLASSES } from "../src/policy/decision.ts";
import type { Schema } from "./policy-schema.ts";

const words = (description: string, more: Schema = {}): Schema => ({
  description,
  type: "string",
  minLength: 1,
  maxLength: MAX_ATTACK_TEXT_CHARACTERS,
  ...more,
});
const choice = (description: string, choices: readonly string[]): Schema => ({ description, enum: choices });
const listOf = (description: string, items: Schema): Schema => ({ description, type: "array", items, maxItems: MAX_ATTACK_LIST });
const closed = (description: string, properties: Record<string, Schema>, required: readonly string[] = []): Schema => ({
  description,
  type: "object",
  properties,
  additionalProperties: false,
  ...(required.length === 0 ? {} : { required }),
});

const REACH = {
  classes: listOf("Classes of tools; left out: any.", { enum: TOOL_CLASSES }),
  signals: listOf("Signals of which a tool has one.", { enum: SIGNAL_NAMES }),
};

export function describeAttackSchema(): Schema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Sallyport attack",
    ...closed(
      "A kind of attack: how it goes, its dated records, what of it shows in the log, what stops it and what proves that.",
      {
        $schema: words("The schema of this file, for editors."),
        id: words("Its name in addresses and file names.", { pattern: ATTACK_ID.source }),
        name: words("Its name for people."),
        kind: choice("Through what it comes.", Object.keys(ATTACK_KINDS)),
        severity: choice("How bad it is where it succeeds.", ATTACK_SEVERITIES),
        owasp: listOf("Entries of the public lists: language models 2025, MCP 2025, agents 2026.", { enum: Object.keys(OWASP_ENTRIES) }),
        also: listOf("Ids of SAFE-MCP, MITRE ATLAS and CWE.", { type: "string", minLength: 1 }),
        touches: closed("The tools and servers that make it possible.", {
          ...REACH,
          legs: listOf("What several tools make possible together.", closed("One tool at least of the server has this.", REACH)),
          everywhere: { description: "It comes by no tool's power.", const: true },
        }),
        what: words("What happens."),
        how: words("Why it works."),
        look_for: listOf(
          "What of it shows in the log.",
          closed(
            "Entries, and what they mean.",
            {
              where: closed(
                "Members of an entry with their values.",
                Object.fromEntries(LOG_MEMBERS.map((member) => [member, words(`The entry's \`${member}\`.`)])),
                ["kind"],
              ),
              means: words("What such an entry says."),
            },
            SIGN_KEYS,
          ),
        ),
        stopped: choice("Whether the gateway stops it.", STOPS),
        why: words("What stops it, or why nothing here does."),
        not_stopped: listOf("What gets by.", words("One thing that does.")),
        proofs: listOf(
          "What proves the claim.",
          closed(
            "A policy test, or a test of the gateway.",
            {
              by: words("`policy`, or what of the gateway stops it."),
              file: words("From the root of the checkout."),
              name: words("The test's own name; a policy test file counts as a whole and has none."),
            },
            PROOF_KEYS,
          ),
        ),
        records: listOf(
          "Patterns, incidents, vulnerabilities and research, with their sources.",
          closed(
            "One of them.",
            {
              id: words("Its number here.", { pattern: RECORD_ID.source }),
              name: words("What it is called."),
              kind: choice("What it is.", RECORD_KINDS),
              date: words("A year, a month or a day.", { pattern: RECORD_DATE.source }),
              what: words("What happened."),
              advisories: listOf("CVE and GHSA numbers.", { type: "string", minLength: 1 }),
              stopped: choice("Whether the gateway would have stopped this one.", STOPS),
              evidence: choice("How well it is known.", EVIDENCE),
              sources: listOf("Where it is told.", words("One source.")),
            },
            RECORD_KEYS,
          ),
        ),
      },
      ATTACK_KEYS,
    ),
  };
}
