/** Writes the generated pages of `docs/`. A test keeps them fresh. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { printAttacksPage } from "./docs/print-attacks.ts";
import { printConfigurationPage } from "./docs/print-configuration.ts";
import { printErrorsPage } from "./docs/print-errors.ts";

const root = path.resolve(import.meta.dirname, "..");
writeFileSync(path.join(root, "docs/errors.md"), printErrorsPage());
writeFileSync(path.join(root, "docs/reference/configuration.md"), printConfigurationPage());
writeFileSync(path.join(root, "docs/reference/attacks.md"), await printAttacksPage());
