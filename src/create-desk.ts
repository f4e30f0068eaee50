/** Sets up the desk that judges every call, the same for the HTTP face and for a wrapped stdio server. */
import { randomBytes } from "node:crypto";
import { DigestKey } from "./audit/digest-key.ts";
import type { DataFolder } from "./data-folder.ts";
import type { Access } from "./gateway/access.ts";
import { ActiveCount } from "./gateway/active.ts";
import { ChangeTable } from "./gateway/changes.ts";
import type { Desk } from "./gateway/desk.ts";
import { Health } from "./gateway/health.ts";
import { HoldTable } from "./gateway/holds.ts";
import { LateOutcomes } from "./gateway/late-outcomes.ts";
import { Recording } from "./gateway/recording.ts";
import { createRoundSeal } from "./gateway/rounds.ts";
import { SessionTable } from "./gateway/session.ts";
import { createSessionSeal } from "./gateway/session-seal.ts";
import { PromptNames } from "./gateway/several/cut-names.ts";
import { SseTable } from "./gateway/sse-face.ts";
import type { Log } from "./observe/log.ts";
import { Meter } from "./observe/meter.ts";
import { ARGUMENT_PURPOSE, CURSOR_PURPOSE, ROUND_PURPOSE, SESSION_PURPOSE } from "./vault/keys.ts";
import { createSealer } from "./vault/seal.ts";
import { VERSION } from "./version.ts";

/** `access` is the folder's own, or one that a wrapped server's policy file answers for. */
export function createDesk(folder: DataFolder, access: Access, log: Log): Desk {
  const say = (words: string): void => log.warn("gateway", words);
  const { clock, keys } = folder;
  const health = new Health(say);
  const sealFor = (purpose: string) => createSealer(keys.deriveKey(purpose), keys.id, randomBytes);
  const seal = createSessionSeal(sealFor(SESSION_PURPOSE), randomBytes);
  return {
    organisation: folder.organisation,
    version: VERSION,
    clock,
    store: folder.store,
    limits: folder.limits,
    audit: folder.audit,
    access,
    rounds: createRoundSeal(sealFor(ROUND_PURPOSE), randomBytes),
    sessions: new SessionTable(seal),
    seal,
    sse: new SseTable(),
    holds: new HoldTable(),
    active: new ActiveCount(),
    recording: new Recording(folder.store, folder.audit),
    late: new LateOutcomes({ store: folder.store, audit: folder.audit, limits: folder.limits, say }),
    meter: new Meter(),
    health,
    changes: new ChangeTable({ access, health, now: () => clock.now() }),
    cursors: sealFor(CURSOR_PURPOSE),
    promptNames: new PromptNames(),
    argumentKey: new DigestKey(keys.deriveKey(ARGUMENT_PURPOSE)),
    say,
  };
}
