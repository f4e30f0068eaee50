/**
 * Looks at servers side by side, a few at a time, and puts what was seen together into one report. A server that fails is
 * told and holds up no other; one that somebody has to agree to first is told as waiting.
 */
import { joinSuggestions, suggestForTool } from "../catalog/suggest-policy.ts";
import { parseIp, specialRangeOf } from "../kernel/ip.ts";
import { isJsonObject, toJson } from "../kernel/json.ts";
import type { ToolDefinition } from "../upstream/definition.ts";
import { listDefinitionFindings } from "../upstream/definition-findings.ts";
import { type Baseline, compareWithBaseline } from "./baseline.ts";
import { compareNames } from "./compare-names.ts";
import { findCombinations } from "./find-combinations.ts";
import { gradeServer } from "./grade.ts";
import { listFindings } from "./list-findings.ts";
import { type Listed, type ListOptions, listTarget } from "./list-target.ts";
import { lookAtTool } from "./look-at-tool.ts";
import type { ScanReport, ServerDrift, ServerReport, ToolReport } from "./report.ts";
import { needsYes, type Target } from "./target.ts";

/** Servers that are asked at one time. */
export const SIDE_BY_SIDE = 4;
export const MAX_TARGETS = 500;

export interface ScanOptions extends ListOptions {
  /** Whether somebody agreed that commands of configurations are started. */
  readonly hasYes: boolean;
  readonly baseline?: Baseline | undefined;
  /** Called as servers are done. */
  readonly onProgress?: ((done: number, all: number, name: string) => void) | undefined;
}

interface Looked {
  readonly target: Target;
  readonly listed: Listed | undefined;
  readonly tools: readonly ToolReport[];
  readonly definitions: readonly ToolDefinition[];
  readonly drift: ServerDrift | undefined;
}

export async function scanTargets(targets: readonly Target[], options: ScanOptions): Promise<ScanReport> {
  const looked: Looked[] = [];
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < targets.length; at = next++) {
      const target = targets[at] as Target;
      looked[at] = await lookAt(target, options);
      options.onProgress?.(++done, targets.length, target.name);
    }
  };
  await Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, targets.length) }, work));
  return judge(looked, options.nowMs);
}

async function lookAt(target: Target, options: ScanOptions): Promise<Looked> {
  const none = { target, tools: [], definitions: [], drift: undefined };
  if (options.signal?.aborted === true) return { ...none, listed: { kind: "failed", needsLogin: false, reason: "the scan was stopped" } };
  if (needsYes(target) && !options.hasYes) return { ...none, listed: undefined };
  const listed = await listTarget(target, options);
  if (listed.kind === "failed") return { ...none, listed };
  const snapshot = await options.baseline?.find(target);
  await options.baseline?.keep(target, listed.tools, options.nowMs);
  const drift = snapshot && compareWithBaseline(snapshot, listed.tools);
  return { target, listed, tools: listed.tools.map(lookAtTool), definitions: listed.tools, drift };
}

function judge(looked: readonly Looked[], atMs: number): ScanReport {
  const servers = looked.map(describeServer);
  const combinations = findCombinations(servers);
  const byGroup = Map.groupBy(servers, ({ group }) => group);
  const names = [...byGroup].flatMap(([, members]) =>
    compareNames(
      members.flatMap(({ name, tools }) => tools.map((tool) => ({ server: name, name: tool.name, description: tool.description }))),
    ).map((finding) => ({ group: members[0]?.group ?? "", finding })),
  );
  const graded = servers.map((server, at): ServerReport => {
    const { target, listed } = looked[at] as Looked;
    if (listed?.kind !== "listed") return server;
    const { tools, tokens, drift, name, group, noticed } = server;
    const confused = names.filter(
      ({ group: of, finding }) =>
        of === group && (finding.tool.server === name || (finding.other.server === name && finding.rule !== "names-other-tool")),
    ).length;
    const hasCombination = findCombinations([server]).length > 0;
    return {
      ...server,
      grade: gradeServer({ tools, instructions: noticed, tokens, drift, confused, hasCombination, ...judgeWay(target) }),
    };
  });
  const ways = looked.map(({ target, listed }) =>
    listed?.kind === "listed" ? judgeWay(target) : { isPlainHttp: false, hasNoCredential: false },
  );
  const findings = listFindings({ servers: graded, ways, names, combinations });
  return { atMs, servers: graded, findings, combinations };
}

function describeServer({ target, listed, tools, definitions, drift }: Looked): ServerReport {
  const suggestions = definitions.flatMap(({ value }) => (isJsonObject(value) ? [suggestForTool(value)] : []));
  const isListed = listed?.kind === "listed";
  return {
    name: target.name,
    shown: target.shown,
    group: target.group,
    at: target.at,
    kind: target.kind,
    state: isListed ? "listed" : target.kind === "none" && target.isDisabled ? "disabled" : listed === undefined ? "waiting" : "failed",
    reason: listed?.kind === "failed" ? listed.reason : undefined,
    needsLogin: listed?.kind === "failed" && listed.needsLogin,
    revision: isListed ? listed.revision : undefined,
    serverName: isListed ? listed.serverName : undefined,
    tools,
    tokens: tools.reduce((sum, tool) => sum + tool.tokens, 0),
    drift,
    grade: undefined,
    noticed: isListed && listed.instructions !== undefined ? listDefinitionFindings(toJson({ instructions: listed.instructions })) : [],
    suggestedPolicy: isListed ? joinSuggestions(suggestions) : undefined,
    rulesToFillIn: suggestions.reduce((sum, { isHidden, rules }) => sum + (isHidden ? 0 : rules.length), 0),
  };
}

export interface Way {
  readonly isPlainHttp: boolean;
  readonly hasNoCredential: boolean;
}

/** What the way to a server says: of one on this machine or in its network, nothing. */
function judgeWay(target: Target): Way {
  if (target.kind !== "url") return { isPlainHttp: false, hasNoCredential: false };
  const { hostname, protocol, search, username } = new URL(target.url);
  const ip = parseIp(hostname.replace(/^\[|\]$/g, ""));
  const isNear =
    ip === undefined ? /^(?:.+\.)?localhost\.?$|\.(?:local|internal|lan)\.?$|^[^.]+$/i.test(hostname) : specialRangeOf(ip) !== undefined;
  if (isNear) return { isPlainHttp: false, hasNoCredential: false };
  return {
    isPlainHttp: protocol === "http:",
    hasNoCredential: Object.keys(target.headers).length === 0 && search === "" && username === "",
  };
}
