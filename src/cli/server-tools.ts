/**
 * `sallyport server tools` and `server classify`: the tools of a server as they are accepted, with class, risk and signals,
 * and a person's yes to a milder verdict of a newer classifier. The stored class is the one that policies select by; the
 * signals are read from the definition when they are asked for.
 */

import { classifyTool } from "../catalog/classify.ts";
import { classifyDefinition } from "../catalog/classify-definition.ts";
import { describeSignal } from "../catalog/signals.ts";
import { CLASSIFIER_VERSION, type Verdict } from "../catalog/verdict.ts";
import { FailureError } from "../kernel/failure.ts";
import { type JsonObject, toJson } from "../kernel/json.ts";
import { revealText } from "../kernel/reveal-text.ts";
import { parseDefinitionText } from "../upstream/definition.ts";
import { describeFinding } from "../upstream/definition-findings.ts";
import { listToolFindings } from "../upstream/diff-tools.ts";
import { listReclassifications, takeReclassifications } from "../upstream/reclassify.ts";
import { readStoredServer, type StoredTool } from "../upstream/tables.ts";
import type { ClassesByHand } from "../upstream/tool-index.ts";
import { findServer } from "./find-server.ts";
import { actorOf, type FolderFlags, printTable, readClassesByHand } from "./folder-flags.ts";
import type { OpenFolder } from "./ports.ts";
import { STATE_WORDS } from "./print-difference.ts";
import { type CommandContext, EXIT_NO } from "./run-cli.ts";

export interface ClassifyFlags extends FolderFlags {
  readonly all?: boolean;
}

export async function showTools({ ports }: CommandContext, folder: OpenFolder, name: string, flags: FolderFlags): Promise<void> {
  const server = await findServer(folder, name);
  const stored = await readStoredServer(folder.store.query, server.id);
  const classes = await readClassesByHand(ports.terminal.env, flags, server.name);
  if (flags.json) {
    ports.terminal.out(`${JSON.stringify(stored.tools.map((tool) => describeTool(tool, classes)))}\n`);
    return;
  }
  if (stored.tools.length === 0) {
    ports.terminal.err(`No tools of \`${server.name}\` have been seen yet: a running gateway looks at its servers when it starts.\n`);
    return;
  }
  const rows = stored.tools.map((tool) => [
    revealText(tool.name),
    classOf(tool, classes) ?? "-",
    tool.risk ?? "-",
    tool.accepted?.hash.slice(0, 12) ?? "-",
    STATE_WORDS[tool.state] + (tool.reason === "" ? "" : ` (${revealText(tool.reason)})`),
  ]);
  ports.terminal.out(printTable(["TOOL", "CLASS", "RISK", "HASH", "STATE"], rows));
  for (const tool of stored.tools) for (const line of describeNoticed(tool)) ports.terminal.out(`${revealText(tool.name)} ${line}\n`);
  const waiting = listReclassifications(stored.tools, classifyDefinition, CLASSIFIER_VERSION);
  for (const { name: tool, before, after } of waiting) {
    ports.terminal.out(
      `${revealText(tool)} would be ${after.class}, ${after.risk} and is held as ${before.class}, ${before.risk}: \`sallyport server classify ${server.name} ${revealText(tool)}\` takes it.\n`,
    );
  }
}

/** What the tool is to a policy: by hand, else as its accepted definition was classified. */
function classOf(tool: StoredTool, classes: ClassesByHand): string | undefined {
  return Object.hasOwn(classes, tool.name) ? `${classes[tool.name]} (by hand)` : tool.class;
}

function readVerdict(tool: StoredTool): Verdict | undefined {
  const seen = tool.pending ?? tool.accepted;
  return seen && classifyTool(parseDefinitionText(seen.text));
}

function describeNoticed(tool: StoredTool): string[] {
  const verdict = readVerdict(tool);
  const pending = tool.pending && verdict ? [`as it is listed now: ${verdict.class}, ${verdict.risk}`] : [];
  const signals = verdict?.signals.map(describeSignal) ?? [];
  return [
    ...pending,
    ...(signals.length > 0 ? [`signals: ${revealText(signals.join(" · "))}`] : []),
    ...listToolFindings(tool).map(describeFinding),
  ];
}

function describeTool(tool: StoredTool, classes: ClassesByHand): unknown {
  const verdict = readVerdict(tool);
  const byHand = Object.hasOwn(classes, tool.name) ? classes[tool.name] : undefined;
  return {
    name: tool.name,
    state: tool.state,
    reason: tool.reason === "" ? undefined : tool.reason,
    hash: tool.accepted?.hash,
    pendingHash: tool.pending?.hash,
    class: byHand ?? tool.class,
    classByHand: byHand === undefined ? undefined : true,
    risk: tool.risk,
    classifier: tool.classifierVersion,
    /** What the definition that is listed now says, by this version of the classifier. */
    verdict: verdict && {
      class: verdict.class,
      risk: verdict.risk,
      confidence: verdict.confidence,
      classifier: verdict.version,
      signals: verdict.signals.map((signal) => ({ ...signal, text: describeSignal(signal) })),
      features: verdict.features,
      action: verdict.action && { argument: verdict.action.field.name, choices: verdict.action.choices },
    },
    findings: tool.findings,
    noticed: listToolFindings(tool),
  };
}

export async function classifyTools(
  context: CommandContext,
  folder: OpenFolder,
  name: string,
  names: readonly string[],
  flags: ClassifyFlags,
): Promise<void> {
  const { terminal } = context.ports;
  if ((names.length === 0) === (flags.all !== true)) {
    throw new FailureError({
      code: "usage",
      message: "Name the tools, or say `--all`.",
      hint: "`sallyport server tools` tells what waits.",
    });
  }
  const server = await findServer(folder, name);
  const by = actorOf(context.ports);
  const taken = await folder.store.write(async (batch) => {
    const { tools } = await readStoredServer(batch, server.id);
    const waiting = listReclassifications(tools, classifyDefinition, CLASSIFIER_VERSION);
    const chosen = flags.all === true ? waiting : waiting.filter((change) => names.includes(change.name));
    await takeReclassifications(batch, server.id, tools, chosen, folder.clock.now());
    for (const { name: tool, before, after } of chosen) {
      const detail = toJson({ before, after }) as JsonObject;
      folder.audit.append(batch, { kind: "admin", server: server.name, actor: by, action: "tool.classified", object: tool, detail });
    }
    return chosen;
  });
  const missed = names.filter((one) => !taken.some((change) => change.name === one));
  if (flags.json)
    terminal.out(
      `${JSON.stringify({ classified: taken.map(({ name: tool, before, after }) => ({ name: tool, before, after })), missed })}\n`,
    );
  else {
    for (const { name: tool, before, after } of taken) {
      terminal.out(`${revealText(tool)}  ${before.class ?? "-"}, ${before.risk ?? "-"} → ${after.class}, ${after.risk}\n`);
    }
    for (const tool of missed) terminal.err(`nothing waits: ${revealText(tool)}\n`);
    if (taken.length + missed.length === 0) terminal.out("Nothing waits.\n");
  }
  if (missed.length > 0) context.exit(EXIT_NO);
}
