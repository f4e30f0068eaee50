/** Servers of a configuration → what would be asked, with the environment read in. Starts and asks nothing. */
import { listServerSecrets } from "../upstream/server-secrets.ts";
import type { ClientFile } from "./clients/find-client-files.ts";
import type { ConfiguredServer } from "./clients/read-client-file.ts";
import type { ServerEntry } from "./clients/read-entry.ts";
import { expandReferences, hasReference } from "./references.ts";
import { listHiddenArguments, showCommand, showUrl } from "./show-server.ts";
import type { Target } from "./target.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export function planTargets(file: ClientFile, env: Environment): Target[] {
  return file.servers.map((server) => planTarget(file, server, env));
}

export function planTarget(file: ClientFile, server: ConfiguredServer, env: Environment): Target {
  const { name, entry, isDisabled, line, project } = server;
  const group = project === undefined ? file.shown : `${file.shown} (${project})`;
  const known = { name, group, at: { file: file.shown, line }, secrets: [] };
  if (isDisabled) return { ...known, kind: "none", shown: "disabled", reason: "it is disabled in the client", isDisabled: true };
  if (entry.kind === "unreadable") return { ...known, kind: "none", shown: "", reason: entry.reason, isDisabled: false };
  const bare = file.client?.bareVariables === true;
  const filled = fillIn(entry, env, bare);
  if (filled.missing.length > 0) {
    return {
      ...known,
      kind: "none",
      shown: showEntry(entry),
      reason: `it needs ${[...new Set(filled.missing)].join(", ")}`,
      isDisabled: false,
    };
  }
  const { entry: ready, values } = filled;
  if (ready.kind === "command") {
    const { command, args, env: variables, cwd } = ready;
    const secrets = [...values, ...listHiddenArguments(args), ...listServerSecrets({ environment: variables })];
    return { ...known, kind: "command", shown: showEntry(entry), secrets, command, args, env: variables, cwd, from: "listed" };
  }
  const { url, headers } = ready;
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ""))
    return { ...known, kind: "none", shown: "", reason: "its address is no http address", isDisabled: false };
  const secrets = [...values, ...listServerSecrets({ url, headers })];
  const sendsVariables = listTexts(entry).some((text) => hasReference(text, bare));
  return { ...known, kind: "url", shown: showUrl(url), secrets, url, headers, from: "listed", sendsVariables };
}

type ReadyEntry = Exclude<ServerEntry, { kind: "unreadable" }>;

function showEntry(entry: ReadyEntry): string {
  return entry.kind === "command" ? showCommand(entry.command, entry.args) : showUrl(entry.url);
}

function listTexts(entry: ReadyEntry): readonly string[] {
  if (entry.kind === "url") return [entry.url, ...Object.values(entry.headers)];
  return [entry.command, ...entry.args, ...Object.values(entry.env)];
}

function fillIn(entry: ReadyEntry, env: Environment, bare: boolean): { entry: ReadyEntry; values: string[]; missing: string[] } {
  const values: string[] = [];
  const missing: string[] = [];
  const fill = (text: string): string => {
    const read = expandReferences(text, env, bare);
    values.push(...read.values);
    missing.push(...read.missing);
    return read.text;
  };
  const fillAll = (texts: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, fill(text)]));
  const filled: ReadyEntry =
    entry.kind === "url"
      ? { ...entry, url: fill(entry.url), headers: fillAll(entry.headers) }
      : {
          ...entry,
          command: fill(entry.command),
          args: entry.args.map(fill),
          env: fillAll(entry.env),
          cwd: entry.cwd === undefined ? undefined : fill(entry.cwd),
        };
  return { entry: filled, values, missing };
}
