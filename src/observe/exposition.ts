/**
 * Families of metrics, printed as Prometheus reads them. A registry of our own, so that nothing is told but what stands in
 * the table; values are read when a page is asked for and never before.
 */
import { Registry } from "prom-client";
import { DURATION_EDGES, type Durations } from "./meter.ts";

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface DurationSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly durations: Durations;
}

interface Described {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

export type Family =
  | (Described & { readonly type: "counter" | "gauge"; readonly read: () => Iterable<Sample> })
  | (Described & { readonly type: "histogram"; readonly read: () => Iterable<DurationSample> });

export interface Exposition {
  readonly contentType: string;
  print(): Promise<string>;
}

export function createExposition(families: readonly Family[]): Exposition {
  const registry = new Registry();
  for (const family of families) {
    const view = { name: family.name, get: async () => describe(family) };
    // The registry asks a metric for no more than its name and its values.
    registry.registerMetric(view as unknown as Parameters<Registry["registerMetric"]>[0]);
  }
  return { contentType: registry.contentType, print: () => registry.metrics() };
}

function describe(family: Family): object {
  const { name, help, type } = family;
  const values = family.type === "histogram" ? [...family.read()].flatMap((sample) => spread(name, sample)) : [...family.read()];
  return { name, help, type, aggregator: "sum", values };
}

/** Buckets hold all that is not longer than their edge. */
function spread(name: string, { labels, durations }: DurationSample): object[] {
  let below = 0;
  const buckets = DURATION_EDGES.map((edge, index) => {
    below += durations.counts[index] as number;
    return { metricName: `${name}_bucket`, labels: { ...labels, le: edge }, value: below };
  });
  return [
    ...buckets,
    { metricName: `${name}_bucket`, labels: { ...labels, le: "+Inf" }, value: durations.count },
    { metricName: `${name}_sum`, labels, value: durations.sum },
    { metricName: `${name}_count`, labels, value: durations.count },
  ];
}
