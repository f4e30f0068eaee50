import { describeLimits } from "./limits-suite.ts";
import { RIGS } from "./rigs.ts";

for (const { name, create } of RIGS) describeLimits(name, create);
