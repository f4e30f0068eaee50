/**
 * What `init` would do: which servers of which clients come behind the gateway, how each client reaches them then, what is
 * left alone and why. Decides and writes nothing; no value of a configuration is in what it says.
 */
import path from "node:path";
import type { SuggestedPolicy } from "../../catalog/suggest-policy.ts";
import { parseIp, specialRangeOf } from "../../kernel/ip.ts";
import { createJsonObject, type Json, type JsonObject, printJson, toJson } from "../../kernel/json.ts";
import type { ClientFile } from "../clients/find-client-files.ts";
import type { ConfiguredServer } from "../clients/read-client-file.ts";
import type { ServerEntry } from "../clients/read-entry.ts";
import type { ServerReport } from "../report.ts";
import { showCommand, showUrl } from "../show-server.ts";
import { type HidingPlace, hideAddress, hideArguments, hideCommand, hideValue, type NamedSecret, SecretNames } from "./secret-names.ts";

export interface InitQuestion {
  readonly files: readonly ClientFile[];
  /** By file and place, what the scan saw. */
  readonly reports: ReadonlyMap<ConfiguredServer, ServerReport>;
  /** Names that the gateway's configuration holds already. */
  readonly taken: TakenNames;
  readonly gatewayUrl: string;
  /** The folder of the gateway's configuration. */
  readonly folder: string;
  /** Policies that are there already, by file name. */
  readonly hasPolicy: (file: string) => boolean;
  readonly program: readonly string[];
  readonly identity: string;
}

export interface TakenNames {
  readonly servers: ReadonlySet<string>;
  readonly grants: ReadonlySet<string>;
}

export interface PlannedServer {
  readonly name: string;
  readonly policyFile: string;
  readonly policy: SuggestedPolicy;
  readonly rulesToFillIn: number;
  /** Undefined: `sallyport run` wraps it, and the gateway does not know it. */
  readonly upstream: JsonObject | undefined;
  readonly network: JsonObject | undefined;
}

export interface PlannedGrant {
  readonly label: string;
  readonly identity: string;
  readonly token: string;
  /** By server, its policy: both have one name. */
  readonly servers: readonly string[];
}

export interface PlannedEdit {
  readonly file: ClientFile;
  readonly server: ConfiguredServer;
  readonly entry: JsonObject;
  readonly before: string;
  readonly how: "http" | "run";
}

export interface InitPlan {
  readonly servers: readonly PlannedServer[];
  readonly grants: readonly PlannedGrant[];
  readonly edits: readonly PlannedEdit[];
  readonly left: readonly { readonly file: string; readonly server: string; readonly reason: string }[];
  readonly secrets: readonly NamedSecret[];
}

/** Where `init` puts policies. */
export const POLICY_FOLDER = "policies";
const MAX_NAME = 32;

export function planInit(question: InitQuestion): InitPlan {
  const { files, reports, gatewayUrl, folder, program } = question;
  const names = new SecretNames();
  const servers = new Map<string, PlannedServer & { readonly key: string }>();
  const grants = new Map<string, PlannedGrant & { servers: string[] }>();
  const edits: PlannedEdit[] = [];
  const left: { file: string; server: string; reason: string }[] = [];
  // What the gateway serves has the first choice of names.
  const ordered = [...files].sort((a, b) => Number(b.client?.remote !== undefined) - Number(a.client?.remote !== undefined));
  for (const file of ordered) {
    for (const server of file.servers) {
      const reason = findObstacle(file, server, reports.get(server), gatewayUrl);
      if (reason !== undefined) {
        left.push({ file: file.shown, server: server.name, reason });
        continue;
      }
      const { client } = file;
      const entry = server.entry as Exclude<ServerEntry, { kind: "unreadable" }>;
      const report = reports.get(server);
      const policy = report?.suggestedPolicy as SuggestedPolicy;
      const rulesToFillIn = report?.rulesToFillIn ?? 0;
      const before = entry.kind === "command" ? showCommand(entry.command, entry.args) : showUrl(entry.url);
      const isHttp = client?.remote !== undefined;
      const key = printJson(toJson([isHttp, entry, file.client?.bareVariables === true]));
      const known = [...servers.values()].find((each) => each.key === key && each.name.startsWith(slug(server.name)));
      const name = known?.name ?? chooseName(slug(server.name), isHttp ? undefined : client?.id, question, servers);
      if (known === undefined) {
        const place: HidingPlace = {
          names,
          prefix: name,
          bare: client?.bareVariables === true,
          of: `of \`${server.name}\` in ${file.shown}`,
        };
        const upstream = isHttp ? describeUpstream(entry, place, question) : undefined;
        servers.set(name, {
          name,
          key,
          policyFile: path.join(POLICY_FOLDER, `${name}.json`),
          policy,
          rulesToFillIn,
          upstream,
          network: isHttp ? describeNetwork(entry) : undefined,
        });
      }
      if (client?.remote !== undefined) {
        const grant = grants.get(client.id) ?? createGrant(client.id, question, names);
        grants.set(client.id, grant);
        if (!grant.servers.includes(name)) grant.servers.push(name);
        const url = `${gatewayUrl}/mcp/${name}`;
        edits.push({ file, server, entry: client.remote({ url, tokenVariable: grant.token }) as JsonObject, before, how: "http" });
      } else if (client !== undefined && entry.kind === "command") {
        edits.push({
          file,
          server,
          entry: wrapCommand(client.command, entry, name, path.join(folder, POLICY_FOLDER, `${name}.json`), program),
          before,
          how: "run",
        });
      }
    }
  }
  return { servers: [...servers.values()], grants: [...grants.values()], edits, left, secrets: names.told };
}

