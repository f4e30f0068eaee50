/** The tables of a catalogue's file, and what stands in their rows. Words of the file, never of a page. */

/** Raised when a file of an older build can't be read any more. */
export const CATALOGUE_FORMAT = "1";

export const TABLES = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE server (
  id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, package TEXT, version TEXT, licence TEXT, url TEXT,
  scanned TEXT, tools INTEGER NOT NULL DEFAULT 0, changing INTEGER NOT NULL DEFAULT 0, classes TEXT NOT NULL DEFAULT '[]', policy TEXT);
CREATE TABLE tool (
  id INTEGER PRIMARY KEY, server_id INTEGER NOT NULL REFERENCES server (id), slug TEXT NOT NULL, name TEXT NOT NULL,
  class INTEGER NOT NULL, risk INTEGER NOT NULL, brief TEXT NOT NULL, signals TEXT NOT NULL);
CREATE TABLE definition (tool_id INTEGER PRIMARY KEY REFERENCES tool (id), text TEXT NOT NULL, selector TEXT NOT NULL, entry TEXT NOT NULL, rules TEXT NOT NULL);
CREATE VIRTUAL TABLE found USING fts5 (name, words, facets, content='', tokenize='porter unicode61');
CREATE VIRTUAL TABLE found_server USING fts5 (name, content='', tokenize='porter unicode61');
`;

/** Made when all rows are in. */
export const INDEXES = `
CREATE INDEX tool_of_class ON tool (class, id);
CREATE INDEX tool_of_risk ON tool (risk, id);
CREATE INDEX server_by_size ON server (tools DESC, id);
`;

/** While tools come in, this says which ones a server has already. */
export const TOOL_KEY = "CREATE UNIQUE INDEX tool_of_server ON tool (server_id, slug)";

export interface ServerRow {
  readonly id: number;
  readonly slug: string;
  readonly name: string;
  readonly package: string | null;
  readonly version: string | null;
  readonly licence: string | null;
  readonly url: string | null;
  readonly scanned: string | null;
  readonly tools: number;
  readonly changing: number;
  /** Tools by class, in the order of classes. */
  readonly classes: string;
  readonly policy: string | null;
}

export interface ToolRow {
  readonly id: number;
  readonly server_id: number;
  readonly slug: string;
  readonly name: string;
  readonly class: number;
  readonly risk: number;
  readonly brief: string;
  /** `[[name, [argument, …]], …]`. */
  readonly signals: string;
}
