import { describeLimits } from "./limits-contract.ts";
import { RIGS } from "./rigs.ts";

describeLimits(RIGS);
