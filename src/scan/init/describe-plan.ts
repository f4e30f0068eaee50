/** A plan for people: what each client's entry is and would be, what is left alone and why, what is to be set. No value is told. */
import path from "node:path";
import { printJson } from "../../kernel/json.ts";
import { revealText } from "../../kernel/reveal-text.ts";
import type { InitPlan, PlannedEdit } from "./plan-init.ts";
import { needsOwner, OWNER_VARIABLE } from "./write-config.ts";

export function describePlan(plan: InitPlan, stuck: readonly PlannedEdit[], gatewayUrl: string, configFile: string): string {
  const lines: string[] = [];
  for (const [file, edits] of Map.groupBy(plan.edits, (edit) => edit.file.shown)) {
    lines.push(file);
    for (const edit of edits) {
      const { server, before, entry, how } = edit;
      lines.push(`  ${revealText(server.name)}`, `    - ${before}`);
      if (stuck.includes(edit))
        lines.push("    ! the file is written in a form that can't be edited entry by entry: put this there by hand");
      lines.push(`    + ${how === "http" ? revealText(printJson(entry)) : `sallyport run --policy … -- ${before}`}`);
    }
  }
  for (const { file, server, reason } of plan.left) lines.push(`${file}: \`${revealText(server)}\` is left alone: ${reason}`);
  if (plan.edits.length === 0) return `${[...lines, "There is nothing to write."].join("\n")}\n`;
  const open = plan.servers.reduce((sum, { rulesToFillIn }) => sum + rulesToFillIn, 0);
  const isServed = plan.edits.some(({ how }) => how === "http");
  lines.push(
    "",
    `${plan.servers.length} starter ${plan.servers.length === 1 ? "policy" : "policies"} in ${path.join(path.dirname(configFile), "policies")}`,
  );
  if (open > 0)
    lines.push(
      `  ${open} ${open === 1 ? "rule refuses" : "rules refuse"} every value until you fill ${open === 1 ? "it" : "them"} in: look for "fill in"`,
    );
  if (isServed) {
    lines.push(
      `The gateway's configuration in ${configFile}`,
      "",
      "To be set before the gateway starts, and for the clients where a token is theirs:",
    );
    for (const { name, where } of plan.secrets) lines.push(`  ${name}  (${where})`);
    if (needsOwner(plan))
      lines.push(`  ${OWNER_VARIABLE}  (new: the e-mail of who answers for the grants, since policies can ask a person)`);
    lines.push("", `Then: sallyport start --config ${configFile}    (${gatewayUrl})`);
  }
  return `${lines.join("\n")}\n`;
}
