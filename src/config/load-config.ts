/**
 * A configuration file and what it names → one frozen `Config`, or every error at once, each with its pointer, file, line
 * and column. Reads files and the environment that it is given, and nothing else. Whatever is wrong, no message holds a
 * token, a header's value or what a variable held.
 */
import path from "node:path";
import { type Failure, fail, type Result, succeed } from "../kernel/failure.ts";
import { isJsonObject, type JsonObject } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { type PlaceInDocument, scanDocument } from "../policy/read-document.ts";
import { buildConfig } from "./build-config.ts";
import { checkLogin } from "./check-login.ts";
import { checkReferences, listBonds, listWrittenNames, memberObject } from "./check-references.ts";
import { checkServers } from "./check-servers.ts";
import { checkShape, type ShapeContext } from "./check-shape.ts";
import type { Config, ConfigSource } from "./config.ts";
import { CONFIG_SHAPE } from "./config-shape.ts";
import { type Environment, expandVariables } from "./expand-variables.ts";
import { hideText } from "./hide-text.ts";
import { loadPolicies } from "./load-policies.ts";
import { readSource } from "./read-source.ts";

export interface LoadOptions {
  readonly file: string;
  readonly env: Environment;
}

/** What a load gave and every file that it looked at, bad ones and missing ones too. */
export interface LoadedConfig {
  readonly result: Result<Config>;
  readonly sources: readonly ConfigSource[];
}

export async function loadConfig(options: LoadOptions): Promise<Result<Config>> {
  return (await loadConfigWithSources(options)).result;
}

export async function loadConfigWithSources(options: LoadOptions): Promise<LoadedConfig> {
  const file = path.resolve(options.file);
  const { text, digest } = await readSource(file, options.file);
  const sources: ConfigSource[] = [{ file, digest }];
  if (!text.ok) return { result: text, sources };
  const scanned = scanDocument(text.value, { file: options.file });
  const { place } = scanned;
  const failures: Failure[] = scanned.failures.map(hideText);
  if (scanned.value === undefined) return { result: fail(...failures), sources };

  const expanded = expandVariables(scanned.value, options.env);
  for (const { pointer, message, hint, variable } of expanded.faults) {
    failures.push({ code: variable === undefined ? "invalid_config" : "missing_variable", message, at: place(pointer), hint });
  }
  // What a fault of reading or a missing variable left behind is not judged a second time.
  const faulty = new Set([...scanned.failures.map(({ at }) => at?.pointer ?? ""), ...expanded.faults.map(({ pointer }) => pointer)]);
  const context = createContext(faulty, expanded.replaced, place, failures);
  const document = checkShape(expanded.value, CONFIG_SHAPE, "", context);
  if (!isJsonObject(document)) return { result: fail(...failures), sources };

  checkServers(document, context);
  const names = listWrittenNames(expanded.value);
  checkReferences(document, names, context);
  const policies = await loadPolicies({ document, shown: options.file, file, place, context });
  sources.push(...policies.sources);
  failures.push(...policies.failures);
  checkOwners(document, policies.asking, context);
  checkLogin(document, { written: expanded.value, names, asking: policies.asking }, context);
  if (failures.length > 0) return { result: fail(...sortFailures(failures, options.file)), sources };
  const config = buildConfig({ file, document, policies: policies.documents, replaced: expanded.replaced, sources });
  return { result: succeed(config), sources };
}

function createContext(
  faulty: ReadonlySet<string>,
  replaced: ReadonlyMap<string, unknown>,
  place: PlaceInDocument,
  failures: Failure[],
): ShapeContext {
  return {
    isExpanded: (pointer) => replaced.has(pointer),
    holdsExpanded: (pointer) => replaced.has(pointer) || [...replaced.keys()].some((each) => each.startsWith(`${pointer}/`)),
    report(pointer, message, hint, which) {
      if (faulty.has(pointer)) return;
      failures.push({ code: "invalid_config", message, at: place(pointer, which), ...(hint === undefined ? {} : { hint }) });
    },
  };
}

/** A grant under which a person may be asked has someone who answers for it, and who then can't be the one who agrees. */
function checkOwners(document: JsonObject, asking: ReadonlySet<string>, context: ShapeContext): void {
  for (const [label, grant] of Object.entries(memberObject(document, "grants"))) {
    if (isJsonObject(grant) && Object.hasOwn(grant, "owner")) continue;
    const asks = listBonds(grant).find((bond) => bond.policy !== undefined && asking.has(bond.policy));
    if (asks === undefined) continue;
    const message = "The key `owner` is missing: the grant's policy can ask a person, so the grant needs one who answers for it.";
    context.report(`/grants/${escapePointer(label)}/owner`, message, "Give the e-mail of the person who answers for the grant.");
  }
}

/** The configuration's own failures first, each file from its top to its end. */
function sortFailures(failures: readonly Failure[], own: string): Failure[] {
  const rank = (failure: Failure): number => (failure.at?.file === own ? 0 : 1);
  return [...failures].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.at?.file ?? "").localeCompare(b.at?.file ?? "", "en") ||
      (a.at?.line ?? 0) - (b.at?.line ?? 0) ||
      (a.at?.column ?? 0) - (b.at?.column ?? 0),
  );
}
