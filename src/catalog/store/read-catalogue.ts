/**
 * Reads a catalogue's file: totals, servers, tools, classes, search. Every question is bounded in what it looks at, however
 * many tools there are: long lists go on from where they ended, and a search looks at the first matches alone, those in
 * names before those in other words.
 */
import { FailureError } from "../../kernel/failure.ts";
import { TOOL_CLASSES, TOOL_RISKS, type ToolClass } from "../../policy/decision.ts";
import { type BuiltFile, openBuiltFile } from "../../store/built-file.ts";
import { SIGNAL_NAMES, type Signal, type SignalName } from "../signals.ts";
import type { SuggestedEntry } from "../suggest-policy.ts";
import { CLASSIFIER_VERSION, type ToolRisk } from "../verdict.ts";
import { MAX_MATCHES, type SearchAsked, writeMatch } from "./match.ts";
import { CATALOGUE_FORMAT, type ServerRow, type ToolRow } from "./tables.ts";
import { printSuggested, readSignals } from "./write-catalogue.ts";

export interface CatalogueTotals {
  readonly built: string;
  readonly servers: number;
  readonly tools: number;
  readonly classes: Readonly<Record<ToolClass, number>>;
  readonly risks: Readonly<Record<ToolRisk, number>>;
  readonly signals: readonly (readonly [SignalName, number])[];
}

export interface ListedServer {
  readonly id: number;
  readonly slug: string;
  readonly name: string;
  readonly package: string | undefined;
  readonly version: string | undefined;
  readonly licence: string | undefined;
  readonly url: string | undefined;
  readonly scanned: string | undefined;
  readonly tools: number;
  /** Tools that do more than read. */
  readonly changing: number;
  readonly classes: Readonly<Record<ToolClass, number>>;
}

export interface ListedTool {
  readonly id: number;
  readonly server: number;
  readonly slug: string;
  readonly name: string;
  readonly class: ToolClass;
  readonly risk: ToolRisk;
  readonly brief: string;
  readonly signals: readonly Signal[];
}

/** A tool with the server that it stands on. */
export interface PlacedTool extends ListedTool {
  readonly serverSlug: string;
  readonly serverName: string;
}

export interface ToolRecord {
  /** The definition as the server lists it, JSON text. */
  readonly definition: string;
  readonly entry: SuggestedEntry;
  readonly isHidden: boolean;
  /** The tool's own policy, as the language prints it. */
  readonly policy: string;
  /** What a person has to fill in: argument, and the rule's name. */
  readonly fillIn: readonly { readonly argument: string; readonly rule: string }[];
}

export interface Found {
  readonly tools: readonly PlacedTool[];
  /** Matches that were looked at; `more` says that there are others. */
  readonly matches: number;
  readonly more: boolean;
  readonly classes: Readonly<Record<ToolClass, number>>;
  readonly risks: Readonly<Record<ToolRisk, number>>;
}

const NEIGHBOURS_LOOKED_AT = 100;
const TOOL = "tool.id, server_id, tool.slug, tool.name, class, risk, brief, signals";
const PLACED = `${TOOL}, server.slug AS server_slug, server.name AS server_name`;

interface PlacedRow extends ToolRow {
  readonly server_slug: string;
  readonly server_name: string;
}

export function openCatalogue(file: string): Catalogue {
  const built = openBuiltFile(file);
  try {
    const facts = new Map(built.all<{ key: string; value: string }>("SELECT key, value FROM meta").map(({ key, value }) => [key, value]));
    if (facts.get("format") !== CATALOGUE_FORMAT || facts.get("classifier") !== CLASSIFIER_VERSION) {
      throw new FailureError({
        code: "storage_unavailable",
        message: "The catalogue was built by another version of this program.",
        at: { file },
        hint: "Build it again: `sallyport catalog build`.",
      });
    }
    return new Catalogue(built, facts);
  } catch (error) {
    built.close();
    throw error;
  }
}

export class Catalogue {
  readonly totals: CatalogueTotals;
  /** What it was built from, as the builder said. */
  readonly mark: string;
  readonly #built: BuiltFile;

