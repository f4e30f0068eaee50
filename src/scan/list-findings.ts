/** Everything that a scan found, one by one: each with its rule, level, place and a sentence for people. Pure. */
import { describeSignal } from "../catalog/signals.ts";
import { revealText } from "../kernel/reveal-text.ts";
import { describeFinding } from "../upstream/definition-findings.ts";
import type { NameFinding } from "./compare-names.ts";
import { judgeInstructions } from "./grade.ts";
import type { Combination, Finding, FindingRule, ServerReport, ToolReport } from "./report.ts";
import type { Way } from "./scan-targets.ts";

/** Of one tool, what is said of its texts. */
const MAX_NOTICED = 3;

export interface FindingQuestion {
  readonly servers: readonly ServerReport[];
  readonly ways: readonly Way[];
  readonly names: readonly { readonly group: string; readonly finding: NameFinding }[];
  readonly combinations: readonly Combination[];
}

const RANK = { critical: 0, high: 1, medium: 2, low: 3 } as const;

export function listFindings({ servers, ways, names, combinations }: FindingQuestion): Finding[] {
  const findings: Finding[] = [];
  servers.forEach((server, index) => {
    const tell = (rule: FindingRule, level: Finding["level"], message: string, tool?: string): void =>
      void findings.push({ rule, level, server: server.name, tool, message, at: server.at });
    if (server.state === "failed" || server.state === "waiting")
      tell("not-looked-at", "low", `\`${show(server.name)}\`: ${server.reason ?? "nobody has agreed to start or ask it"}.`);
    if (ways[index]?.isPlainHttp === true) tell("plain-http", "medium", `\`${show(server.name)}\` is reached without encryption.`);
    if (ways[index]?.hasNoCredential === true) tell("no-credential", "low", `\`${show(server.name)}\` answers without a credential.`);
    const instructed = judgeInstructions(server.noticed);
    if (instructed !== undefined) {
      const said = server.noticed.slice(0, MAX_NOTICED).map(describeFinding).join("; ");
      const isHidden = instructed === "hidden";
      tell(
        isHidden ? "hidden-text" : "addresses-model",
        isHidden ? "critical" : "high",
        `The instructions of \`${show(server.name)}\` ${isHidden ? "hold text that people do not see" : "turn the model against its user"}: ${said}.`,
      );
    }
    const twice = new Map<string, number>();
    for (const tool of server.tools) {
      listOfTool(tool, tell);
      twice.set(tool.name, (twice.get(tool.name) ?? 0) + 1);
    }
    for (const [name, times] of twice) if (times > 1) tell("listed-twice", "high", `\`${show(name)}\` is listed ${times} times.`, name);
    for (const { name, kind, effect } of server.drift?.tools ?? []) {
      const words =
        kind === "new"
          ? "is new since the last scan"
          : kind === "gone"
            ? "is no longer listed"
            : `has changed since the last scan: ${effect}`;
      tell("drift", kind === "gone" || effect === "rewords" || effect === "narrows" ? "low" : "high", `\`${show(name)}\` ${words}.`, name);
    }
  });
  for (const { group, finding } of names) {
    const { rule, level, tool, other, how } = finding;
    const at = servers.find((server) => server.group === group && server.name === tool.server)?.at;
    const [one, two] = [`\`${show(tool.name)}\` of \`${show(tool.server)}\``, `\`${show(other.name)}\` of \`${show(other.server)}\``];
    const message = rule === "names-other-tool" ? `${two} ${how}, though ${one} is another server's.` : `${one} and ${two}: ${how}.`;
    findings.push({
      rule,
      level,
      server: tool.server,
      tool: tool.name,
      message: rule === "names-other-tool" ? `The text of ${one} names ${two}.` : message,
      at,
    });
  }
  for (const { group, example, level } of combinations) {
    const { "private-data": secret, "untrusted-content": strange, "way-out": out } = example;
    const name = ({ server, tool, reason }: typeof secret): string => `\`${show(server)}\`'s \`${show(tool)}\` (${reason})`;
    const at = servers.find((server) => server.group === group && server.name === out.server)?.at;
    const message = `Private data, strangers' text and a way out together: ${name(secret)}, ${name(strange)}, ${name(out)}.`;
    findings.push({ rule: "dangerous-combination", level, server: out.server, tool: out.tool, message, at });
  }
  return findings.sort((a, b) => RANK[a.level] - RANK[b.level]);
}

type Tell = (rule: FindingRule, level: Finding["level"], message: string, tool?: string) => void;

function listOfTool(tool: ToolReport, tell: Tell): void {
  const { name, signals, noticed, unusable } = tool;
  const shown = show(name);
  const has = (signal: string): boolean => signals.some((each) => each.name === signal);
  const why = signals.map(describeSignal).join(", ");
  tell("tool-risk", tool.risk, `\`${shown}\` is ${tool.class}, of ${tool.risk} risk${why === "" ? "" : `: ${show(why)}`}.`, name);
  const said = noticed.slice(0, MAX_NOTICED).map(describeFinding).join("; ");
  if (has("hidden_text")) tell("hidden-text", "critical", `\`${shown}\` holds text that people do not see: ${said}.`, name);
  else if (has("addresses_model")) tell("addresses-model", "high", `\`${shown}\` speaks to the model: ${said}.`, name);
  if (has("annotation_conflict"))
    tell("annotation-conflict", "medium", `\`${shown}\` is annotated as something that its words are not.`, name);
  if (unusable !== undefined) tell("unusable-definition", "medium", `\`${shown}\` can't be used: ${show(unusable)}.`, name);
}

function show(text: string): string {
  return revealText(text);
}
