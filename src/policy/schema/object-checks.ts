/** The keywords for objects that look at members. A member's name is never looked up along a prototype. */
import { isJsonObject, type Json, type JsonObject } from "../../kernel/json.ts";
import type { SchemaNode, Site } from "./node.ts";
import { isFound, type Pattern } from "./pattern.ts";
import { type Check, fits, fitsBelow } from "./run.ts";
import { printCount, readCount } from "./text-checks.ts";

function buildSizes(site: Site, checks: Check[]): void {
  const max = readCount(site.read("maxProperties"));
  const min = readCount(site.read("minProperties")) ?? 0;
  if (max === undefined && min === 0) return;
  const tooFew = `has to have at least ${printCount(min, "member", "members")}`;
  const tooMany = max === undefined ? "" : `can have at most ${printCount(max, "member", "members")}`;
  checks.push((value, run) => {
    if (!isJsonObject(value)) return true;
    const count = Object.keys(value).length;
    run.spend(1 + Math.floor(count / 8));
    if (count < min) return run.fail(tooFew);
    return max === undefined || count <= max || run.fail(tooMany);
  });
}

function buildRequired(site: Site, checks: Check[]): void {
  const names = (site.read("required") ?? []) as readonly string[];
  if (names.length > 0) {
    checks.push((value, run) => {
      if (!isJsonObject(value)) return true;
      run.spend(1 + (names.length >> 2));
      for (const name of names) if (!Object.hasOwn(value, name)) return run.failAt(name, "is missing");
      return true;
    });
  }
  for (const keyword of ["dependentRequired", "dependencies"]) {
    const lists = Object.entries((site.read(keyword) ?? {}) as JsonObject).filter(([, list]) => Array.isArray(list));
    if (lists.length === 0) continue;
    checks.push((value, run) => {
      if (!isJsonObject(value)) return true;
      for (const [key, list] of lists as [string, readonly string[]][]) {
        run.spend(1);
        if (!Object.hasOwn(value, key)) continue;
        run.spend(list.length);
        for (const name of list) if (!Object.hasOwn(value, name)) return run.failAt(name, "is missing, as another argument asks for it");
      }
      return true;
    });
  }
}

function buildMembers(site: Site, checks: Check[]): void {
  const named = new Map<string, SchemaNode>();
  for (const key of Object.keys((site.read("properties") ?? {}) as JsonObject)) named.set(key, site.below("properties", key));
  const patterned: { pattern: Pattern; node: SchemaNode }[] = [];
  for (const key of Object.keys((site.read("patternProperties") ?? {}) as JsonObject)) {
    const node = site.below("patternProperties", key);
    const pattern = site.press(key, "patternProperties", key);
    if (pattern) patterned.push({ pattern, node });
  }
  const other = site.read("additionalProperties") === undefined ? undefined : site.below("additionalProperties");
  if (named.size === 0 && patterned.length === 0 && !other) return;
  checks.push((value, run, seen) => {
    if (!isJsonObject(value)) return true;
    for (const key of Object.keys(value)) {
      run.spend(1);
      const member = value[key] as Json;
      const node = named.get(key);
      let covered = node !== undefined;
      if (node && !fitsBelow(node, key, member, run)) return false;
      for (const row of patterned) {
        if (!isFound(row.pattern, key, run)) continue;
        covered = true;
        if (!fitsBelow(row.node, key, member, run)) return false;
      }
      if (covered) seen?.addKey(key);
      else if (other && !fitsBelow(other, key, member, run)) return false;
    }
    if (seen && other) seen.allKeys = true;
    return true;
  });
}

function buildNames(site: Site, checks: Check[]): void {
  if (site.read("propertyNames") === undefined) return;
  const node = site.below("propertyNames");
  checks.push((value, run) => {
    if (!isJsonObject(value)) return true;
    for (const key of Object.keys(value)) {
      run.quiet++;
      const good = fits(node, key, run, undefined);
      run.quiet--;
      if (!good) return run.failAt(key, "has a name that is not allowed");
    }
    return true;
  });
}

export function buildObjectChecks(site: Site, checks: Check[]): void {
  buildRequired(site, checks);
  buildSizes(site, checks);
  buildNames(site, checks);
  buildMembers(site, checks);
}
