/**
 * Reads `${NAME}` and `${NAME:-default}` in the texts of a document from the environment that it is given. As in a
 * shell, the default also stands in for an empty variable. `$${` is a literal `${`. Keys are left alone, what a
 * variable holds is never expanded again, and no value ever enters a message.
 */
import { createJsonObject, isJsonList, isJsonObject, type Json } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface VariableFault {
  readonly pointer: string;
  readonly message: string;
  readonly hint: string;
  /** Set where a variable is missing, as opposed to a reference that can't be read. */
  readonly variable?: string;
}

export interface Expanded {
  readonly value: Json;
  /** Pointers of the texts in which something was replaced, with what came from the environment. */
  readonly replaced: ReadonlyMap<string, readonly string[]>;
  readonly faults: readonly VariableFault[];
}

const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|\$\{/g;
/** What a variable's name looks like; anything else after `${` is not shown, as it may be half of a secret. */
const ESCAPE_HINT = "Write `${NAME}` or `${NAME:-default}`; a literal `${` is written `$${`.";

export function expandVariables(document: Json, env: Environment): Expanded {
  const replaced = new Map<string, readonly string[]>();
  const faults: VariableFault[] = [];
  const expand = (value: Json, pointer: string): Json => {
    if (typeof value === "string") return value.includes("${") ? expandText(value, pointer) : value;
    if (isJsonList(value)) return value.map((item, index) => expand(item, `${pointer}/${index}`));
    if (!isJsonObject(value)) return value;
    const object = createJsonObject();
    for (const key of Object.keys(value)) object[key] = expand(value[key] as Json, `${pointer}/${escapePointer(key)}`);
    return object;
  };
  const expandText = (text: string, pointer: string): string => {
    const found: string[] = [];
    const result = text.replace(REFERENCE, (whole, name: string | undefined, fallback: string | undefined) => {
      if (whole === "$${") return "${";
      if (name === undefined) {
        faults.push({ pointer, message: "A `${` here begins no reference to a variable.", hint: ESCAPE_HINT });
        return "";
      }
      const held = Object.hasOwn(env, name) ? env[name] : undefined;
      if (held !== undefined && (held !== "" || fallback === undefined)) {
        found.push(held);
        return held;
      }
      if (fallback !== undefined) return fallback;
      const hint = `Set it, or give a default: \`\${${name}:-…}\`.`;
      faults.push({ pointer, message: `The environment variable \`${name}\` is not set.`, hint, variable: name });
      return "";
    });
    replaced.set(pointer, found);
    return result;
  };
  return { value: expand(document, ""), replaced, faults };
}
