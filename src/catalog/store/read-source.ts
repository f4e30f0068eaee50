/**
 * What a catalogue is built from: files of tool lists, one server or several, and files with one tool or one server a line.
 * Read server by server, so that memory does not grow with the number of lines. A line that can't be read is an error with
 * its place; nothing is guessed.
 */
import { createReadStream } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { FailureError } from "../../kernel/failure.ts";
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember, toJson } from "../../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../kernel/strict-json.ts";

export const MAX_SOURCE_FILES = 100_000;
export const MAX_SOURCE_BYTES: number = 64 * 1024 * 1024;
export const MAX_LINE_CHARACTERS: number = 16 * 1024 * 1024;

export interface SourceServer {
  readonly name: string;
  readonly package?: string | undefined;
  readonly version?: string | undefined;
  readonly licence?: string | undefined;
  readonly url?: string | undefined;
  /** When it was asked for its tools, as it was written. */
  readonly scanned?: string | undefined;
}

export interface SourceTools {
  readonly server: SourceServer;
  readonly tools: readonly JsonObject[];
}

/** The files of paths, in a fixed order; a folder stands for the lists in it. */
export async function listSources(paths: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const given of paths) {
    const found = await stat(given).catch(() => undefined);
    if (!found) throw new FailureError({ code: "not_found", message: "There is no such file or folder.", at: { file: given } });
    if (!found.isDirectory()) files.push(given);
    else {
      const names = (await readdir(given, { recursive: true })).filter((name) => /\.jsonl?$/.test(name)).sort();
      files.push(...names.map((name) => path.join(given, name)));
    }
  }
  if (files.length > MAX_SOURCE_FILES) throw new FailureError({ code: "usage", message: `At most ${MAX_SOURCE_FILES} files are read.` });
  if (files.length === 0)
    throw new FailureError({ code: "not_found", message: "There is no list of tools: no file that ends in .json or .jsonl." });
  return files;
}

export async function* readSource(file: string): AsyncGenerator<SourceTools> {
  if (file.endsWith(".jsonl")) yield* readLines(file);
  else yield* readWhole(file);
}

async function* readLines(file: string): AsyncGenerator<SourceTools> {
  const stream = createReadStream(file, { encoding: "utf8", highWaterMark: 1024 * 1024 });
  let number = 0;
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      if (line.length > MAX_LINE_CHARACTERS) throw wrong("The line is too long to be read.", file, number);
      if (line.trim() === "") continue;
      const value = parse(line, file, number);
      const found = isJsonObject(value) ? (readServer(value) ?? readLoneTool(value, file)) : undefined;
      if (!found) throw wrong("A line has to be a tool with a `name`, or a server with its `tools`.", file, number);
      yield found;
    }
  } finally {
    stream.destroy();
  }
}

async function* readWhole(file: string): AsyncGenerator<SourceTools> {
  const { size } = await stat(file);
  if (size > MAX_SOURCE_BYTES) throw wrong("The file is too long to be read whole: write one tool or one server a line.", file);
  const value = parse(await readFile(file, "utf8"), file);
  const servers = isJsonObject(value) ? readMember(value, "servers") : undefined;
  const parts = isJsonList(servers) ? servers : [value];
  for (const part of parts) {
    const found = isJsonList(part) ? { server: { name: nameOf(file) }, tools: listTools(part) } : readServer(part, nameOf(file));
    if (!found) throw wrong("The file has to hold tools as a server lists them.", file);
    yield found;
  }
}

/** A server with its tools; a list as `tools/list` answers it is one of the file's name. */
function readServer(value: Json, otherwise?: string): SourceTools | undefined {
  if (!isJsonObject(value)) return undefined;
  const result = readMember(value, "result");
  const tools = readMember(isJsonObject(result) ? result : value, "tools");
  if (!isJsonList(tools)) return undefined;
  const said = readMember(value, "server");
  const holder = isJsonObject(said) ? said : value;
  const name = typeof said === "string" ? said : (readText(holder, "name") ?? otherwise);
  if (name === undefined || name === "") return undefined;
  const member = (key: string): string | undefined => readText(holder, key);
  const server = {
    name,
    package: member("package"),
    version: member("version"),
    licence: member("licence") ?? member("license"),
    url: member("url"),
    scanned: member("scanned"),
  };
  return { server, tools: listTools(tools) };
}

/** A tool that names its server beside itself; `tool` may stand for `name`. */
function readLoneTool(value: JsonObject, file: string): SourceTools | undefined {
  const { server, tool, ...rest } = value;
  const name = readText(value, "name") ?? (typeof tool === "string" ? tool : undefined);
  if (name === undefined) return undefined;
  const holder = typeof server === "string" && server !== "" ? server : nameOf(file);
  const licence = readText(value, "license") ?? readText(value, "licence");
  return { server: { name: holder, licence }, tools: [toJson({ ...rest, name }) as JsonObject] };
}

function listTools(list: readonly Json[]): JsonObject[] {
  return list.filter((tool) => isJsonObject(tool));
}

function readText(object: JsonObject, key: string): string | undefined {
  const text = readMember(object, key);
  return typeof text === "string" && text !== "" ? text : undefined;
}

function nameOf(file: string): string {
  return path.basename(file).replace(/\.jsonl?$/, "");
}

function parse(text: string, file: string, line?: number): Json {
  const read = parseStrictJson(text);
  if (isJsonFault(read)) throw wrong(`This is not JSON: ${read.message}.`, file, line);
  return read.value;
}

function wrong(message: string, file: string, line?: number): FailureError {
  return new FailureError({ code: "invalid_document", message, at: { file, ...(line === undefined ? {} : { line, column: 1 }) } });
}
