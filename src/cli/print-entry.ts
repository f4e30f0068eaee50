/** One entry of the log as a line for people: when, what was decided, about what, for whom, and why. */

interface PrintedEntry {
  readonly time?: string;
  readonly kind?: string;
  readonly server?: string;
  readonly grant?: string;
  readonly identity?: string;
  readonly method?: string;
  readonly tool?: string;
  readonly decision?: string;
  readonly code?: string;
  readonly rule?: string;
  readonly outcome?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly object?: string;
  readonly source?: string;
  readonly count?: number;
  readonly latency?: { readonly totalMs?: number };
}

/** What a stranger wrote must not draw on a terminal. */
export function makePlain(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function describe(entry: PrintedEntry): (string | undefined)[] {
  const about = [entry.method, entry.tool].filter((text) => typeof text === "string" && text !== "").join(" ");
  switch (entry.kind) {
    case "admin":
      return [entry.action, entry.object, `by ${entry.actor ?? "?"}`];
    case "authentication":
      return [entry.code, `from ${entry.source ?? "?"}`, `${entry.count ?? 1}×`];
    case "outcome": {
      const took = entry.latency?.totalMs;
      return [entry.outcome, about, entry.grant, entry.code, took === undefined ? undefined : `${took.toFixed(1)} ms`];
    }
    default:
      return [entry.decision, about, entry.grant, entry.code, entry.rule];
  }
}

export function printEntryLine(line: string): string {
  const entry = JSON.parse(line) as PrintedEntry;
  const words = describe(entry).filter((text): text is string => typeof text === "string" && text !== "");
  return `${makePlain([entry.time ?? "", (entry.kind ?? "").padEnd(14), ...(typeof entry.server === "string" ? [entry.server] : []), ...words].join("  ").trimEnd())}\n`;
}
