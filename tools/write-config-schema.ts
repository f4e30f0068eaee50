/** Writes `schema/config.schema.json` from the description of the configuration file. A test keeps it fresh. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { printConfigSchema } from "../src/config/print-schema.ts";

writeFileSync(path.resolve(import.meta.dirname, "../schema/config.schema.json"), printConfigSchema());
