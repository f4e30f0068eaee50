/** Writes `schema/policy.schema.json` and `schema/policy-test.schema.json` from the language's tables. A test keeps them fresh. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describePolicySchema, describePolicyTestSchema, printSchema } from "./policy-schema.ts";

const folder = path.resolve(import.meta.dirname, "../schema");
writeFileSync(path.join(folder, "policy.schema.json"), printSchema(describePolicySchema()));
writeFileSync(path.join(folder, "policy-test.schema.json"), printSchema(describePolicyTestSchema()));
