/** `sallyport policy explain`: why one call is decided as it is, question by question. */

import { type Failure, FailureError, type Place } from "../kernel/failure.ts";
import { type Json, printJson, toJson } from "../kernel/json.ts";
import type { CallContext, Decision } from "../policy/decision.ts";
import { type Explanation, explainCall } from "../policy/explain.ts";
import { Inspector } from "../policy/inspector.ts";
import { type DocumentOptions, readDocument } from "../policy/read-document.ts";
import { denyApproval } from "../policy/refusal.ts";
import { parseTestTime, readCall, readGrant } from "../policy/test-file/read-case.ts";
import { unwrap } from "./folder-flags.ts";
import { TEST_SERVER, UNNAMED_GRANT } from "./policy-bench.ts";
import { readPolicyFile, readTextFile, readToolFile } from "./policy-files.ts";
import type { CommandContext } from "./run-cli.ts";

export interface ExplainFlags {
  readonly call?: string;
  readonly callFile?: string;
  readonly tools?: string;
  readonly grant?: string;
  readonly at?: string;
  readonly json?: boolean;
}

export async function explainPolicy({ ports }: CommandContext, file: string, flags: ExplainFlags): Promise<void> {
  const { terminal } = ports;
  const policy = unwrap(await readPolicyFile(file));
  const call = await readGivenCall(flags);
  const tools = flags.tools === undefined ? undefined : unwrap(await readToolFile(flags.tools)).facts;
  const tool = tools === undefined ? undefined : (tools.get(call.name) ?? null);
  const explanation = explainCall(policy, { name: call.name, args: call.args, tool }, readContext(flags));
  terminal.out(flags.json ? `${printJson(toJson(describeExplanation(explanation)))}\n` : printExplanation(call.name, explanation));
}

async function readGivenCall(flags: ExplainFlags): Promise<{ readonly name: string; readonly args: Json }> {
  if ((flags.call === undefined) === (flags.callFile === undefined)) {
    throw usage(
      "Say the call with `--call`, or name its file with `--call-file`.",
      'Such as --call \'{"name":"get_user","arguments":{}}\'.',
    );
  }
  if (flags.call !== undefined) return readPart(flags.call, "--call", { format: "json" }, readCall);
  const file = flags.callFile as string;
  return readPart(unwrap(await readTextFile(file)), file, { file }, readCall);
}

function readContext(flags: ExplainFlags): CallContext {
  const grant = flags.grant === undefined ? {} : readPart(flags.grant, "--grant", { format: "json" }, readGrant);
  const nowMs = flags.at === undefined ? Date.now() : parseTestTime(flags.at);
  if (nowMs === undefined) throw usage("A time is written as `2026-01-05T09:00:00Z`, with its zone.");
  return {
    grant: { label: grant.label ?? UNNAMED_GRANT, identity: grant.identity, tags: grant.tags ?? {} },
    server: { name: TEST_SERVER },
    nowMs,
  };
}

/** Reads what was given with a flag or in a file; the flag stands in the file's place where there is none. */
function readPart<T>(
  text: string,
  where: string,
  options: DocumentOptions,
  read: (inspector: Inspector, value: Json, pointer: string) => T | undefined,
): T {
  const document = readDocument(text, { ...options, file: where });
  if (!document.ok) throw new FailureError(document.failures);
  const inspector = new Inspector((pointer): Place => document.value.place(pointer));
  const part = read(inspector, document.value.value, "");
  if (part === undefined || inspector.failures.length > 0) throw new FailureError(inspector.failures);
  return part;
}

function usage(message: string, hint?: string): FailureError {
  const failure: Failure = { code: "usage", message };
  return new FailureError(hint === undefined ? failure : { ...failure, hint });
}

function summarize(decision: Decision): Record<string, unknown> {
  if (decision.decision === "deny") {
    const { code, rule, message, cause } = decision;
    return { decision: "deny", code, rule, message, cause };
  }
  if (!decision.approval) return { decision: "allow" };
  const { code, rule, message, cause } = denyApproval(decision.approval);
  return { decision: "approve", code, rule, message, cause };
}

function describeExplanation({ steps, decision }: Explanation): Record<string, unknown> {
  return { ...summarize(decision), steps };
}

function printExplanation(name: string, { steps, decision }: Explanation): string {
  const lines = steps.map(({ step, question, rule, answer, conditions }) => {
    const at = rule === undefined ? "" : `  ${rule}`;
    const each = conditions === undefined || conditions.length === 0 ? "" : ` [${conditions.join(", ")}]`;
    return `${String(step).padStart(2)}  ${question}${at}\n      ${answer}${each}\n`;
  });
  const { decision: word, code, rule, message } = summarize(decision);
  const why = word === "allow" ? "" : ` (${String(code)}, ${String(rule)})\n  ${String(message)}`;
  const limits = decision.decision === "permit" && decision.charges.length > 0 ? ", if its limits have room" : "";
  return `${lines.join("")}\n${name}: ${String(word)}${limits}${why}\n`;
}