/** Why an entry is left as it is. */
function findObstacle(
  file: ClientFile,
  server: ConfiguredServer,
  report: ServerReport | undefined,
  gatewayUrl: string,
): string | undefined {
  const { entry, isDisabled } = server;
  if (entry.kind === "unreadable") return entry.reason;
  if (isDisabled) return "it is disabled";
  if (isBehindGateway(entry, gatewayUrl)) return "it is behind a gateway already";
  if (file.format === "yaml") return "YAML files are not edited: put the entry there by hand";
  if (file.client === undefined) return "nobody knows which client the file is of";
  if (file.client.remote === undefined && entry.kind === "url")
    return `${file.client.title} can't take a token from the environment, and none is written into files`;
  if (report === undefined || report.state !== "listed") return report?.reason ?? "it was not looked at";
  return undefined;
}

export function isBehindGateway(entry: ServerEntry, gatewayUrl: string): boolean {
  if (entry.kind === "url") return entry.url === `${gatewayUrl}/mcp` || entry.url.startsWith(`${gatewayUrl}/mcp/`);
  if (entry.kind !== "command") return false;
  const words = [entry.command, ...entry.args];
  const at = words.findIndex((word) => /(?:^|[\\/])sallyport(?:\.js)?(?:@[\w.-]+)?$/.test(word));
  return at >= 0 && words[at + 1] === "run";
}

function createGrant(client: string, { taken, identity }: InitQuestion, names: SecretNames): PlannedGrant & { servers: string[] } {
  let label = client;
  for (let count = 2; taken.grants.has(label); count++) label = `${client}-${count}`;
  const token = `SALLYPORT_TOKEN_${label.replaceAll("-", "_").toUpperCase()}`;
  names.refer(token, `new: the token of the grant \`${label}\`, of 16 characters or more, for the gateway and for ${client}`);
  return { label, identity, token, servers: [] };
}

/** `more` makes a name that is taken another one, before numbers do. */
function chooseName(
  wanted: string,
  more: string | undefined,
  { taken, hasPolicy }: InitQuestion,
  servers: ReadonlyMap<string, unknown>,
): string {
  for (let count = 1; ; count++) {
    const end = count === 1 ? "" : count === 2 && more !== undefined ? `-${more}` : `-${count}`;
    const name = `${wanted.slice(0, MAX_NAME - end.length)}${end}`;
    if (!servers.has(name) && !taken.servers.has(name) && !hasPolicy(path.join(POLICY_FOLDER, `${name}.json`))) return name;
  }
}

export function slug(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return plain.slice(0, MAX_NAME).replace(/-+$/, "") || "server";
}

function describeUpstream(entry: Exclude<ServerEntry, { kind: "unreadable" }>, place: HidingPlace, { folder }: InitQuestion): JsonObject {
  const upstream = createJsonObject();
  if (entry.kind === "url") {
    upstream["url"] = hideAddress(entry.url, showUrl(entry.url), place);
    if (Object.keys(entry.headers).length > 0) upstream["headers"] = hideAll(entry.headers, place);
    return upstream;
  }
  const args = hideArguments(entry.args, place);
  upstream["command"] = hideCommand(entry.command, place);
  if (args.length > 0) upstream["args"] = args;
  if (Object.keys(entry.env).length > 0) upstream["env"] = hideAll(entry.env, place);
  if (entry.cwd !== undefined && path.isAbsolute(entry.cwd) && entry.cwd !== folder) upstream["cwd"] = entry.cwd;
  return upstream;
}

function hideAll(texts: Readonly<Record<string, string>>, place: HidingPlace): Json {
  const hidden = createJsonObject();
  for (const [name, value] of Object.entries(texts)) hidden[name] = hideValue(name, value, place);
  return hidden;
}

/** An address on this machine or in its network has to be named as meant. */
function describeNetwork(entry: ServerEntry): JsonObject | undefined {
  const url = entry.kind === "url" ? URL.parse(entry.url) : null;
  if (url === null) return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (/^(?:.+\.)?localhost$/i.test(host)) return toJson({ allow: ["127.0.0.0/8", "::1/128"] }) as JsonObject;
  const ip = parseIp(host);
  if (ip === undefined || specialRangeOf(ip) === undefined) return undefined;
  return toJson({ allow: [`${host}/${ip.family === 4 ? 32 : 128}`] }) as JsonObject;
}

type CommandServer = Extract<ServerEntry, { kind: "command" }>;

/** The client goes on starting the server, with the policy before it; its variables stay in its own file. */
function wrapCommand(
  write: (entry: { command: string; args: readonly string[]; env: Json | undefined }) => Json,
  server: CommandServer,
  name: string,
  policy: string,
  [command = "npx", ...before]: readonly string[],
): JsonObject {
  const variables = Object.keys(server.env);
  const passed = variables.flatMap((variable) => ["--env", variable]);
  const args = [...before, "run", "--policy", policy, "--server", name, ...passed, "--", server.command, ...server.args];
  const env = variables.length === 0 ? undefined : toJson(server.env);
  return write({ command, args, env }) as JsonObject;
}
