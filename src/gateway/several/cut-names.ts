/**
 * The tables that turn cut names back: of tools from the accepted snapshot, of prompts from what their server lists. They
 * hold names alone; whether a grant may use one is asked of its policy afterwards.
 */
import { BoundedMap } from "../../kernel/bounded-map.ts";
import { type CutNames, indexCutNames } from "../../mcp/several-names.ts";
import type { ToolIndex } from "../../upstream/tool-index.ts";
import type { Endpoint } from "../desk.ts";

/** Cut names of prompts that are remembered; one that was forgotten is looked up in its server's list again. */
export const MAX_CUT_PROMPTS = 20_000;

const NONE: CutNames = new Map();
const tables = new WeakMap<ToolIndex, CutNames>();

/** Of one server's tools; made once for each snapshot. */
export function cutToolNames({ name, tools }: Pick<Endpoint, "name" | "tools">): CutNames {
  const index = tools.current();
  if (!index) return NONE;
  let table = tables.get(index);
  if (!table) {
    table = indexCutNames(name, index.tools.keys());
    tables.set(index, table);
  }
  return table;
}

/** Of the prompts that a grant was last listed, apart from what other grants were. */
export class PromptNames {
  readonly #known = new BoundedMap<string, { readonly name: string | null }>(MAX_CUT_PROMPTS);

  learn(grantId: string, cut: CutNames): void {
    for (const [shown, name] of cut) this.#known.set(`${grantId} ${shown}`, { name });
  }

  /** Undefined: not known, its server's list may tell. */
  find(grantId: string, shown: string): { readonly name: string | null } | undefined {
    return this.#known.get(`${grantId} ${shown}`);
  }
}