  constructor(built: BuiltFile, facts: ReadonlyMap<string, string>) {
    this.#built = built;
    this.mark = facts.get("mark") ?? "";
    const read = (key: string): number[] => JSON.parse(facts.get(key) ?? "[]") as number[];
    const signals = read("signals");
    this.totals = {
      built: facts.get("built") ?? "",
      servers: Number(facts.get("servers")),
      tools: Number(facts.get("tools")),
      classes: countsOf(TOOL_CLASSES, read("classes")),
      risks: countsOf(TOOL_RISKS, read("risks")),
      signals: SIGNAL_NAMES.map((name, index) => [name, signals[index] ?? 0] as const).filter(([, count]) => count > 0),
    };
  }

  findServer(slug: string): ListedServer | undefined {
    const row = this.#built.first<ServerRow>("SELECT * FROM server WHERE slug = ?", slug);
    return row && toServer(row);
  }

  readServerPolicy(server: number): string | undefined {
    return this.#built.first<{ policy: string | null }>("SELECT policy FROM server WHERE id = ?", server)?.policy ?? undefined;
  }

  listLargestServers(limit: number): readonly ListedServer[] {
    return this.#built.all<ServerRow>("SELECT * FROM server ORDER BY tools DESC, id LIMIT ?", limit).map(toServer);
  }

  /** In the order in which they came, from after that one on. */
  listServers(after: number, limit: number): readonly ListedServer[] {
    return this.#built.all<ServerRow>("SELECT * FROM server WHERE id > ? ORDER BY id LIMIT ?", after, limit).map(toServer);
  }

  /** The last ones that came. */
  listLatestServers(limit: number): readonly ListedServer[] {
    return this.#built.all<ServerRow>("SELECT * FROM server ORDER BY id DESC LIMIT ?", limit).map(toServer);
  }

