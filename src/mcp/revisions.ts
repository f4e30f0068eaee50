/**
 * The protocol's dated revisions and the two eras they fall into: legacy revisions open with `initialize` and may keep
 * a session; modern ones say version, client and capabilities in every request. Knows names, never features.
 */

export type Era = "legacy" | "modern";

/** Newest first, as they are told to a client that asked for another one. */
export const MODERN_REVISIONS = ["2026-07-28"] as const;
export const LEGACY_REVISIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"] as const;

export type ModernRevision = (typeof MODERN_REVISIONS)[number];
export type LegacyRevision = (typeof LEGACY_REVISIONS)[number];
export type Revision = ModernRevision | LegacyRevision;

export const REVISIONS: readonly Revision[] = [...MODERN_REVISIONS, ...LEGACY_REVISIONS];

export const LATEST_MODERN: ModernRevision = "2026-07-28";
export const LATEST_LEGACY: LegacyRevision = "2025-11-25";
/** What a legacy request speaks when neither a header nor a session says so. */
export const ASSUMED_LEGACY: LegacyRevision = "2025-03-26";

const MODERN: ReadonlySet<string> = new Set(MODERN_REVISIONS);
const LEGACY: ReadonlySet<string> = new Set(LEGACY_REVISIONS);

export function isModernRevision(text: string): text is ModernRevision {
  return MODERN.has(text);
}

export function isLegacyRevision(text: string): text is LegacyRevision {
  return LEGACY.has(text);
}

export function isRevision(text: string): text is Revision {
  return MODERN.has(text) || LEGACY.has(text);
}

export function eraOf(revision: Revision): Era {
  return MODERN.has(revision) ? "modern" : "legacy";
}

/** The revision that an `initialize` is answered with: the one asked for where it is known, else the latest legacy one. */
export function chooseLegacyRevision(requested: string): LegacyRevision {
  return isLegacyRevision(requested) ? requested : LATEST_LEGACY;
}

/** Whether `revision` is `since` or later. Their names are dates, so they compare as text. */
export function isSince(revision: Revision, since: Revision): boolean {
  return revision >= since;
}
