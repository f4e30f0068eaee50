/** Sets up the desk that judges every call, the same for the HTTP face and for a wrapped stdio server. */
import { createSecretKey } from "node:crypto";
import type { DataFolder } from "./data-folder.ts";
import type { Access } from "./gateway/access.ts";
import { ActiveCount } from "./gateway/active.ts";
import type { Desk } from "./gateway/desk.ts";
import { HoldTable } from "./gateway/holds.ts";
import { RoundTable } from "./gateway/rounds.ts";
import { SessionTable } from "./gateway/session.ts";
import { SseTable } from "./gateway/sse-face.ts";
import type { Log } from "./observe/log.ts";
import { Meter } from "./observe/meter.ts";
import { ARGUMENT_PURPOSE } from "./vault/keys.ts";
import { VERSION } from "./version.ts";

/** `access` is the folder's own, or one that a wrapped server's policy file answers for. */
export function createDesk(folder: DataFolder, access: Access, log: Log): Desk {
  return {
    organisation: folder.organisation,
    version: VERSION,
    clock: folder.clock,
    store: folder.store,
    limits: folder.limits,
    audit: folder.audit,
    access,
    rounds: new RoundTable(),
    sessions: new SessionTable(),
    sse: new SseTable(),
    holds: new HoldTable(),
    active: new ActiveCount(),
    meter: new Meter(),
    argumentKey: createSecretKey(folder.keys.deriveKey(ARGUMENT_PURPOSE)),
    say: (words) => log.warn("gateway", words),
  };
}
