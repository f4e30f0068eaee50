/**
 * Builds a catalogue's file in one pass: every tool is classified once and gets its suggested entry once, and every server
 * the policy that these entries join to. Whatever shows a tool later shows what was written here. A name that a server has
 * twice is kept once and counted. Memory is bounded by the largest server and the number of servers.
 */
import { type Json, type JsonObject, printJson, readMember, toJson } from "../../kernel/json.ts";
import { TOOL_CLASSES, TOOL_RISKS } from "../../policy/decision.ts";
import { parsePolicy } from "../../policy/parse.ts";
import { printPolicy } from "../../policy/print.ts";
import { type BuiltFile, replaceBuiltFile } from "../../store/built-file.ts";
import { SIGNAL_NAMES, type Signal, type SignalName } from "../signals.ts";
import { joinSuggestions, suggestForTool, type ToolSuggestion } from "../suggest-policy.ts";
import { CLASSIFIER_VERSION } from "../verdict.ts";
import type { SourceServer, SourceTools } from "./read-source.ts";
import { createSlug } from "./slugs.ts";
import { CATALOGUE_FORMAT, INDEXES, TABLES, TOOL_KEY } from "./tables.ts";

const DEFINITION_KEYS = ["name", "title", "description", "inputSchema", "outputSchema", "annotations"] as const;
const MAX_NAME_CHARACTERS = 512;
const MAX_BRIEF_CHARACTERS = 300;
/** Words of one definition that it can be found by. */
const MAX_FOUND_CHARACTERS = 4_000;
const MAX_FACT_CHARACTERS = 2_048;
/** Of a server with more, no joined policy is kept: its tools' own are. */
export const MAX_POLICY_TOOLS = 5_000;
const TOOLS_BETWEEN_PAUSES = 500;

export interface BuildOptions {
  readonly file: string;
  readonly sources: AsyncIterable<SourceTools>;
  /** When it is built, ISO 8601. */
  readonly at: string;
  /** What it was built from, for whoever wants to know whether it is fresh. */
  readonly mark?: string | undefined;
  readonly onProgress?: ((built: Totals) => void) | undefined;
}

export interface Totals {
  servers: number;
  tools: number;
  /** Listed a second time by one server, or without a usable name. */
  left: number;
}

interface Known {
  readonly id: number;
  tools: number;
}

