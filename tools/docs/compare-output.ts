/**
 * Whether what a program said is what a page shows: equal but for what differs from run to run (times, durations, ids,
 * tokens, hashes, signatures, ports) and for what the page leaves out with `…`.
 */

/** Each stands for a thing that no two runs share; a letter is kept, so that the shape of a line still counts. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, "<time>"],
  [/checkpoint-(\d+)-\d+/g, "checkpoint-$1-<ms>"],
  [/sp[ga]_[0-9a-z]{26}_[0-9a-z]{52}/g, "<token>"],
  [/\b[0-9a-f]{64}\b/g, "<hash>"],
  [/\b[0-9a-f]{12}\b/g, "<short>"],
  [/sallyport[a-z0-9-]*\+[0-9a-f]{8}\+[A-Za-z0-9+/]{43,44}={0,2}/g, "<key>"],
  [/[A-Za-z0-9+/_-]{43,}={0,2}/g, "<base64>"],
  [/\b[0-7][0-9a-hjkmnp-tv-z]{25}\b/g, "<id>"],
  [/\b\d+(?:\.\d+)? (ms|s)\b/g, "<n> $1"],
  [/Ms":\d+(?:\.\d+)?/g, 'Ms":<n>'],
  [/\bin \d+ (?:seconds?|minutes?)/g, "in <n>"],
  [/127\.0\.0\.1:\d+/g, "127.0.0.1:<port>"],
  [/[ \t]+$/gm, ""],
  [/ {2,}/g, "  "],
];

export function normaliseOutput(text: string): string {
  return VARYING.reduce((changed, [pattern, name]) => changed.replace(pattern, name), text).trim();
}

const REST_OF_LINES = "(?:.*(?:\\n|$))*?";

export function isSameOutput(shown: string, actual: string): boolean {
  const expected = normaliseOutput(shown);
  const said = normaliseOutput(actual);
  if (!expected.includes("…")) return expected === said;
  const pattern = expected
    .split("\n")
    .map((line) => (line.trim() === "…" ? REST_OF_LINES : `${line.split("…").map(escapePattern).join(".*")}(?:\\n|$)`))
    .join("");
  return new RegExp(`^${pattern}$`).test(said);
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
