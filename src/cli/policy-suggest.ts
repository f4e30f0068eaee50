/**
 * `sallyport policy suggest`: the policy that a server's tools ask for, from a file of their definitions or from the tools
 * that a data folder has accepted. The policy goes to standard output; what is to be filled in, in words, beside it.
 */
import path from "node:path";
import { stringify } from "yaml";
import { describeSignal } from "../catalog/signals.ts";
import { joinSuggestions, suggestForTool, type ToolSuggestion } from "../catalog/suggest-policy.ts";
import { CLASSIFIER_VERSION } from "../catalog/verdict.ts";
import { FailureError } from "../kernel/failure.ts";
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember, toJson } from "../kernel/json.ts";
import { revealText } from "../kernel/reveal-text.ts";
import type { ToolClass } from "../policy/decision.ts";
import { loadOperators } from "../policy/operators/registry.ts";
import { parsePolicy } from "../policy/parse.ts";
import { printPolicy } from "../policy/print.ts";
import { readDocument } from "../policy/read-document.ts";
import { parseDefinitionText } from "../upstream/definition.ts";
import { readStoredServer } from "../upstream/tables.ts";
import { findServer } from "./find-server.ts";
import { type FolderFlags, readClassesByHand, unwrap, withFolder } from "./folder-flags.ts";
import { readTextFile, readToolList } from "./policy-files.ts";
import type { CommandContext } from "./run-cli.ts";

export interface SuggestFlags extends FolderFlags {
  readonly server?: string;
  readonly yaml?: boolean;
}

/** Tools of which words are told; the rest are counted. */
const MAX_TOLD_TOOLS = 200;

export async function suggestPolicy(context: CommandContext, file: string | undefined, flags: SuggestFlags): Promise<void> {
  const { terminal } = context.ports;
  if ((file === undefined) === (flags.server === undefined)) {
    throw new FailureError({
      code: "usage",
      message: "Name a file with tools, or a server with `--server`.",
      hint: "Such as `sallyport policy suggest tools.json`.",
    });
  }
  if (flags.json && flags.yaml) throw new FailureError({ code: "usage", message: "Say `--json` or `--yaml`, not both." });
  const suggestions = file === undefined ? await suggestForServer(context, flags.server as string, flags) : await suggestForFile(file);
  await loadOperators();
  // Read as every policy is: what is printed is a document that the language took.
  const policy = unwrap(parsePolicy(JSON.stringify(joinSuggestions(suggestions)), { format: "json" }));
  if (flags.json) {
    const described = {
      policy: JSON.parse(printPolicy(policy)) as unknown,
      classifier: CLASSIFIER_VERSION,
      tools: suggestions.map(describeSuggestion),
    };
    terminal.out(`${JSON.stringify(described)}
`);
    return;
  }
  terminal.out(flags.yaml ? stringify(JSON.parse(printPolicy(policy)), { lineWidth: 0 }) : printPolicy(policy));
  terminal.err(tellSuggestions(suggestions));
}

async function suggestForFile(file: string): Promise<ToolSuggestion[]> {
  if (path.extname(file) === ".jsonl") return readLines(file, unwrap(await readTextFile(file))).map((line) => suggestForTool(line));
  return unwrap(await readToolList(file)).definitions.map((definition) => {
    // What may stand there was looked at when the list was read.
    const said = readMember(definition, "class");
    return suggestForTool(definition, said as ToolClass | undefined);
  });
}

/** One tool a line, as collections of tools come: its name may be called `tool`, its arguments be a list. */
function readLines(file: string, text: string): JsonObject[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const value = unwrap(readDocument(line, { file, format: "json" })).value;
    const name = isJsonObject(value) ? (readMember(value, "name") ?? readMember(value, "tool")) : undefined;
    if (!isJsonObject(value) || typeof name !== "string") {
      throw new FailureError({
        code: "invalid_document",
        message: "A line has to be a tool with a `name`.",
        at: { file, line: index + 1, column: 1 },
      });
    }
    const listed = readMember(value, "arguments");
    const inputSchema = readMember(value, "inputSchema") ?? (isJsonList(listed) ? toSchema(listed) : undefined);
    return [toJson({ ...value, name, inputSchema }) as JsonObject];
  });
}

/** `[{ "name": …, "type": …, "desc": … }]`. */
function toSchema(listed: readonly Json[]): Json {
  const properties = listed.flatMap((argument): [string, Json][] => {
    const name = isJsonObject(argument) ? readMember(argument, "name") : argument;
    if (typeof name !== "string") return [];
    const given = isJsonObject(argument) ? argument : {};
    return [
      [name, toJson({ type: readMember(given, "type"), description: readMember(given, "desc") ?? readMember(given, "description") })],
    ];
  });
  return toJson({ type: "object", properties: Object.fromEntries(properties) });
}

async function suggestForServer({ ports }: CommandContext, name: string, flags: SuggestFlags): Promise<ToolSuggestion[]> {
  const classes = await readClassesByHand(ports.terminal.env, flags, name);
  return await withFolder(ports, flags, async (folder) => {
    const server = await findServer(folder, name);
    const { tools } = await readStoredServer(folder.store.query, server.id);
    return tools.flatMap((tool) => {
      if (tool.accepted === undefined || tool.state !== "accepted") return [];
      const definition = parseDefinitionText(tool.accepted.text);
      const byHand = Object.hasOwn(classes, tool.name) ? classes[tool.name] : undefined;
      return isJsonObject(definition) ? [suggestForTool(definition, byHand ?? (tool.class as ToolClass | undefined))] : [];
    });
  });
}

function describeSuggestion({ name, verdict, isHidden, entry, rules }: ToolSuggestion): JsonObject {
  return {
    name,
    class: verdict.class,
    risk: verdict.risk,
    confidence: verdict.confidence,
    signals: verdict.signals.map((signal) => ({ name: signal.name, arguments: signal.arguments, text: describeSignal(signal) })),
    hidden: isHidden,
    entry,
    fillIn: rules.filter(({ isToFill }) => isToFill).map(({ argument, signal, rule }) => ({ argument, signal, rule: rule.name })),
  } as unknown as JsonObject;
}

function tellSuggestions(suggestions: readonly ToolSuggestion[]): string {
  const lines: string[] = [];
  for (const { name, verdict, isHidden, entry, rules } of suggestions.slice(0, MAX_TOLD_TOOLS)) {
    const words = [
      ...(isHidden ? ["hidden"] : []),
      ...(entry.action === "require_approval" && !isHidden ? ["a person is asked"] : []),
      ...(isHidden ? [] : rules.map(({ rule }) => rule.name)),
    ];
    const why = verdict.signals.map(describeSignal).join(" · ");
    lines.push(
      `${revealText(name)}: ${verdict.class}, ${verdict.risk}${words.length > 0 ? `; ${revealText(words.join("; "))}` : ""}${why === "" ? "" : ` [${revealText(why)}]`}\n`,
    );
  }
  const rest = suggestions.length - MAX_TOLD_TOOLS;
  if (rest > 0) lines.push(`… and ${rest} more.\n`);
  const open = suggestions.reduce((sum, { isHidden, rules }) => sum + (isHidden ? 0 : rules.filter(({ isToFill }) => isToFill).length), 0);
  if (open === 1) lines.push("1 rule refuses every value until you fill it in.\n");
  if (open > 1) lines.push(`${open} rules refuse every value until you fill them in.\n`);
  if (suggestions.some(({ isHidden, entry }) => !isHidden && entry.action !== undefined))
    lines.push("Where a person is asked, each grant needs an owner.\n");
  return lines.join("");
}
