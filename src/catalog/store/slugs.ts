/** Names as parts of an address: short where they can be, and no two names of one place alike. */
import { createHash } from "node:crypto";

const MAX_SLUG_CHARACTERS = 80;
const HASH_DIGITS = 10;

/** `isTaken` says whether another name has it. The longer form carries a hash of the very name. */
export function createSlug(name: string, isTaken: (slug: string) => boolean): string {
  const short = shorten(name);
  if (short !== "" && !isTaken(short)) return short;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH_DIGITS);
  return short === "" ? hash : `${short}-${hash}`;
}

function shorten(name: string): string {
  return name
    .normalize("NFKC")
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, MAX_SLUG_CHARACTERS)
    .replace(/-+$/, "");
}
