/** `sallyport policy list|show|set`: the policies of a data folder, whether a gateway runs on it or not. */
import { listOwnerlessGrants } from "../identity/grant.ts";
import { type Failure, FailureError, fail } from "../kernel/failure.ts";
import type { PolicyDocument } from "../policy/document.ts";
import { listPolicies, type PolicyRecord, readActive } from "../revision/policy.ts";
import { putPolicy } from "../revision/put-policy.ts";
import { listServers } from "../revision/server.ts";
import { loadToolIndex } from "../upstream/tool-index.ts";
import { actorOf, type FolderFlags, printTable, readClassesByHand, unwrap, withFolder } from "./folder-flags.ts";
import { readPolicyFile } from "./policy-files.ts";
import type { OpenFolder } from "./ports.ts";
import type { CommandContext } from "./run-cli.ts";

export interface SetFlags extends FolderFlags {
  readonly server: string;
}

const SHOWN_HASH_CHARACTERS = 12;

export async function listStoredPolicies({ ports }: CommandContext, flags: FolderFlags): Promise<void> {
  const policies = await withFolder(ports, flags, (folder) => listPolicies(folder.store.query));
  const present = policies.filter((policy) => policy.present);
  if (flags.json) ports.terminal.out(`${JSON.stringify(present.map(describePolicy))}\n`);
  else if (present.length === 0) ports.terminal.err("There are no policies yet. Put one in: sallyport policy set NAME --server S FILE\n");
  else {
    const rows = present.map(({ name, server, origin, revision, changedMs }) => [
      name,
      server,
      origin,
      revision.slice(0, SHOWN_HASH_CHARACTERS),
      new Date(changedMs).toISOString(),
    ]);
    ports.terminal.out(printTable(["POLICY", "SERVER", "FROM", "REVISION", "SINCE"], rows));
  }
}

function describePolicy({ name, server, origin, revision, createdMs, changedMs }: PolicyRecord): Record<string, unknown> {
  return { name, server, origin, revision, created: new Date(createdMs).toISOString(), changed: new Date(changedMs).toISOString() };
}

export async function showStoredPolicy({ ports }: CommandContext, name: string, flags: FolderFlags): Promise<void> {
  const found = await withFolder(ports, flags, (folder) => readActive(folder.store.query, name));
  if (!found) {
    throw new FailureError({ code: "not_found", message: `There is no policy \`${name}\`.`, hint: "`sallyport policy list` names them." });
  }
  const { policy, document } = found;
  if (flags.json) {
    // The document is JSON already, with its numbers as they were written.
    const described = JSON.stringify(describePolicy(policy)).slice(0, -1);
    ports.terminal.out(`${described},"document":${document.trimEnd()}}\n`);
    return;
  }
  ports.terminal.err(`\`${name}\`, for the server \`${policy.server}\`, revision ${policy.revision}:\n`);
  ports.terminal.out(document);
}

export async function setStoredPolicy({ ports }: CommandContext, name: string, file: string, flags: SetFlags): Promise<void> {
  const { document, canAsk } = unwrapPolicy(await readPolicyFile(file));
  const changed = await withFolder(ports, flags, async (folder) => {
    const classified = await readClassified(ports.terminal.env, folder, flags);
    const by = actorOf(ports);
    const put = await folder.store.write(async (batch) => {
      const ownerless = canAsk ? await listOwnerlessGrants(batch, name) : [];
      if (ownerless.length > 0) return fail(needOwners(ownerless));
      const done = await putPolicy(batch, {
        name,
        server: flags.server,
        document,
        origin: "cli",
        by,
        nowMs: folder.clock.now(),
        hasClasses: (server) => (server === flags.server ? classified : undefined),
      });
      const change = done.ok ? done.value.change : undefined;
      if (change) {
        const { action, details } = change;
        folder.audit.append(batch, { kind: "admin", server: flags.server, actor: by, action, object: name, detail: details });
      }
      return done;
    });
    return unwrap(put.ok ? put : fail(...put.failures.map((failure) => inFile(failure, file))));
  });
  const isNew = changed.change !== undefined;
  if (flags.json) ports.terminal.out(`${JSON.stringify({ name, server: flags.server, revision: changed.revision, changed: isNew })}\n`);
  else ports.terminal.out(`The policy \`${name}\` ${isNew ? "is in force" : "was in force already"}, revision ${changed.revision}.\n`);
}

function unwrapPolicy(read: Awaited<ReturnType<typeof readPolicyFile>>): { readonly document: PolicyDocument; readonly canAsk: boolean } {
  const policy = unwrap(read);
  return { document: policy.plan.document, canAsk: policy.canAsk };
}

function needOwners(labels: readonly string[]): Failure {
  const named = labels.map((label) => `\`${label}\``).join(", ");
  const message = `The policy can ask a person, and these grants have no owner who answers for them: ${named}.`;
  return { code: "conflict", message, hint: "Make them anew with `sallyport grant add … --owner EMAIL`, or leave out what asks." };
}

function inFile(failure: Failure, file: string): Failure {
  return failure.at === undefined ? failure : { ...failure, at: { file, ...failure.at } };
}

/** Whether the accepted tools of the server have classes; undefined while none are accepted. */
async function readClassified(
  env: Readonly<Record<string, string | undefined>>,
  folder: OpenFolder,
  flags: SetFlags,
): Promise<boolean | undefined> {
  const server = (await listServers(folder.store.query)).find(({ name }) => name === flags.server);
  if (server === undefined) return undefined;
  const classes = await readClassesByHand(env, flags, flags.server);
  const index = await loadToolIndex(folder.store.query, server.id, classes);
  return index.hasAcceptedList ? index.isClassified : undefined;
}
