/** The keywords for lists. Lists of schemas in `items`, as older drafts have them, are `prefixItems` by another name. */
import { printCanonicalJson } from "../../kernel/canonical-json.ts";
import { isJsonList, type Json } from "../../kernel/json.ts";
import type { SchemaNode, Site } from "./node.ts";
import { type Check, fits, fitsBelow, type Run } from "./run.ts";
import { printCount, readCount } from "./text-checks.ts";

function hasUniqueItems(list: readonly Json[], run: Run): boolean {
  const known = new Set<string>();
  for (const item of list) {
    run.spendOnWhole(item);
    known.add(printCanonicalJson(item));
  }
  return known.size === list.length;
}

function buildItems(site: Site, checks: Check[]): void {
  const items = site.read("items");
  const byPlace = site.read("prefixItems") === undefined && isJsonList(items) ? "items" : "prefixItems";
  const listed = site.read(byPlace);
  const prefix: SchemaNode[] = isJsonList(listed) ? listed.map((_, index) => site.below(byPlace, index)) : [];
  let rest: SchemaNode | undefined;
  if (isJsonList(items)) rest = site.read("additionalItems") === undefined ? undefined : site.below("additionalItems");
  else if (items !== undefined) rest = site.below("items");
  if (prefix.length === 0 && !rest) return;
  checks.push((value, run, seen) => {
    if (!isJsonList(value)) return true;
    const end = rest ? value.length : Math.min(prefix.length, value.length);
    for (let index = 0; index < end; index++) {
      const node = (index < prefix.length ? prefix[index] : rest) as SchemaNode;
      if (!fitsBelow(node, index, value[index] as Json, run)) return false;
    }
    if (seen && rest) seen.allItems = true;
    else if (seen) seen.items = Math.max(seen.items, prefix.length);
    return true;
  });
}

function buildContains(site: Site, checks: Check[]): void {
  if (site.read("contains") === undefined) return;
  const node = site.below("contains");
  const min = readCount(site.read("minContains")) ?? 1;
  const max = readCount(site.read("maxContains")) ?? Number.POSITIVE_INFINITY;
  const evaluates = site.dialect.containsEvaluates;
  const tooFew = `has to hold at least ${printCount(min, "item", "items")} of the kind that its schema names`;
  const tooMany = `can hold at most ${printCount(max, "item", "items")} of the kind that its schema names`;
  checks.push((value, run, seen) => {
    if (!isJsonList(value)) return true;
    const noted = evaluates ? seen : undefined;
    const enough = max === Number.POSITIVE_INFINITY && !noted ? min : Number.POSITIVE_INFINITY;
    let count = 0;
    run.quiet++;
    for (let index = 0; index < value.length && count < enough; index++) {
      if (!fits(node, value[index] as Json, run, undefined)) continue;
      count++;
      noted?.addItem(index);
    }
    run.quiet--;
    if (count < min) return run.fail(tooFew);
    return count <= max || run.fail(tooMany);
  });
}

export function buildListChecks(site: Site, checks: Check[]): void {
  const max = readCount(site.read("maxItems"));
  if (max !== undefined) {
    const wanted = `can hold at most ${printCount(max, "item", "items")}`;
    checks.push((value, run) => !isJsonList(value) || value.length <= max || run.fail(wanted));
  }
  const min = readCount(site.read("minItems"));
  if (min !== undefined && min > 0) {
    const wanted = `has to hold at least ${printCount(min, "item", "items")}`;
    checks.push((value, run) => !isJsonList(value) || value.length >= min || run.fail(wanted));
  }
  if (site.read("uniqueItems") === true) {
    checks.push(
      (value, run) => !isJsonList(value) || value.length < 2 || hasUniqueItems(value, run) || run.fail("can't hold the same item twice"),
    );
  }
  buildItems(site, checks);
  buildContains(site, checks);
}
