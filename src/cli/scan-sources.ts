/**
 * What `scan` is told to look at → what would be asked: addresses, a command, lists in files, configurations of clients.
 * Starts and asks nothing.
 */
import { existsSync, statSync } from "node:fs";
import os from "node:os";
import { FailureError } from "../kernel/failure.ts";
import type { Client, Machine } from "../scan/clients/client.ts";
import { findClientFiles, openClientFile } from "../scan/clients/find-client-files.ts";
import { CLIENTS, findClient } from "../scan/clients/known-clients.ts";
import { planTargets } from "../scan/plan-targets.ts";
import { readToolLists } from "../scan/read-tool-lists.ts";
import { expandReferences } from "../scan/references.ts";
import { listHiddenArguments, showCommand, showUrl } from "../scan/show-server.ts";
import type { Target } from "../scan/target.ts";
import { listServerSecrets } from "../upstream/server-secrets.ts";
import { unwrap } from "./folder-flags.ts";
import type { Environment, Ports } from "./ports.ts";
import { tellFailures } from "./run-cli.ts";

export interface SourceFlags {
  readonly config?: readonly string[];
  readonly client?: readonly string[];
  readonly header?: readonly string[];
  readonly env?: readonly string[];
}

export function describeMachine(env: Environment): Machine {
  const { platform } = process;
  return {
    platform: platform === "darwin" || platform === "win32" ? platform : "linux",
    home: env["HOME"] ?? env["USERPROFILE"] ?? os.homedir(),
    env,
    folder: process.cwd(),
  };
}

export async function listTargets(
  ports: Ports,
  what: readonly string[],
  isCommand: boolean,
  flags: SourceFlags,
  machine: Machine,
): Promise<readonly Target[]> {
  const { env } = machine;
  if (what.length > 0 && (flags.config !== undefined || flags.client !== undefined)) {
    throw usage("Name what to scan, or configurations, not both.");
  }
  if (isCommand && what.length > 0) return [planCommand(what, flags.env ?? [], env)];
  if (what.length > 0) {
    const all: Target[] = [];
    for (const one of what)
      all.push(...(/^https?:\/\//i.test(one) ? [planUrl(one, flags.header ?? [], env)] : unwrap(await readLists(one))));
    return all;
  }
  if (flags.config !== undefined) {
    const targets: Target[] = [];
    for (const file of flags.config) {
      const opened = await openClientFile(machine, file);
      if ("code" in opened) throw new FailureError(opened);
      targets.push(...planTargets(opened, env));
    }
    return targets;
  }
  const found = await findClientFiles(machine, chooseClients(flags.client));
  tellFailures(ports, found.failures);
  return found.files.flatMap((file) => planTargets(file, env));
}

export function chooseClients(names: readonly string[] | undefined): readonly Client[] | undefined {
  return names?.map((name) => {
    const client = findClient(name);
    if (client === undefined) throw usage(`There is no client \`${name}\`; known are ${CLIENTS.map(({ id }) => id).join(", ")}.`);
    return client;
  });
}

async function readLists(one: string): ReturnType<typeof readToolLists> {
  if (!existsSync(one) && !/[\\/.]/.test(one)) throw usage(`\`${one}\` is no address, file or folder. A command is named after \`--\`.`);
  if (existsSync(one) && statSync(one).isFile() && /\.(?:ya?ml|toml)$/i.test(one))
    throw usage("A configuration of a client is scanned with `--config FILE`.");
  return await readToolLists(one);
}

function planCommand([command = "", ...args]: readonly string[], names: readonly string[], env: Environment): Target {
  const variables: Record<string, string> = {};
  for (const name of names) {
    const value = env[name];
    if (value === undefined)
      throw new FailureError({ code: "missing_variable", message: `The environment variable \`${name}\` is not set.` });
    variables[name] = value;
  }
  const secrets = [...listHiddenArguments(args), ...listServerSecrets({ environment: variables })];
  const shown = showCommand(command, args);
  return {
    kind: "command",
    name: "server",
    shown,
    secrets,
    group: "server",
    at: undefined,
    command,
    args,
    env: variables,
    cwd: undefined,
    from: "named",
  };
}

function planUrl(url: string, given: readonly string[], env: Environment): Target {
  if (!URL.canParse(url)) throw usage("The address can't be read.");
  const headers: Record<string, string> = {};
  for (const header of given) {
    const [, name, value] = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\s*:\s*(.*)$/s.exec(header) ?? [];
    if (name === undefined || value === undefined) throw usage("A header is written as `--header 'Name: value'`.");
    const read = expandReferences(value, env, false);
    if (read.missing.length > 0)
      throw new FailureError({ code: "missing_variable", message: `The header \`${name}\` needs ${read.missing.join(", ")}.` });
    headers[name] = read.text;
  }
  const shown = showUrl(url);
  const name = new URL(url).hostname;
  const secrets = listServerSecrets({ url, headers });
  return { kind: "url", name, shown, secrets, group: name, at: undefined, url, headers, from: "named", sendsVariables: false };
}

export function usage(message: string): FailureError {
  return new FailureError({ code: "usage", message });
}
