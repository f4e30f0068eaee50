/**
 * Reads tool definitions as a server lists them, with `class` and `risk` beside the protocol's own fields. In a test file
 * an unknown field is a typo; in a server's list it is the server's business. A name that stands twice and a schema that
 * can't be used are quarantined, as on a server.
 */
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../../kernel/json.ts";
import { TOOL_CLASSES, TOOL_RISKS, type ToolFacts } from "../decision.ts";
import { type Inspector, readOptional } from "../inspector.ts";
import { compileInputSchema } from "../schema/input-schema.ts";

export const MAX_TEST_TOOLS = 50_000;
const MAX_NAME_CHARACTERS = 1024;

export const TOOL_KEYS: readonly string[] = [
  "name",
  "title",
  "description",
  "inputSchema",
  "outputSchema",
  "annotations",
  "icons",
  "execution",
  "_meta",
  "class",
  "risk",
];

export interface ReadToolsOptions {
  readonly strict: boolean;
  /** Says class and risk of a definition that gives none of its own. */
  readonly classify?: ClassifyListed | undefined;
}

export type ClassifyListed = (tool: { readonly value: Json }) => Pick<ToolFacts, "class" | "risk">;

/** Facts by name, from a list of definitions. */
export function readTools(
  inspector: Inspector,
  value: Json,
  pointer: string,
  options: ReadToolsOptions,
): ReadonlyMap<string, ToolFacts> | undefined {
  const list = inspector.readList(value, pointer, "`tools`", MAX_TEST_TOOLS);
  if (!list) return undefined;
  const tools = new Map<string, ToolFacts>();
  list.forEach((member, index) => {
    const at = `${pointer}/${index}`;
    const facts = readTool(inspector, member, at, options);
    if (!facts) return;
    const earlier = tools.get(facts.name);
    tools.set(facts.name, earlier === undefined ? facts : { ...earlier, quarantined: true });
  });
  return tools;
}

function readTool(inspector: Inspector, value: Json, pointer: string, { strict, classify }: ReadToolsOptions): ToolFacts | undefined {
  const tool = isJsonObject(value) && !strict ? value : inspector.readObject(value, pointer, "A tool", TOOL_KEYS, ["name"]);
  if (!tool) return undefined;
  const name = readOptional(tool, "name", pointer, (text, at) => inspector.readText(text, at, "`name`", MAX_NAME_CHARACTERS));
  const schema = readMember(tool, "inputSchema");
  const prepared = schema === undefined ? undefined : compileInputSchema(schema);
  if (name === undefined) return strict ? undefined : inspector.fault(`${pointer}/name`, "A tool needs a `name`.");
  const said = classify?.({ value: tool });
  return {
    name,
    class: readOptional(tool, "class", pointer, (word, at) => inspector.readChoice(word, at, TOOL_CLASSES)) ?? said?.class,
    risk: readOptional(tool, "risk", pointer, (word, at) => inspector.readChoice(word, at, TOOL_RISKS)) ?? said?.risk,
    annotations: readOptional(tool, "annotations", pointer, (member, at) => readAnnotations(inspector, member, at)),
    inputSchema: prepared && "schema" in prepared ? prepared.schema : undefined,
    ...(prepared && "unusable" in prepared ? { quarantined: true } : {}),
  };
}

function readAnnotations(inspector: Inspector, value: Json, pointer: string): JsonObject | undefined {
  return isJsonObject(value) ? value : inspector.fault(pointer, "`annotations` has to be an object.");
}

/** The list inside of what a server answered: the list itself, `{ tools }`, or a whole response. Gives its pointer too. */
export function findToolList(value: Json): { readonly list: Json; readonly pointer: string } {
  if (isJsonList(value) || !isJsonObject(value)) return { list: value, pointer: "" };
  const result = readMember(value, "result");
  const [holder, below] = isJsonObject(result) ? [result, "/result"] : [value, ""];
  const list = readMember(holder, "tools");
  return list === undefined ? { list: value, pointer: "" } : { list, pointer: `${below}/tools` };
}