  /** Addresses of the tools numbered above `from` up to `to`, for lists of all there are. */
  listAddresses(from: number, to: number): readonly { readonly server: string; readonly tool: string }[] {
    return this.#built.all(
      "SELECT server.slug AS server, tool.slug AS tool FROM tool JOIN server ON server.id = server_id WHERE tool.id > ? AND tool.id <= ?",
      from,
      to,
    );
  }

  searchServers(words: string, limit: number): readonly ListedServer[] {
    const match = writeMatch({ words }, "{name}");
    if (match === undefined) return [];
    return this.#built
      .all<ServerRow>(
        "SELECT * FROM server WHERE id IN (SELECT rowid FROM found_server WHERE found_server MATCH ? LIMIT ?) ORDER BY tools DESC",
        match,
        limit,
      )
      .map(toServer);
  }

  listTools(server: number, after: number, limit: number): readonly ListedTool[] {
    const sql = `SELECT ${TOOL} FROM tool WHERE server_id = ? AND id > ? ORDER BY id LIMIT ?`;
    return this.#built.all<ToolRow>(sql, server, after, limit).map(toTool);
  }

  findTool(server: number, slug: string): ListedTool | undefined {
    const row = this.#built.first<ToolRow>(`SELECT ${TOOL} FROM tool WHERE server_id = ? AND slug = ?`, server, slug);
    return row && toTool(row);
  }

  readTool(tool: ListedTool): ToolRecord {
    const row = this.#built.first<{ text: string; selector: string; entry: string; rules: string }>(
      "SELECT text, selector, entry, rules FROM definition WHERE tool_id = ?",
      tool.id,
    );
    if (row === undefined) throw new FailureError({ code: "storage_unavailable", message: "The catalogue's file is not whole." });
    const entry = JSON.parse(row.entry) as SuggestedEntry;
    const isHidden = tool.class === "destructive";
    return {
      definition: row.text,
      entry,
      isHidden,
      policy: printSuggested([{ name: tool.name, selector: row.selector, isHidden, entry }]) ?? "",
      fillIn: (JSON.parse(row.rules) as string[][]).map(([argument = "", , rule = ""]) => ({ argument, rule })),
    };
  }

  /** Tools of a class or of a risk, from after that one on. */
  listKind(kind: "class" | "risk", word: ToolClass | ToolRisk, after: number, limit: number): readonly PlacedTool[] {
    const index = (kind === "class" ? TOOL_CLASSES : TOOL_RISKS).indexOf(word as never);
    const sql = `SELECT ${PLACED} FROM tool JOIN server ON server.id = server_id WHERE ${kind} = ? AND tool.id > ? ORDER BY tool.id LIMIT ?`;
    return this.#built.all<PlacedRow>(sql, index, after, limit).map(toPlaced);
  }

  /** Others of its class, on other servers: the next ones, and from the start again. The same ones each time. */
  listNeighbours(tool: ListedTool, limit: number): readonly PlacedTool[] {
    const sql = `SELECT ${PLACED} FROM tool JOIN server ON server.id = server_id WHERE class = ? AND tool.id > ? AND server_id <> ? ORDER BY tool.id LIMIT ?`;
    const last = this.#built.first<{ id: number }>("SELECT max(id) AS id FROM tool WHERE server_id = ?", tool.server)?.id ?? tool.id;
    const chosen = new Map<number, PlacedRow>();
    // Of each server one, as far as the look goes.
    for (const after of [last, 0]) {
      if (chosen.size >= limit) break;
      for (const row of this.#built.all<PlacedRow>(sql, TOOL_CLASSES.indexOf(tool.class), after, tool.server, NEIGHBOURS_LOOKED_AT))
        if (chosen.size < limit && !chosen.has(row.server_id)) chosen.set(row.server_id, row);
    }
    return [...chosen.values()].map(toPlaced);
  }

  search(asked: SearchAsked, offset: number, limit: number): Found {
    const ids = this.#match(asked);
    const facets = ids.length === 0 ? [] : this.#countFacets(ids);
    const page = ids.slice(offset, offset + limit);
    const sql = `SELECT ${PLACED} FROM tool JOIN server ON server.id = server_id WHERE tool.id = ?`;
    const sum = (key: "class" | "risk", index: number): number =>
      facets.reduce((all, row) => all + (row[key] === index ? row.count : 0), 0);
    return {
      tools: page.flatMap((id) => this.#built.all<PlacedRow>(sql, id)).map(toPlaced),
      matches: Math.min(ids.length, MAX_MATCHES),
      more: ids.length > MAX_MATCHES,
      classes: countsOf(
        TOOL_CLASSES,
        TOOL_CLASSES.map((_, index) => sum("class", index)),
      ),
      risks: countsOf(
        TOOL_RISKS,
        TOOL_RISKS.map((_, index) => sum("risk", index)),
      ),
    };
  }

  #match(asked: SearchAsked): readonly number[] {
    const find = (columns: string): number[] => {
      const match = writeMatch(asked, columns);
      if (match === undefined) return [];
      const rows = this.#built.all<{ rowid: number }>("SELECT rowid FROM found WHERE found MATCH ? LIMIT ?", match, MAX_MATCHES + 1);
      return rows.map(({ rowid }) => rowid);
    };
    const named = find("{name}");
    return named.length > MAX_MATCHES ? named : [...new Set([...named, ...find("{name words}")])].slice(0, MAX_MATCHES + 1);
  }

  #countFacets(ids: readonly number[]): readonly { readonly class: number; readonly risk: number; readonly count: number }[] {
    const sql = "SELECT class, risk, count(*) AS count FROM tool WHERE id IN (SELECT value FROM json_each(?)) GROUP BY class, risk";
    return this.#built.all(sql, JSON.stringify(ids.slice(0, MAX_MATCHES)));
  }

  close(): void {
    this.#built.close();
  }
}

function countsOf<K extends string>(keys: readonly K[], counts: readonly number[]): Readonly<Record<K, number>> {
  return Object.fromEntries(keys.map((key, index) => [key, counts[index] ?? 0])) as Record<K, number>;
}

function toServer(row: ServerRow): ListedServer {
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    package: row.package ?? undefined,
    version: row.version ?? undefined,
    licence: row.licence ?? undefined,
    url: row.url ?? undefined,
    scanned: row.scanned ?? undefined,
    tools: row.tools,
    changing: row.changing,
    classes: countsOf(TOOL_CLASSES, JSON.parse(row.classes) as number[]),
  };
}

function toTool(row: ToolRow): ListedTool {
  return {
    id: row.id,
    server: row.server_id,
    slug: row.slug,
    name: row.name,
    class: TOOL_CLASSES[row.class] as ToolClass,
    risk: TOOL_RISKS[row.risk] as ToolRisk,
    brief: row.brief,
    signals: readSignals(row.signals),
  };
}

function toPlaced(row: PlacedRow): PlacedTool {
  return { ...toTool(row), serverSlug: row.server_slug, serverName: row.server_name };
}
