/** `sallyport key …`: the keys that seal what the data folder keeps. A new one takes over while a gateway runs. */
import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { CONNECTION_SEALS } from "../upstream/oauth/tables.ts";
import { addSealingKey } from "../vault/keyring.ts";
import { resealAll } from "../vault/reseal.ts";
import { actorOf, addFolderFlags, type FolderFlags, printTable, withFolder } from "./folder-flags.ts";
import type { OpenFolder } from "./ports.ts";
import { type CommandContext, EXIT_NO } from "./run-cli.ts";

export function addKeyCommands(program: Command, context: CommandContext): void {
  const { ports } = context;
  const key = program
    .command("key")
    .summary("the keys that seal what the data folder keeps")
    .description("Credentials in the data folder are sealed with a numbered key, and that with the master key.");
  addFolderFlags(key.command("list").description("The keys that there are.")).action((flags: FolderFlags) =>
    withFolder(ports, flags, (folder) => list(context, folder, flags)),
  );
  addFolderFlags(
    key
      .command("rotate")
      .description("Make a new key, seal everything anew with it, and throw the old ones away. Nothing has to stop for it."),
  ).action((flags: FolderFlags) => withFolder(ports, flags, (folder) => rotate(context, folder, flags)));
}

async function list({ ports }: CommandContext, folder: OpenFolder, flags: FolderFlags): Promise<void> {
  const keyring = await folder.store.write((batch) => folder.openKeyring(batch));
  const described = keyring.versions.map(({ version, createdMs }) => ({
    version,
    created: new Date(createdMs).toISOString(),
    seals: version === keyring.current,
  }));
  if (flags.json) ports.terminal.out(`${JSON.stringify(described)}\n`);
  else {
    const rows = described.map(({ version, created, seals }) => [String(version), created, seals ? "seals" : "opens"]);
    ports.terminal.out(printTable(["KEY", "MADE", "DOES"], rows));
  }
}

async function rotate({ ports, exit }: CommandContext, folder: OpenFolder, flags: FolderFlags): Promise<void> {
  const { terminal } = ports;
  const now = (): number => folder.clock.now();
  const version = await folder.store.write(async (batch) => {
    // The first one is made by whoever needs it first.
    await folder.openKeyring(batch);
    const added = await addSealingKey(batch, { keys: folder.keys, randomBytes, now });
    const action = "key.rotated";
    folder.audit.append(batch, { kind: "admin", actor: actorOf(ports), action, object: String(added) });
    return added;
  });
  const done = await resealAll((job) => folder.store.write(job), folder.openKeyring, CONNECTION_SEALS);
  if (flags.json) terminal.out(`${JSON.stringify({ key: version, ...done })}\n`);
  else terminal.out(`Key ${version} seals from now on: ${done.rows} sealed anew, ${done.removed.length} older keys thrown away.\n`);
  if (done.damaged > 0) {
    terminal.err(`${done.damaged} sealed texts can't be opened; they and their keys are left as they are.\n`);
    exit(EXIT_NO);
  }
}
