/**
 * The keywords that apply other schemas to the same value, references among them, and the `unevaluated…` keywords,
 * which look at what all the others have left.
 */
import { isJsonList, isJsonObject, type Json, type JsonObject } from "../../kernel/json.ts";
import type { SchemaNode, Site } from "./node.ts";
import { type Check, type Fault, fits, fitsBelow, type Run, Seen } from "./run.ts";
import { joinOr } from "./value-checks.ts";

function besideEach(site: Site, keyword: string): SchemaNode[] {
  return ((site.read(keyword) ?? []) as readonly Json[]).map((_, index) => site.beside(keyword, index));
}

/** Of the faults of all branches, the one that tells most: that of the only branch whose type was right. */
function failBranches(faults: readonly Fault[], run: Run): false {
  const isOfType = (fault: Fault): boolean => fault.types !== undefined && fault.path.length === run.at;
  const telling = faults.filter((fault) => !isOfType(fault));
  const [only] = telling;
  if (telling.length === 1 && only) {
    if (run.quiet === 0) run.fault = only;
    return false;
  }
  const types = [...new Set(faults.flatMap((fault) => fault.types ?? []))];
  if (telling.length === 0 && types.length > 0) return run.fail(`has to be ${joinOr(types)}`, types);
  return run.fail("fits none of the forms that its schema allows");
}

function createAnyOf(nodes: readonly SchemaNode[]): Check {
  return (value, run, seen) => {
    const faults: Fault[] = [];
    let good = false;
    for (const node of nodes) {
      const own = seen && new Seen();
      run.fault = undefined;
      if (fits(node, value, run, own)) {
        if (!seen || !own) return true;
        seen.join(own, run);
        good = true;
      } else if (run.fault !== undefined) faults.push(run.fault);
    }
    return good || failBranches(faults, run);
  };
}

function createOneOf(nodes: readonly SchemaNode[]): Check {
  return (value, run, seen) => {
    const faults: Fault[] = [];
    let chosen: Seen | undefined;
    let count = 0;
    for (const node of nodes) {
      const own = seen && new Seen();
      run.fault = undefined;
      if (fits(node, value, run, own)) {
        if (++count > 1) return run.fail("fits more than one of the forms of which its schema allows exactly one");
        chosen = own;
      } else if (run.fault !== undefined) faults.push(run.fault);
    }
    if (count === 0) return failBranches(faults, run);
    if (seen && chosen) seen.join(chosen, run);
    return true;
  };
}

function fitsQuietly(node: SchemaNode, value: Json, run: Run, seen: Seen | undefined): boolean {
  run.quiet++;
  const good = fits(node, value, run, seen);
  run.quiet--;
  return good;
}

function buildCondition(site: Site, checks: Check[]): void {
  if (site.read("if") === undefined) return;
  const condition = site.beside("if");
  const yes = site.read("then") === undefined ? undefined : site.beside("then");
  const no = site.read("else") === undefined ? undefined : site.beside("else");
  checks.push((value, run, seen) => {
    if (!yes && !no && !seen) return true;
    const own = seen && new Seen();
    const holds = fitsQuietly(condition, value, run, own);
    if (holds && seen && own) seen.join(own, run);
    const next = holds ? yes : no;
    return !next || fits(next, value, run, seen);
  });
}

function buildDependent(site: Site, keyword: string, checks: Check[]): void {
  const members = (site.read(keyword) ?? {}) as JsonObject;
  const rows = Object.keys(members)
    .filter((key) => !isJsonList(members[key]))
    .map((key) => [key, site.beside(keyword, key)] as const);
  if (rows.length === 0) return;
  checks.push((value, run, seen) => {
    if (!isJsonObject(value)) return true;
    for (const [key, node] of rows) {
      run.spend(1);
      if (Object.hasOwn(value, key) && !fits(node, value, run, seen)) return false;
    }
    return true;
  });
}

function buildDynamic(site: Site, keyword: string, checks: Check[]): void {
  const first = site.follow(keyword);
  if (!first) return;
  const targets = site.followDynamic(keyword);
  checks.push((value, run, seen) => {
    let target = first;
    const scopes = targets ? (run.scopes ?? []) : [];
    for (const scope of scopes) {
      run.spend(1);
      const found = targets?.get(scope);
      if (!found) continue;
      target = found;
      break;
    }
    return fits(target, value, run, seen);
  });
}

/** A reference alone: all there is of a schema with `$ref` up to draft-07. */
export function buildReference(site: Site, checks: Check[]): void {
  if (site.read("$ref") === undefined) return;
  const node = site.follow("$ref");
  if (node) checks.push((value, run, seen) => fits(node, value, run, seen));
}

export function buildBranchChecks(site: Site, checks: Check[]): void {
  buildReference(site, checks);
  for (const keyword of ["$dynamicRef", "$recursiveRef"]) if (site.read(keyword) !== undefined) buildDynamic(site, keyword, checks);
  for (const node of besideEach(site, "allOf")) checks.push((value, run, seen) => fits(node, value, run, seen));
  const any = besideEach(site, "anyOf");
  if (any.length > 0) checks.push(createAnyOf(any));
  const one = besideEach(site, "oneOf");
  if (one.length > 0) checks.push(createOneOf(one));
  if (site.read("not") !== undefined) {
    const node = site.beside("not");
    checks.push((value, run) => !fitsQuietly(node, value, run, undefined) || run.fail("has a form that its schema rules out"));
  }
  buildCondition(site, checks);
  buildDependent(site, "dependentSchemas", checks);
  buildDependent(site, "dependencies", checks);
}

/** To be built after all others. Gives whether the schema has such a keyword. */
export function buildUnevaluatedChecks(site: Site, checks: Check[]): boolean {
  const items = site.read("unevaluatedItems") === undefined ? undefined : site.below("unevaluatedItems");
  const members = site.read("unevaluatedProperties") === undefined ? undefined : site.below("unevaluatedProperties");
  if (items) {
    checks.push((value, run, seen) => {
      if (!isJsonList(value) || !seen) return true;
      for (let index = seen.items; index < value.length; index++) {
        run.spend(1);
        if (!seen.hasItem(index) && !fitsBelow(items, index, value[index] as Json, run)) return false;
      }
      seen.allItems = true;
      return true;
    });
  }
  if (members) {
    checks.push((value, run, seen) => {
      if (!isJsonObject(value) || !seen) return true;
      for (const key of Object.keys(value)) {
        run.spend(1);
        if (!seen.hasKey(key) && !fitsBelow(members, key, value[key] as Json, run)) return false;
      }
      seen.allKeys = true;
      return true;
    });
  }
  return items !== undefined || members !== undefined;
}
