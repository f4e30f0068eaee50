/**
 * What is noticeable in the texts of a tool's definition, wherever they stand: name, title, descriptions, names and values
 * in its schemas. Each is told with its place. A finding is for people to look at; it keeps nothing from being used.
 */
import { isJsonList, isJsonObject, type Json } from "../kernel/json.ts";
import { revealText } from "../kernel/reveal-text.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { FINDING_WORDS, type FindingKind, listTextFindings, type TextFinding } from "../mcp/text-findings.ts";

/** Findings of one definition that are told. */
export const MAX_DEFINITION_FINDINGS = 64;
const EXCERPT_CHARACTERS = 80;

export interface DefinitionFinding extends TextFinding {
  /** JSON Pointer of the text, or of the member whose key it is. */
  readonly pointer: string;
  readonly of: "text" | "key";
  /** The span as people may see it. */
  readonly excerpt: string;
}

export function listDefinitionFindings(definition: Json): DefinitionFinding[] {
  const findings: DefinitionFinding[] = [];
  const look = (text: string, pointer: string, of: DefinitionFinding["of"]): void => {
    for (const found of listTextFindings(text)) {
      if (findings.length >= MAX_DEFINITION_FINDINGS) return;
      findings.push({
        ...found,
        pointer: revealText(pointer),
        of,
        excerpt: revealText(text.slice(found.start, found.end).slice(0, EXCERPT_CHARACTERS)),
      });
    }
  };
  const walk = (value: Json, pointer: string): void => {
    if (findings.length >= MAX_DEFINITION_FINDINGS) return;
    if (typeof value === "string") look(value, pointer, "text");
    else if (isJsonList(value)) value.forEach((member, index) => walk(member, `${pointer}/${index}`));
    else if (isJsonObject(value)) {
      for (const key of Object.keys(value)) {
        const below = `${pointer}/${escapePointer(key)}`;
        look(key, below, "key");
        walk(value[key] as Json, below);
      }
    }
  };
  walk(definition, "");
  return findings;
}

/** `/description asks to keep something from the user: "do not tell the user"`. */
export function describeFinding(finding: DefinitionFinding): string {
  const { kind, pointer, of, codePoints, count, excerpt } = finding;
  const place = `${of === "key" ? "the key at " : ""}${pointer === "" ? "/" : pointer}`;
  const what = codePoints.length > 0 ? `${codePoints.join(" ")}${count > 1 ? `, ${count} of them` : ""}` : JSON.stringify(excerpt);
  return `${place}: ${FINDING_WORDS[kind]}: ${what}`;
}

/** The kinds, each once, in the order of their table. */
export function listKinds(findings: readonly DefinitionFinding[]): FindingKind[] {
  const kinds = new Set(findings.map(({ kind }) => kind));
  return (Object.keys(FINDING_WORDS) as FindingKind[]).filter((kind) => kinds.has(kind));
}