export async function buildCatalogue({ file, sources, at, mark, onProgress }: BuildOptions): Promise<Totals> {
  return await replaceBuiltFile(file, async (built) => {
    const writer = new CatalogueWriter(built);
    let next = TOOLS_BETWEEN_PAUSES;
    for await (const source of sources) {
      writer.add(source);
      if (writer.totals.tools < next) continue;
      next = writer.totals.tools + TOOLS_BETWEEN_PAUSES;
      onProgress?.(writer.totals);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writer.finish(at, mark ?? "");
    return writer.totals;
  });
}

class CatalogueWriter {
  readonly totals: Totals = { servers: 0, tools: 0, left: 0 };
  readonly #built: BuiltFile;
  readonly #servers = new Map<string, Known>();
  readonly #slugs = new Set<string>();
  readonly #classes: number[] = TOOL_CLASSES.map(() => 0);
  readonly #risks: number[] = TOOL_RISKS.map(() => 0);
  readonly #signals = new Map<SignalName, number>();

  constructor(built: BuiltFile) {
    this.#built = built;
    built.exec(TABLES);
    built.exec(TOOL_KEY);
    built.exec("BEGIN");
  }

  add({ server, tools }: SourceTools): void {
    if (server.name.length > MAX_NAME_CHARACTERS) {
      this.totals.left += tools.length;
      return;
    }
    const known = this.#servers.get(server.name) ?? this.#addServer(server);
    for (const tool of tools) this.#addTool(known, server.name, tool);
  }

  #addServer(server: SourceServer): Known {
    const slug = createSlug(server.name, (taken) => this.#slugs.has(taken));
    this.#slugs.add(slug);
    const fact = (text: string | undefined): string | null => text?.slice(0, MAX_FACT_CHARACTERS) ?? null;
    const id = this.#built.run(
      "INSERT INTO server (slug, name, package, version, licence, url, scanned) VALUES (?, ?, ?, ?, ?, ?, ?)",
      slug,
      server.name,
      fact(server.package),
      fact(server.version),
      fact(server.licence),
      fact(server.url),
      fact(server.scanned),
    );
    this.#built.run("INSERT INTO found_server (rowid, name) VALUES (?, ?)", id, splitWords(`${server.name} ${server.package ?? ""}`));
    const known = { id, tools: 0 };
    this.#servers.set(server.name, known);
    this.totals.servers++;
    return known;
  }

  #addTool(server: Known, serverName: string, listed: JsonObject): void {
    const definition = keepDefinition(listed);
    const name = readMember(definition, "name");
    if (typeof name !== "string" || name === "" || name.length > MAX_NAME_CHARACTERS || this.#hasTool(server.id, name)) {
      this.totals.left++;
      return;
    }
    const suggestion = suggestForTool(definition);
    const { verdict } = suggestion;
    const slug = createSlug(name, (taken) => this.#hasSlug(server.id, taken));
    const said = readMember(definition, "description");
    const description = typeof said === "string" ? said : "";
    const [toolClass, risk] = [TOOL_CLASSES.indexOf(verdict.class), TOOL_RISKS.indexOf(verdict.risk)];
    const id = this.#built.run(
      "INSERT INTO tool (server_id, slug, name, class, risk, brief, signals) VALUES (?, ?, ?, ?, ?, ?, ?)",
      server.id,
      slug,
      name,
      toolClass,
      risk,
      cutBrief(description),
      JSON.stringify(verdict.signals.map(({ name: signal, arguments: named }) => [signal, named])),
    );
    this.#built.run(
      "INSERT INTO definition (tool_id, text, selector, entry, rules) VALUES (?, ?, ?, ?, ?)",
      id,
      printJson(definition),
      suggestion.selector,
      JSON.stringify(suggestion.entry),
      JSON.stringify(suggestion.rules.map(({ argument, signal, rule }) => [argument, signal, rule.name])),
    );
    this.#built.run(
      "INSERT INTO found (rowid, name, words, facets) VALUES (?, ?, ?, ?)",
      id,
      splitWords(name),
      splitWords(`${serverName} ${description.slice(0, MAX_FOUND_CHARACTERS)}`),
      [facetOf("class", toolClass), facetOf("risk", risk), ...verdict.signals.map((signal) => facetOfSignal(signal.name))].join(" "),
    );
    server.tools++;
    this.totals.tools++;
    this.#classes[toolClass] = (this.#classes[toolClass] as number) + 1;
    this.#risks[risk] = (this.#risks[risk] as number) + 1;
    for (const signal of verdict.signals) this.#signals.set(signal.name, (this.#signals.get(signal.name) ?? 0) + 1);
  }

  #hasSlug(server: number, slug: string): boolean {
    return this.#built.first("SELECT 1 FROM tool WHERE server_id = ? AND slug = ?", server, slug) !== undefined;
  }

  #hasTool(server: number, name: string): boolean {
    // Its slug is either the short one or the one with its hash: two look-ups instead of another index.
    const short = createSlug(name, () => false);
    const long = createSlug(name, () => true);
    return (
      this.#built.first("SELECT 1 FROM tool WHERE server_id = ? AND slug IN (?, ?) AND name = ?", server, short, long, name) !== undefined
    );
  }

  async finish(at: string, mark: string): Promise<void> {
    const built = this.#built;
    let since = 0;
    for (const { id, tools } of this.#servers.values()) {
      this.#finishServer(id, tools);
      since += tools;
      if (since < TOOLS_BETWEEN_PAUSES) continue;
      since = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const facts = {
      format: CATALOGUE_FORMAT,
      classifier: CLASSIFIER_VERSION,
      built: at,
      mark,
      servers: String(this.totals.servers),
      tools: String(this.totals.tools),
      classes: JSON.stringify(this.#classes),
      risks: JSON.stringify(this.#risks),
      signals: JSON.stringify(SIGNAL_NAMES.map((name) => this.#signals.get(name) ?? 0)),
    };
    for (const [key, value] of Object.entries(facts)) built.run("INSERT INTO meta (key, value) VALUES (?, ?)", key, value);
    built.exec("COMMIT");
    built.exec(INDEXES);
    built.exec("INSERT INTO found (found) VALUES ('optimize')");
    built.exec("ANALYZE");
  }

  #finishServer(id: number, tools: number): void {
    const classes = TOOL_CLASSES.map(() => 0);
    const rows = this.#built.all<{ class: number; count: number }>(
      "SELECT class, count(*) AS count FROM tool WHERE server_id = ? GROUP BY class",
      id,
    );
    for (const row of rows) classes[row.class] = row.count;
    const policy = tools > MAX_POLICY_TOOLS ? null : this.#joinPolicy(id);
    const changing = tools - (classes[0] as number);
    this.#built.run(
      "UPDATE server SET tools = ?, changing = ?, classes = ?, policy = ? WHERE id = ?",
      tools,
      changing,
      JSON.stringify(classes),
      policy,
      id,
    );
  }

  #joinPolicy(id: number): string | null {
    const rows = this.#built.all<{ name: string; class: number; selector: string; entry: string }>(
      "SELECT name, class, selector, entry FROM tool JOIN definition ON tool_id = tool.id WHERE server_id = ? ORDER BY tool.id",
      id,
    );
    const suggestions = rows.map((row) => ({
      name: row.name,
      selector: row.selector,
      isHidden: TOOL_CLASSES[row.class] === "destructive",
      entry: JSON.parse(row.entry) as ToolSuggestion["entry"],
    }));
    return printSuggested(suggestions) ?? null;
  }
}

