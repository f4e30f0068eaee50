/** The text of `docs/reference/configuration.md`: every key of the configuration file, from the description that the check uses. */
import { CONFIG_SHAPE } from "../../src/config/config-shape.ts";
import type { ObjectShape, Shape } from "../../src/config/shape.ts";

const HEAD = `# Configuration reference

Every key of the configuration file. A guide with a file to start from: [Configuration](../configuration.md). For editors
there is a JSON Schema: \`schema/config.schema.json\`. \`<name>\` stands for a name that you choose.

| key | takes | meaning |
|---|---|---|
`;

const TAIL = `
*Written by \`node tools/write-reference.ts\` from \`src/config/config-shape.ts\`.*
`;

export function printConfigurationPage(): string {
  return HEAD + listRows(CONFIG_SHAPE, "").join("") + TAIL;
}

function listRows(shape: ObjectShape, prefix: string): string[] {
  return Object.entries(shape.keys).flatMap(([key, member]) => {
    const at = `${prefix}${key}`;
    return [printRow(at, member, describeNeed(shape, key)), ...listBelow(member, at)];
  });
}

function listBelow(shape: Shape, at: string): string[] {
  if (shape.kind === "object") return listRows(shape, `${at}.`);
  if (shape.kind === "toggle") return listRows(shape.object, `${at}.`);
  if (shape.kind !== "map") return [];
  const named = `${at}.<name>`;
  return [printRow(named, shape.values, ""), ...listBelow(shape.values, named)];
}

function describeNeed({ required = [], oneOf }: ObjectShape, key: string): string {
  if (required.includes(key)) return " Required.";
  if (oneOf === undefined) return "";
  const choices = Object.keys(oneOf);
  if (choices.includes(key)) return ` One of ${choices.map((choice) => `\`${choice}\``).join(", ")} stands here.`;
  const beside = choices.filter((choice) => oneOf[choice]?.includes(key));
  return beside.length === 0 ? "" : ` Beside ${beside.map((choice) => `\`${choice}\``).join(" or ")} alone.`;
}

function printRow(at: string, shape: Shape, need: string): string {
  return `| \`${at}\` | ${describeKind(shape)} | ${shape.description.replaceAll("|", "\\|")}${need} |\n`;
}

function describeKind(shape: Shape): string {
  switch (shape.kind) {
    case "text":
      return shape.choices ? shape.choices.map((choice) => `\`${choice}\``).join(", ") : "text";
    case "integer":
      return `whole number, ${shape.min} to ${shape.max}`;
    case "list":
      return `list of up to ${shape.max}`;
    case "map":
      return `up to ${shape.max} by name`;
    case "toggle":
      return "`true`, or an object";
    case "document":
      return "a policy";
    default:
      return "object";
  }
}
