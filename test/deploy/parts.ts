/** What ships in `deploy/`, read as the tools that use it read it. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { ROOT } from "../support/program.ts";

export const DEPLOY: string = path.join(ROOT, "deploy");

export const readDeploy = (name: string): string => readFileSync(path.join(DEPLOY, name), "utf8");

/** YAML with merge keys and anchors, as compose has them. */
export const readYaml = (name: string): unknown => parse(readDeploy(name), { merge: true });

export interface ComposeService {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly read_only?: boolean;
  readonly user?: string;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, unknown>>;
}

export interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

/** The value of one instruction of the Dockerfile's last stage, in its JSON form. */
export function lastInstruction(name: string): readonly string[] {
  const stage =
    readDeploy("Dockerfile")
      .split(/^FROM /m)
      .at(-1) ?? "";
  const line = new RegExp(`^${name} .*?(\\[.*\\])$`, "m").exec(stage);
  if (!line) throw new Error(`the image has no ${name}`);
  return JSON.parse(line[1] as string) as string[];
}

/** What compose puts in place of `${NAME}` and `${NAME:?words}`. */
export function expandCompose(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{([A-Z_]+)(?::\?[^}]*)?\}/g, (_, name: string) => {
    const value = env[name];
    if (value === undefined) throw new Error(`${name} is not set`);
    return value;
  });
}

export function run(command: string, args: readonly string[], input?: string): { code: number | null; out: string; err: string } {
  const done = spawnSync(command, args, { encoding: "utf8", input, cwd: ROOT });
  return { code: done.status, out: done.stdout, err: done.stderr };
}