type Joined = Pick<ToolSuggestion, "name" | "selector" | "isHidden" | "entry">;

/** The policy as the language reads and prints it; undefined where it would be too long for it. */
export function printSuggested(suggestions: readonly Joined[]): string | undefined {
  const parsed = parsePolicy(JSON.stringify(joinSuggestions(suggestions as readonly ToolSuggestion[])), { format: "json" });
  return parsed.ok ? escapeUnseen(printPolicy(parsed.value)) : undefined;
}

const UNSEEN = /[^\P{C}\n]|[\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/** The same JSON, with what can't be seen in a name written as its escape: what is copied is what was read. */
export function escapeUnseen(json: string): string {
  return json.replaceAll(UNSEEN, (character) =>
    Array.from({ length: character.length }, (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`).join(""),
  );
}

export function facetOf(kind: "class" | "risk", index: number): string {
  return `facet${kind}${index}`;
}

export function facetOfSignal(name: SignalName): string {
  return `facetsignal${SIGNAL_NAMES.indexOf(name)}`;
}

export function readSignals(text: string): readonly Signal[] {
  return (JSON.parse(text) as [SignalName, string[]][]).map(([name, named]) => ({ name, arguments: named }));
}

/** `getUser_byId` is found by each of its words, and as it is. */
function splitWords(text: string): string {
  const split = text.replaceAll(/(\p{Ll}|\p{N})(?=\p{Lu})/gu, "$1 ");
  return split === text ? text : `${text} ${split}`;
}

function keepDefinition(listed: JsonObject): JsonObject {
  const kept: Record<string, Json> = {};
  for (const key of DEFINITION_KEYS) {
    const member = readMember(listed, key);
    if (member !== undefined && member !== null) kept[key] = member;
  }
  return toJson(kept) as JsonObject;
}

function cutBrief(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  if (line.length <= MAX_BRIEF_CHARACTERS) return line;
  const cut = line.slice(0, MAX_BRIEF_CHARACTERS - 1).toWellFormed();
  return `${cut.slice(0, Math.max(cut.lastIndexOf(" "), MAX_BRIEF_CHARACTERS / 2))}…`;
}
