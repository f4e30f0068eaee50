/** `sallyport grant …`: credentials of identities for servers. A token is printed once and kept nowhere. */
import { randomBytes } from "node:crypto";
import { type Command, InvalidArgumentError } from "commander";
import type { AdminChange } from "../identity/admin-change.ts";
import { addGrant, restoreGrant, revokeGrant, rotateGrant } from "../identity/change-grants.ts";
import { type GrantRecord, listGrants, stateOfGrant } from "../identity/grant.ts";
import { FailureError } from "../kernel/failure.ts";
import { compilePolicy } from "../policy/compile.ts";
import { loadOperators } from "../policy/operators/registry.ts";
import { parsePolicy } from "../policy/parse.ts";
import { listPolicies, readActive } from "../revision/policy.ts";
import { listServers } from "../revision/server.ts";
import type { Batch } from "../store/store.ts";
import { actorOf, addFolderFlags, type FolderFlags, parseTime, printTable, unwrap, withFolder } from "./folder-flags.ts";
import type { OpenFolder } from "./ports.ts";
import type { CommandContext } from "./run-cli.ts";

interface AddFlags extends FolderFlags {
  readonly server: readonly string[];
  readonly policy?: string;
  readonly identity?: string;
  readonly owner?: string;
  readonly tag: readonly string[];
  readonly expires?: number;
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function addGrantCommands(program: Command, context: CommandContext): void {
  const grant = program
    .command("grant")
    .summary("add, list, rotate, revoke and restore grants")
    .description("Grants: labelled bearer tokens, each of one identity, for one server or several. Changes hold from the next request on.");
  addFolderFlags(grant.command("add <label>").description("Make a grant and print its token, once."))
    .requiredOption("-s, --server <name[=policy]>", "server it is for, with the policy that decides there; may be repeated", collect, [])
    .option("--policy <name>", "policy for servers that name none")
    .option("--identity <who>", "the person, agent or automation that holds it")
    .option("--owner <email>", "who answers for it; needed where a policy can ask a person")
    .option("--tag <name=value>", "a word about the grant that policies can ask for; may be repeated", collect, [])
    .option("--expires <time>", "when it ends, as 2027-01-01T00:00:00Z", parseTime(Date.now()))
    .addHelpText(
      "after",
      "\nExample:\n  $ sallyport grant add alice-laptop --server sendit=sendit-standard --identity alice@example.com --tag team=support",
    )
    .action((label: string, flags: AddFlags) => withFolder(context.ports, flags, (folder) => add(context, folder, label, flags)));
  addFolderFlags(grant.command("list").description("Every grant with its state. Tokens are not kept and can't be shown.")).action(
    (flags: FolderFlags) => withFolder(context.ports, flags, (folder) => list(context, folder, flags)),
  );
  addFolderFlags(
    grant.command("rotate <label>").description("Give a grant a new token and print it, once. The old one is void at once."),
  ).action((label: string, flags: FolderFlags) => withFolder(context.ports, flags, (folder) => rotate(context, folder, label, flags)));
  addFolderFlags(
    grant.command("revoke <label>").description("End a grant from the next request on; its streams end within a second."),
  ).action((label: string, flags: FolderFlags) =>
    withFolder(context.ports, flags, (folder) => mark(context, folder, label, flags, "revoked")),
  );
  addFolderFlags(grant.command("restore <label>").description("Put a revoked grant back into force.")).action(
    (label: string, flags: FolderFlags) => withFolder(context.ports, flags, (folder) => mark(context, folder, label, flags, "restored")),
  );
}

function record(folder: OpenFolder, batch: Batch, change: AdminChange | undefined): void {
  if (!change) return;
  folder.audit.append(batch, { kind: "admin", actor: change.by, action: change.action, object: change.grant, detail: change.details });
}

async function readBonds(
  folder: OpenFolder,
  flags: AddFlags,
): Promise<{ servers: { server: string; policy: string | undefined }[]; canAsk: boolean }> {
  await loadOperators();
  const [servers, policies] = [await listServers(folder.store.query), await listPolicies(folder.store.query)];
  let canAsk = false;
  const bonds = [];
  for (const text of flags.server) {
    const [server = "", policy = flags.policy] = text.split("=");
    if (!servers.some(({ name }) => name === server)) {
      const known = servers.map(({ name }) => `\`${name}\``).join(", ");
      throw new FailureError({
        code: "not_found",
        message: `There is no server \`${server}\`.`,
        hint: known === "" ? "No server is known yet: start a gateway with a configuration first." : `There are: ${known}.`,
      });
    }
    bonds.push({ server, policy });
    if (policy === undefined) continue;
    const found = policies.find(({ name, present }) => name === policy && present);
    if (!found || found.server !== server) {
      throw new FailureError({
        code: "not_found",
        message: `There is no policy \`${policy}\` for the server \`${server}\`.`,
        hint: "`sallyport policy list` names them.",
      });
    }
    const active = await readActive(folder.store.query, policy);
    if (active) canAsk ||= compilePolicy(unwrap(parsePolicy(active.document, { format: "json" }))).canAsk;
  }
  return { servers: bonds, canAsk };
}

function readTags(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at < 1) throw new InvalidArgumentError("A tag is written as name=value.");
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

async function add(context: CommandContext, folder: OpenFolder, label: string, flags: AddFlags): Promise<void> {
  const { servers, canAsk } = await readBonds(folder, flags);
  const issued = await folder.store.write(async (batch) => {
    const added = await addGrant(batch, {
      label,
      identity: flags.identity,
      owner: flags.owner,
      tags: readTags(flags.tag),
      servers,
      expiresMs: flags.expires,
      origin: "cli",
      canAsk,
      by: actorOf(context.ports),
      nowMs: folder.clock.now(),
      key: folder.tokenKey,
      randomBytes,
    });
    if (added.ok) record(folder, batch, added.value.change);
    return added;
  });
  tellToken(context, flags, label, unwrap(issued).token);
}

async function rotate(context: CommandContext, folder: OpenFolder, label: string, flags: FolderFlags): Promise<void> {
  const act = { by: actorOf(context.ports), nowMs: folder.clock.now(), key: folder.tokenKey, randomBytes };
  const issued = await folder.store.write(async (batch) => {
    const rotated = await rotateGrant(batch, label, act);
    if (rotated.ok) record(folder, batch, rotated.value.change);
    return rotated;
  });
  tellToken(context, flags, label, unwrap(issued).token);
}

function tellToken({ ports }: CommandContext, flags: FolderFlags, label: string, token: string): void {
  if (flags.json) ports.terminal.out(`${JSON.stringify({ label, token })}\n`);
  else {
    ports.terminal.out(`${token}\n`);
    ports.terminal.err(`This is the token of \`${label}\`. It is shown this once and kept nowhere.\n`);
  }
}

async function mark(
  { ports }: CommandContext,
  folder: OpenFolder,
  label: string,
  flags: FolderFlags,
  what: "revoked" | "restored",
): Promise<void> {
  const act = { by: actorOf(ports), nowMs: folder.clock.now() };
  const marked = await folder.store.write(async (batch) => {
    const done = await (what === "revoked" ? revokeGrant : restoreGrant)(batch, label, act);
    if (done.ok) record(folder, batch, done.value.change);
    return done;
  });
  const changed = unwrap(marked).change !== undefined;
  if (flags.json) ports.terminal.out(`${JSON.stringify({ label, [what]: true, changed })}\n`);
  else
    ports.terminal.out(
      changed
        ? `The grant \`${label}\` is ${what}.\n`
        : `The grant \`${label}\` ${what === "revoked" ? "was revoked already" : "is in force"}.\n`,
    );
}

function describe(grant: GrantRecord, nowMs: number): Record<string, unknown> {
  return {
    label: grant.label,
    state: stateOfGrant(grant, nowMs),
    identity: grant.identity,
    owner: grant.owner,
    servers: Object.fromEntries([...grant.servers].map(([server, policy]) => [server, policy ?? null])),
    tags: grant.tags,
    origin: grant.origin,
    expires: grant.expiresMs === undefined ? undefined : new Date(grant.expiresMs).toISOString(),
    created: new Date(grant.createdMs).toISOString(),
  };
}

async function list({ ports }: CommandContext, folder: OpenFolder, flags: FolderFlags): Promise<void> {
  const nowMs = folder.clock.now();
  const grants = await listGrants(folder.store.query);
  if (flags.json) {
    ports.terminal.out(`${JSON.stringify(grants.map((grant) => describe(grant, nowMs)))}\n`);
    return;
  }
  if (grants.length === 0) {
    ports.terminal.err("There are no grants yet. Make one: sallyport grant add LABEL --server NAME=POLICY\n");
    return;
  }
  const rows = grants.map((grant) => [
    grant.label,
    stateOfGrant(grant, nowMs),
    grant.identity ?? "-",
    grant.origin,
    [...grant.servers].map(([server, policy]) => `${server}=${policy ?? "(no policy)"}`).join(" "),
  ]);
  ports.terminal.out(printTable(["LABEL", "STATE", "IDENTITY", "FROM", "SERVERS"], rows));
}
