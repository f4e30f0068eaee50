/**
 * Which of the suite's requirements is run through the gateway against which upstream. One row is one run.
 * What is known not to pass stands in `known-losses.json`, by the row's name.
 */
import type { FixtureEra } from "./fixture/start-fixture.ts";
import type { Revision } from "./suite.ts";

export interface Pairing {
  readonly requirement: Revision;
  readonly upstream: FixtureEra;
  readonly transport: "http" | "stdio";
}

export const PAIRINGS: readonly Pairing[] = [
  { requirement: "2025-11-25", upstream: "legacy", transport: "http" },
  { requirement: "2026-07-28", upstream: "modern", transport: "http" },
  { requirement: "2025-11-25", upstream: "dual", transport: "http" },
  { requirement: "2026-07-28", upstream: "dual", transport: "http" },
  { requirement: "2025-11-25", upstream: "modern", transport: "http" },
  { requirement: "2026-07-28", upstream: "legacy", transport: "http" },
  { requirement: "2025-11-25", upstream: "legacy", transport: "stdio" },
  { requirement: "2026-07-28", upstream: "legacy", transport: "stdio" },
];

/** The fixture of the requirement's own era: what it passes alone, it has to pass through the gateway. */
export const OWN_ERA: Readonly<Record<Revision, FixtureEra>> = { "2025-11-25": "legacy", "2026-07-28": "modern" };

export const nameOf = ({ requirement, upstream, transport }: Pairing): string => `${requirement} on ${upstream} over ${transport}`;

/** Scenarios that the suite runs without a score and that a gateway has to be good at all the same. */
export const WANTED_UNSCORED: Readonly<Record<Revision, readonly string[]>> = {
  "2025-11-25": ["server-session-lifecycle", "json-schema-2020-12", "server-sse-polling"],
  "2026-07-28": ["http-header-validation", "http-custom-header-server-validation", "json-schema-2020-12"],
};

/** The same of the client scenarios. */
export const WANTED_UNSCORED_CLIENT = "json-schema-2020-12-preservation";
