/** The attacks of a folder, one YAML file each, in the order of their ids; policy test files beside them are no attacks. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { type Failure, fail, type Result, succeed } from "../../kernel/failure.ts";
import type { Attack } from "./attack.ts";
import { checkCollection, parseAttack } from "./read-attack.ts";

export const MAX_ATTACK_FILES = 1_000;
const ATTACK_FILE = /^(?!.*\.policy-test\.)(.+)\.yaml$/;

export async function loadAttacks(folder: string): Promise<Result<readonly Attack[]>> {
  const listed = await readdir(folder).catch(() => undefined);
  if (listed === undefined) return fail({ code: "not_found", message: "There is no such folder of attacks.", at: { file: folder } });
  const names = listed.filter((name) => ATTACK_FILE.test(name)).sort();
  if (names.length > MAX_ATTACK_FILES)
    return fail({ code: "usage", message: `A folder holds at most ${MAX_ATTACK_FILES} attacks.`, at: { file: folder } });
  const attacks: Attack[] = [];
  const failures: Failure[] = [];
  for (const name of names) {
    const file = path.join(folder, name);
    const read = await readFile(file, "utf8").then(
      (text) => parseAttack(text, { file }),
      (): Result<Attack> => fail({ code: "not_found", message: "The file can't be read.", at: { file } }),
    );
    if (!read.ok) failures.push(...read.failures);
    else if (`${read.value.id}.yaml` !== name)
      failures.push({ code: "invalid_document", message: "The file is not called like its `id`.", at: { file, pointer: "/id" } });
    else attacks.push(read.value);
  }
  failures.push(...checkCollection(attacks));
  return failures.length > 0 ? fail(...failures) : succeed(Object.freeze(attacks));
}
