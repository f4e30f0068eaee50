/** Whom a call counts for. */
import type { Parties } from "../limit/limits.ts";
import type { Desk } from "./desk.ts";
import type { Exchange } from "./exchange.ts";

export function partiesOf(desk: Desk, exchange: Exchange): Parties {
  const { grant, endpoint, policy, session } = exchange;
  return {
    organisation: desk.organisation,
    server: endpoint.id,
    policy: policy?.id ?? "",
    grant: grant.id,
    session: session?.id,
    identity: grant.identity,
  };
}
