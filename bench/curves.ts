/** The curves: what grows, how far, and what a call may cost for it. */
import { CALL_BODY, writeCall } from "./call-body.ts";
import { findPort, type System } from "./launch.ts";
import { benchPolicy } from "./policies.ts";
import { seedEntries, seedGrants } from "./seed.ts";
import { dataFolderOf, type GatewayChoice, startSallyport, startUpstream, type Upstream, type Workshop } from "./systems.ts";

/** One size of one curve, started. */
export interface Started {
  readonly system: System;
  readonly upstream: System;
  readonly body: string;
}

export interface Curve {
  /** What the sizes count, in words. */
  readonly what: string;
  /** `flat`: a call costs the same at any size. `linear`: no more for each unit than at the size before. */
  readonly law: "flat" | "linear";
  readonly sizes: readonly number[];
  /** With `--full`. */
  readonly fullSizes?: readonly number[];
  readonly quickSizes: readonly number[];
  /** Left out: one call after the other, each to its end. */
  readonly connections?: number;
  readonly start: (workshop: Workshop, name: string, size: number) => Promise<Started>;
}

async function startPair(workshop: Workshop, choice: GatewayChoice, upstream: Upstream, body: string): Promise<Started> {
  const upstreamPort = await findPort();
  const server = await startUpstream(upstreamPort, upstream);
  try {
    return { system: await startSallyport(workshop, { ...choice, upstreamPort }), upstream: server, body };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

const ONE_RULE = benchPolicy(1);
const SMALL_CALL = 240;

export const CURVES: Readonly<Record<string, Curve>> = {
  rules: {
    what: "entries of the policy",
    law: "flat",
    sizes: [1, 10, 100, 1_000, 10_000],
    quickSizes: [1, 100],
    connections: 16,
    start: (workshop, name, size) => startPair(workshop, { name, policy: benchPolicy(size) }, {}, CALL_BODY),
  },
  grants: {
    what: "grants",
    law: "flat",
    sizes: [1, 1_000, 100_000, 1_000_000],
    quickSizes: [1, 100],
    connections: 16,
    start: async (workshop, name, size) => {
      await seedGrants(dataFolderOf(workshop, name), size - 1);
      return await startPair(workshop, { name, policy: ONE_RULE }, {}, CALL_BODY);
    },
  },
  tools: {
    what: "tools of the server",
    law: "flat",
    sizes: [1, 100, 1_000, 10_000],
    quickSizes: [1, 100],
    connections: 16,
    start: (workshop, name, size) => startPair(workshop, { name, policy: ONE_RULE }, { tools: size }, CALL_BODY),
  },
  entries: {
    what: "entries of the log",
    law: "flat",
    sizes: [1, 100_000, 1_000_000],
    fullSizes: [1, 100_000, 1_000_000, 10_000_000],
    quickSizes: [1, 1_000],
    connections: 16,
    start: async (workshop, name, size) => {
      // One stands for none: a gateway's own start is the first entry.
      await seedEntries(dataFolderOf(workshop, name), size - 1);
      return await startPair(workshop, { name, policy: ONE_RULE }, {}, CALL_BODY);
    },
  },
  bodies: {
    what: "bytes of a call",
    law: "linear",
    sizes: [400, 4_000, 40_000, 400_000, 4_000_000],
    quickSizes: [400, 40_000],
    start: (workshop, name, size) => {
      const note = Math.max(1, size - (CALL_BODY.length - SMALL_CALL));
      return startPair(workshop, { name, policy: ONE_RULE }, {}, writeCall(note));
    },
  },
  results: {
    what: "bytes of a result",
    law: "linear",
    sizes: [400, 4_000, 40_000, 400_000, 4_000_000],
    quickSizes: [400, 40_000],
    start: (workshop, name, size) => startPair(workshop, { name, policy: ONE_RULE }, { answerCharacters: size }, CALL_BODY),
  },
  events: {
    what: "events of an answer's stream",
    law: "linear",
    sizes: [1, 100, 10_000, 100_000],
    quickSizes: [1, 100],
    start: (workshop, name, size) => startPair(workshop, { name, policy: ONE_RULE }, { events: size }, CALL_BODY),
  },
};
