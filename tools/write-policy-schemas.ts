/** Writes the schemas of policies, policy tests and attacks from the tables that read them. Tests keep them fresh. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { describeAttackSchema } from "./attack-schema.ts";
import { describePolicySchema, describePolicyTestSchema, printSchema } from "./policy-schema.ts";

const folder = path.resolve(import.meta.dirname, "../schema");
writeFileSync(path.join(folder, "policy.schema.json"), printSchema(describePolicySchema()));
writeFileSync(path.join(folder, "policy-test.schema.json"), printSchema(describePolicyTestSchema()));
writeFileSync(path.join(folder, "attack.schema.json"), printSchema(describeAttackSchema()));
