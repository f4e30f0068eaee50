/**
 * What an agent can do with all tools of one client together: read private data, take in what strangers wrote, and send
 * something out. Whoever writes the strangers' text can then lead the data away. Read from classes, signals and words;
 * each tool that counts says why. Pure.
 */
import { foldText, splitName } from "../catalog/fold-words.ts";
import type { SignalName } from "../catalog/signals.ts";
import type { Combination, Leg, LegTool, ServerReport, ToolReport } from "./report.ts";

const LEGS = ["private-data", "untrusted-content", "way-out"] as const satisfies readonly Leg[];

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/));
const PRIVATE =
  words(`email emails mail mails inbox message messages conversation conversations file files directory folder document documents doc docs
  note notes contact contacts calendar event events customer customers user users employee employees account accounts database table tables record
  records memory graph entity entities secret secrets credential credentials env environment clipboard screenshot history transaction transactions
  invoice invoices repository repo drive attachment attachments chat chats dm dms`);
const STRANGERS =
  words(`web url page pages website websites html browser internet fetch crawl scrape news feed feeds rss issue issues comment comments
  review reviews email emails mail mails inbox message messages ticket tickets tweet tweets post posts thread threads channel forum video transcript
  pull pr`);

interface LegEvidence {
  readonly reason: string;
  /** More is a better example. */
  readonly weight: number;
}

export function findCombinations(servers: readonly ServerReport[]): Combination[] {
  const combinations: Combination[] = [];
  for (const [group, members] of Map.groupBy(servers, (server) => server.group)) {
    const found: Record<Leg, (LegTool & { readonly weight: number })[]> = { "private-data": [], "untrusted-content": [], "way-out": [] };
    for (const { name, tools } of members) {
      for (const tool of tools) {
        for (const leg of LEGS) {
          const evidence = judgeLeg(leg, tool);
          if (evidence) found[leg].push({ server: name, tool: tool.name, ...evidence });
        }
      }
    }
    if (LEGS.some((leg) => found[leg].length === 0)) continue;
    const serversOf = (leg: Leg): Set<string> => new Set(found[leg].map(({ server }) => server));
    const [first, second, third] = LEGS.map(serversOf) as [Set<string>, Set<string>, Set<string>];
    const isOneServer = [...first].some((server) => second.has(server) && third.has(server));
    combinations.push({
      group,
      example: chooseExample(found),
      counts: {
        "private-data": found["private-data"].length,
        "untrusted-content": found["untrusted-content"].length,
        "way-out": found["way-out"].length,
      },
      isOneServer,
      level: LEGS.every((leg) => found[leg].some(({ weight }) => weight > 1)) ? "high" : "medium",
    });
  }
  return combinations;
}

/** The best evidence for each, and three different tools where there are three. */
function chooseExample(found: Readonly<Record<Leg, readonly (LegTool & { readonly weight: number })[]>>): Record<Leg, LegTool> {
  const taken = new Set<string>();
  const choose = (leg: Leg): LegTool => {
    const sorted = [...found[leg]].sort((a, b) => b.weight - a.weight);
    const chosen = (sorted.find((tool) => !taken.has(`${tool.server}\0${tool.tool}`)) ?? sorted[0]) as LegTool;
    taken.add(`${chosen.server}\0${chosen.tool}`);
    return { server: chosen.server, tool: chosen.tool, reason: chosen.reason };
  };
  // The rarest first, so that it is not left without a tool of its own.
  const chosen = Object.fromEntries([...LEGS].sort((a, b) => found[a].length - found[b].length).map((leg) => [leg, choose(leg)]));
  return {
    "private-data": chosen["private-data"],
    "untrusted-content": chosen["untrusted-content"],
    "way-out": chosen["way-out"],
  } as Record<Leg, LegTool>;
}

function judgeLeg(leg: Leg, tool: ToolReport): LegEvidence | undefined {
  const has = (name: SignalName): boolean => tool.signals.some((signal) => signal.name === name);
  if (leg === "way-out") {
    if (tool.class === "destructive") return undefined;
    if (tool.class !== "read" && has("external_send")) return { reason: "sends or publishes to others", weight: 4 };
    if (tool.class !== "read" && has("recipient_param")) return { reason: "lets its caller choose who receives something", weight: 3 };
    if (has("runs_commands")) return { reason: "runs commands, which can reach anything", weight: 3 };
    if (has("arbitrary_url")) return { reason: "sends a request to any address", weight: 2 };
    return undefined;
  }
  const nouns = listNouns(tool);
  if (leg === "private-data") {
    if (tool.class !== "read" && !has("runs_commands") && !has("freeform_code")) return undefined;
    if (has("filesystem_path") && !has("arbitrary_url")) return { reason: "reads files", weight: 4 };
    if (has("handles_secrets")) return { reason: "reads or handles credentials", weight: 3 };
    if (has("financial_data")) return { reason: "reads financial records", weight: 3 };
    if (has("runs_commands")) return { reason: "runs commands, which can read anything", weight: 2 };
    if (has("freeform_code")) return { reason: "runs queries or code over data", weight: 2 };
    const noun = nouns.find((word) => PRIVATE.has(word));
    return noun === undefined ? undefined : { reason: `reads data of people (\`${noun}\`)`, weight: 1 };
  }
  if (tool.class !== "read") return undefined;
  if (has("arbitrary_url")) return { reason: "reads any page it is given", weight: 4 };
  const noun = nouns.find((word) => STRANGERS.has(word));
  if (noun === undefined) return undefined;
  // A word of the name says more than one of the description.
  return { reason: `reads what others wrote (\`${noun}\`)`, weight: splitName(tool.name).some(({ text }) => text === noun) ? 2 : 1 };
}

/** Of the name, then those of the first words of the description. */
function listNouns({ name, description }: ToolReport): string[] {
  const first = foldText(description.slice(0, 160)).split(/[.\n]/)[0] ?? "";
  return [...splitName(name).map(({ text }) => text), ...(first.match(/[a-z]+/g) ?? [])];
}
