/**
 * Cursors of lists that several servers make up: sealed, so that a client learns nothing of a server's own and can make
 * none; bound to the grant and the method; good for as long as the grant's servers and their policies stay what they are.
 */
import { hash } from "node:crypto";
import { isJsonList } from "../../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../kernel/strict-json.ts";
import type { SealPlace } from "../../vault/seal.ts";
import type { Desk } from "../desk.ts";
import type { Everybody } from "./asking.ts";

export const MAX_SEALED_CURSOR_CHARACTERS = 160_000;

/** Where a list goes on: at that server, with its own cursor, after so many items of that page. */
export interface Position {
  readonly server: string;
  readonly cursor: string | undefined;
  readonly skip: number;
}

function placeOf(who: Everybody, method: string): SealPlace {
  return { table: "cursor", column: method, row: who.grant.id };
}

/** A digest of which servers the grant has, and which revision of a policy decides on each. */
export async function describeView(desk: Desk, who: Everybody): Promise<string> {
  const parts: (readonly [string, string])[] = [];
  for (const { name } of who.endpoints) {
    const policy = who.grant.servers.get(name);
    const active = policy === undefined ? undefined : await desk.access.findPolicy(policy);
    parts.push([name, active?.revision ?? ""]);
  }
  return hash("sha256", JSON.stringify(parts), "base64url");
}

export function sealPosition(desk: Desk, who: Everybody, method: string, view: string, position: Position): string {
  const { server, cursor, skip } = position;
  return desk.cursors.seal(JSON.stringify([view, server, cursor ?? null, skip]), placeOf(who, method));
}

/** Undefined: not one of ours, another grant's or list's, changed, or from before a change of policy. */
export function openPosition(desk: Desk, who: Everybody, method: string, view: string, text: string): Position | undefined {
  if (text.length > MAX_SEALED_CURSOR_CHARACTERS) return undefined;
  const opened = desk.cursors.open(text, placeOf(who, method));
  const parsed = opened.ok ? parseStrictJson(opened.value) : undefined;
  if (!parsed || isJsonFault(parsed) || !isJsonList(parsed.value)) return undefined;
  const [seen, server, cursor, skip] = parsed.value;
  if (seen !== view || typeof server !== "string" || typeof skip !== "number") return undefined;
  return { server, cursor: typeof cursor === "string" ? cursor : undefined, skip };
}
