/**
 * An attack as the database tells it: how it goes, its dated records, the tools it touches, what of it shows in the log, and
 * what stops it, with what proves that. Words and plain values; a claim without a proof can't be read.
 */
import type { ToolClass } from "../../policy/decision.ts";
import type { SignalName } from "../signals.ts";

/** Through what the attack comes. */
export const ATTACK_KINDS = {
  definition: "What a server says of its tools",
  content: "What a tool returns",
  argument: "What an agent hands to a tool",
  autonomy: "What an agent does by itself",
  people: "What people are asked",
  identity: "Tokens and sign-ins",
  protocol: "The wire, and what stands in the middle",
  supply: "What is installed, and where it listens",
} as const;
export type AttackKind = keyof typeof ATTACK_KINDS;

export const ATTACK_SEVERITIES = ["low", "medium", "high", "critical"] as const;
export type AttackSeverity = (typeof ATTACK_SEVERITIES)[number];

/** Entries of the three lists that attacks are filed under: language models 2025, MCP 2025 (beta), agents 2026. */
export const OWASP_ENTRIES = {
  LLM01: "Prompt injection",
  LLM02: "Sensitive information disclosure",
  LLM03: "Supply chain",
  LLM04: "Data and model poisoning",
  LLM05: "Improper output handling",
  LLM06: "Excessive agency",
  LLM07: "System prompt leakage",
  LLM08: "Vector and embedding weaknesses",
  LLM09: "Misinformation",
  LLM10: "Unbounded consumption",
  MCP01: "Token mismanagement and secret exposure",
  MCP02: "Privilege escalation by scope creep",
  MCP03: "Tool poisoning",
  MCP04: "Supply chain and dependency tampering",
  MCP05: "Command injection and execution",
  MCP06: "Prompt injection through context",
  MCP07: "Insufficient authentication and authorisation",
  MCP08: "Lack of audit and telemetry",
  MCP09: "Shadow servers",
  MCP10: "Context injection and over-sharing",
  ASI01: "Goal hijack",
  ASI02: "Tool misuse and exploitation",
  ASI03: "Identity and privilege abuse",
  ASI04: "Agentic supply chain",
  ASI05: "Unexpected code execution",
  ASI06: "Memory and context poisoning",
  ASI07: "Insecure communication between agents",
  ASI08: "Cascading failures",
  ASI09: "Exploitation of people's trust in agents",
  ASI10: "Rogue agents",
} as const;
export type OwaspEntry = keyof typeof OWASP_ENTRIES;

/** `yes`: a proof, and nothing is known to get by. `partly`: a proof, and what gets by is said. `no`: neither. */
export const STOPS = ["yes", "partly", "no"] as const;
export type Stop = (typeof STOPS)[number];

export const RECORD_KINDS = ["pattern", "incident", "vulnerability", "research", "finding"] as const;
export const EVIDENCE = ["documented", "partial", "reported"] as const;

/** Members of a log's entry that an attack can be looked for by. */
export const LOG_MEMBERS = ["kind", "decision", "code", "rule", "cause", "method", "tool", "toolClass", "action", "outcome"] as const;
export type LogMember = (typeof LOG_MEMBERS)[number];

/** Tools of these classes with one of these signals; what is left out asks nothing. */
export interface ToolReach {
  readonly classes?: readonly ToolClass[];
  readonly signals?: readonly SignalName[];
}

export interface AttackReach extends ToolReach {
  /** What several tools of one server, or of one grant, make possible together: one tool at least for each. */
  readonly legs?: readonly ToolReach[];
  /** It comes by no tool's power: every server, and no tool in particular. */
  readonly everywhere?: true;
}

export interface LogSign {
  readonly where: Readonly<Partial<Record<LogMember, string>>>;
  readonly means: string;
}

export interface AttackProof {
  /** `policy`: a policy test file; else what of the gateway it is that stops it. */
  readonly by: string;
  /** From the root of the checkout. */
  readonly file: string;
  /** The test's own name; of a policy test file none, for all of its cases count. */
  readonly name?: string;
}

export interface AttackRecord {
  readonly id: string;
  readonly name: string;
  readonly kind: (typeof RECORD_KINDS)[number];
  /** As exactly as it is known: a year, a month or a day. */
  readonly date?: string;
  readonly what: string;
  readonly advisories?: readonly string[];
  readonly stopped: Stop;
  readonly evidence: (typeof EVIDENCE)[number];
  readonly sources: readonly string[];
}

export interface Attack {
  readonly id: string;
  readonly name: string;
  readonly kind: AttackKind;
  readonly severity: AttackSeverity;
  readonly owasp: readonly OwaspEntry[];
  /** Ids of SAFE-MCP, MITRE ATLAS and CWE. */
  readonly also: readonly string[];
  readonly touches: AttackReach;
  readonly what: string;
  readonly how: string;
  readonly look_for: readonly LogSign[];
  readonly stopped: Stop;
  readonly why: string;
  readonly not_stopped: readonly string[];
  readonly proofs: readonly AttackProof[];
  readonly records: readonly AttackRecord[];
}
