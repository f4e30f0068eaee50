/**
 * What a look at a server's tools changed, told to people and put on record: how many, which, how far they changed and what
 * is noticeable in them. Names and words of our own alone; never a text of the server's.
 */
import type { DataFolder } from "./data-folder.ts";
import { type JsonObject, toJson } from "./kernel/json.ts";
import { revealText } from "./kernel/reveal-text.ts";
import type { Log } from "./observe/log.ts";
import { listKinds } from "./upstream/definition-findings.ts";
import { diffTools, listToolFindings } from "./upstream/diff-tools.ts";
import type { Observation } from "./upstream/observe-list.ts";
import { readStoredServer, type StoredTool } from "./upstream/tables.ts";

/** Tools that one line or one entry names; the rest are counted. */
export const MAX_NAMED_TOOLS = 20;

interface Teller {
  readonly folder: Pick<DataFolder, "store" | "audit">;
  readonly log: Log;
  readonly server: string;
  readonly serverId: string;
}

export async function tellDrift(teller: Teller, observation: Observation): Promise<void> {
  const { folder, log, server, serverId } = teller;
  const { tools } = await readStoredServer(folder.store.query, serverId);
  const touched = new Set([...observation.accepted, ...observation.changed, ...observation.added]);
  const noticed = listNoticed(tools.filter((tool) => touched.has(tool.name)));
  const { isFirst, accepted, changed, added, missing, duplicate, unusable } = observation;
  const event = isFirst ? "tools.accepted" : "tools.drifted";
  if (isFirst) log.info(event, `The first list of \`${server}\` is accepted: ${accepted.length} tools.`, { server });
  else {
    const words = `The tools of \`${server}\` changed: ${changed.length} changed and ${added.length} new ones are quarantined, ${missing.length} are gone. See \`sallyport server diff ${server}\`.`;
    log.warn(event, words, { server });
  }
  if (noticed.length > 0) {
    const named = noticed.slice(0, MAX_NAMED_TOOLS).map(({ tool, kinds }) => `${revealText(tool)} (${kinds.join(", ")})`);
    const more = noticed.length > MAX_NAMED_TOOLS ? ` and ${noticed.length - MAX_NAMED_TOOLS} more` : "";
    log.warn("tools.noticed", `Something is noticeable in ${noticed.length} tools of \`${server}\`: ${named.join(", ")}${more}.`, {
      server,
    });
  }
  const quarantined = diffTools(tools.filter((tool) => touched.has(tool.name)));
  const detail = toJson({
    accepted: accepted.length,
    changed: changed.length,
    added: added.length,
    missing: missing.length,
    ...(duplicate.length > 0 ? { duplicate: duplicate.length } : {}),
    ...(unusable.length > 0 ? { unusable: unusable.length } : {}),
    ...(quarantined.length > 0 && !isFirst
      ? {
          quarantined: Object.fromEntries(
            quarantined.slice(0, MAX_NAMED_TOOLS).map(({ name, state, verdict }) => [name, verdict ?? state]),
          ),
        }
      : {}),
    ...(noticed.length > 0
      ? { noticed: Object.fromEntries(noticed.slice(0, MAX_NAMED_TOOLS).map(({ tool, kinds }) => [tool, kinds])) }
      : {}),
  }) as JsonObject;
  await folder.store.write(async (batch) => {
    folder.audit.append(batch, { kind: "admin", server, actor: "gateway", action: event, object: server, detail });
  });
}

function listNoticed(tools: readonly StoredTool[]): { readonly tool: string; readonly kinds: readonly string[] }[] {
  return tools.map((tool) => ({ tool: tool.name, kinds: listKinds(listToolFindings(tool)) })).filter(({ kinds }) => kinds.length > 0);
}
