/**
 * A session's id as its clients carry it: a random name, and behind it, sealed, everything that another process with the
 * same master key needs to go on with the session. So a session outlives a restart and may be continued at any replica;
 * what it holds open (streams, questions of the server's) stays where it was opened.
 */
import { createHash } from "node:crypto";
import { isUsed, useOnce } from "../store/once.ts";
import type { Readable } from "../store/read-rows.ts";
import type { Batch } from "../store/store.ts";
import type { Sealer } from "../vault/seal.ts";
import type { SessionSeed } from "./session.ts";

/** A session is not continued elsewhere after this, however much it is used. */
export const SESSION_LIFE_MS: number = 7 * 24 * 60 * 60 * 1000;
/** What a client may say when it opens and still be continued elsewhere; the id goes in a header. */
export const MAX_OPENING_CHARACTERS = 4096;
const MAX_ID_CHARACTERS = 12 * 1024;
const MAX_CLIENT_CHARACTERS = 128;
const NAME_BYTES = 18;
const NAME_CHARACTERS = 24;
const MARK_BYTES = 8;
const MARK_LETTERS = "abcdefghijklmnop";

/** What stands behind the name. */
export interface SealedSession extends Omit<SessionSeed, "endpoint" | "nowMs"> {
  readonly bornMs: number;
  /** The client's `initialize` as it came, where its session is one with several servers. */
  readonly opening?: string | undefined;
}

export interface SessionSeal {
  /** A new session's id. */
  write(seed: SessionSeed, opening?: string): string;
  /** Undefined: it is none of ours, or too old. */
  read(id: string, nowMs: number): SealedSession | undefined;
  /** What tells ids that are given out under a session here from those of other places: small letters. */
  createMark(): string;
}

const cut = (text: string | undefined): string | undefined => text?.slice(0, MAX_CLIENT_CHARACTERS).toWellFormed();

export function createSessionSeal(sealer: Sealer, randomBytes: (size: number) => Uint8Array): SessionSeal {
  const placeOf = (name: string) => ({ table: "session", column: "id", row: name });
  return {
    write(seed, opening) {
      const name = Buffer.from(randomBytes(NAME_BYTES)).toString("base64url");
      // Without what it needs to be opened again elsewhere, it is a name that means something here alone.
      if (opening !== undefined && opening.length > MAX_OPENING_CHARACTERS) return name;
      const { grantId, serverId, upstreamSession, protocolVersion, upstreamVersion } = seed;
      const client = { name: cut(seed.client.name), version: cut(seed.client.version) };
      const shared = { grantId, serverId, upstreamSession, protocolVersion, upstreamVersion, client };
      const sealed: SealedSession = { ...shared, bornMs: seed.nowMs, opening };
      const id = `${name}.${sealer.seal(JSON.stringify(sealed), placeOf(name))}`;
      // Letters outside of ASCII, or a server's own id, may have made it longer than anybody takes.
      return id.length > MAX_ID_CHARACTERS ? name : id;
    },
    read(id, nowMs) {
      if (id.length > MAX_ID_CHARACTERS || id[NAME_CHARACTERS] !== ".") return undefined;
      const opened = sealer.open(id.slice(NAME_CHARACTERS + 1), placeOf(id.slice(0, NAME_CHARACTERS)));
      if (!opened.ok) return undefined;
      const sealed = JSON.parse(opened.value) as SealedSession;
      return nowMs - sealed.bornMs < SESSION_LIFE_MS ? sealed : undefined;
    },
    createMark: () => Array.from(randomBytes(MARK_BYTES), (octet) => MARK_LETTERS[octet % MARK_LETTERS.length]).join(""),
  };
}

const endedName = (id: string): string => `session/${createHash("sha256").update(id).digest("base64url")}`;

/** A session that its client has ended is recalled nowhere any more; a process that holds it already is not told. */
export async function recordEnd(batch: Batch, id: string, nowMs: number): Promise<void> {
  await useOnce(batch, endedName(id), nowMs + SESSION_LIFE_MS);
}

export async function hasEnded(source: Readable, id: string): Promise<boolean> {
  return await isUsed(source, endedName(id));
}
