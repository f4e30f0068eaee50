/**
 * How the parts of a configuration refer to each other: servers and policies that are not there or don't belong
 * together, tokens used twice. Works on parts that fit their shape, beside whatever else is wrong. A name that is told
 * looks like one; what came from a variable or looks otherwise is not shown.
 */
import { isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import type { ShapeContext } from "./check-shape.ts";
import { NAME_PATTERN } from "./text-checks.ts";

const NAME = new RegExp(NAME_PATTERN);

/** What is at a pointer of the document as written: an entry with errors of its own is there all the same. */
export interface WrittenNames {
  readonly servers: ReadonlySet<string>;
  readonly policies: ReadonlySet<string>;
  readonly grants: ReadonlySet<string>;
}

export function listWrittenNames(written: Json): WrittenNames {
  const keysOf = (key: string): ReadonlySet<string> => new Set(Object.keys(memberObject(written, key)));
  return { servers: keysOf("servers"), policies: keysOf("policies"), grants: keysOf("grants") };
}

export function checkReferences(config: JsonObject, written: WrittenNames, context: ShapeContext): void {
  const policies = memberObject(config, "policies");
  for (const [name, policy] of Object.entries(policies)) {
    const server = textOf(policy, "server");
    if (server !== undefined) checkServer(server, `/policies/${escapePointer(name)}/server`, written, context);
  }
  const tokens = new Map<string, string>();
  for (const [label, grant] of Object.entries(memberObject(config, "grants"))) {
    const pointer = `/grants/${escapePointer(label)}`;
    checkBonds(grant, pointer, policies, written, context);
    const token = textOf(grant, "token");
    if (token === undefined) continue;
    const earlier = tokens.get(token);
    if (earlier === undefined) tokens.set(token, label);
    else context.report(`${pointer}/token`, `This token is also that of the grant \`${earlier}\`; each grant has its own.`);
  }
}

/** That each server of a grant, or of a row of `login`, is there, and that its policy is for it. */
export function checkBonds(
  holder: Json | undefined,
  pointer: string,
  policies: JsonObject,
  written: WrittenNames,
  context: ShapeContext,
): void {
  for (const bond of listBonds(holder)) {
    const known = checkServer(bond.server, pointer + bond.serverPointer, written, context);
    if (bond.policy === undefined) continue;
    const policyPointer = pointer + bond.policyPointer;
    if (!written.policies.has(bond.policy)) {
      context.report(policyPointer, `There is no policy ${quoteName(bond.policy, policyPointer, context)}.`);
      continue;
    }
    const of = textOf(policies[bond.policy], "server");
    if (known && of !== undefined && of !== bond.server && written.servers.has(of)) {
      const shown = quoteName(bond.policy, policyPointer, context);
      context.report(policyPointer, `The policy ${shown} is for the server \`${of}\`, not for this one.`);
    }
  }
}

/** One server of a grant with its policy, and where in the grant each is written. */
export interface Bond {
  readonly server: string;
  readonly policy: string | undefined;
  readonly serverPointer: string;
  readonly policyPointer: string;
}

export function listBonds(grant: Json | undefined): Bond[] {
  if (!isJsonObject(grant)) return [];
  const server = textOf(grant, "server");
  if (server !== undefined) {
    return [{ server, policy: textOf(grant, "policy"), serverPointer: "/server", policyPointer: "/policy" }];
  }
  return Object.entries(memberObject(grant, "servers")).map(([name, policy]) => {
    const pointer = `/servers/${escapePointer(name)}`;
    return { server: name, policy: typeof policy === "string" ? policy : undefined, serverPointer: pointer, policyPointer: pointer };
  });
}

function checkServer(server: string, pointer: string, written: WrittenNames, context: ShapeContext): boolean {
  if (written.servers.has(server)) return true;
  context.report(pointer, `There is no server ${quoteName(server, pointer, context)}.`);
  return false;
}

export function quoteName(name: string, pointer: string, context: ShapeContext): string {
  return NAME.test(name) && !context.isExpanded(pointer) ? `\`${name}\`` : "of that name";
}

export function memberObject(value: Json | undefined, key: string): JsonObject {
  const member = isJsonObject(value) ? readMember(value, key) : undefined;
  return isJsonObject(member) ? member : {};
}

export function textOf(value: Json | undefined, key: string): string | undefined {
  const member = isJsonObject(value) ? readMember(value, key) : undefined;
  return typeof member === "string" ? member : undefined;
}
