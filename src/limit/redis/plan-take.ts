/**
 * A call's charges as the script asks for them: keys, all of one slot, and arguments; and what the script answered as the
 * rows of the journal. Names become digests, so that no value of `per` stands in Redis or in the file.
 */
import { createHash } from "node:crypto";
import { BoundedMap } from "../../kernel/bounded-map.ts";
import type { Charge } from "../../policy/decision.ts";
import type { Calendars } from "../calendar.ts";
import { type CountNames, nameSessions, nameValue } from "../counter-key.ts";
import { MAX_LIVE_SESSIONS, MAX_LIVE_VALUES, type Parties } from "../limits.ts";
import type { JournalRow } from "./journal.ts";
import type { Origin } from "./origin.ts";
import { prefixOf } from "./origin.ts";
import { RECORD_MS } from "./scripts.ts";

const DIGEST_BYTES = 16;
const MAX_DIGESTS = 20_000;
/** Numbers that the script answers for each count, after its word and the time. */
const COUNT_FACTS = 5;

const digests = new BoundedMap<string, string>(MAX_DIGESTS);

function digest(name: string): string {
  let known = digests.get(name);
  if (known === undefined) {
    known = createHash("sha256").update(name).digest().subarray(0, DIGEST_BYTES).toString("base64url");
    digests.set(name, known);
  }
  return known;
}

interface Asked {
  readonly charge: Charge;
  readonly counter: string;
  /** Empty where there is none. */
  readonly family: string;
  readonly sessions: string;
  readonly session: string;
}

export interface TakePlan {
  readonly origin: Origin;
  readonly id: string;
  readonly prefix: string;
  readonly keys: readonly string[];
  readonly asked: readonly Asked[];
  /** Places in `keys`, from 1. */
  readonly places: ReadonlyMap<string, number>;
}

export interface TakeTerms {
  readonly home: string;
  readonly origin: Origin;
  /** Of the reservation. */
  readonly id: string;
}

export function planTake(names: CountNames, charges: readonly Charge[], parties: Parties, terms: TakeTerms): TakePlan {
  const { home, origin, id } = terms;
  const root = prefixOf(home);
  const prefix = `${root}${origin.id}:`;
  const keys = [`${root}origin`, `${prefix}r:${id}`];
  const places = new Map<string, number>();
  const place = (key: string): void => {
    if (!places.has(key)) places.set(key, keys.push(key));
  };
  const asked = charges.map((charge): Asked => {
    const { limit, per } = charge;
    const count = names.nameCount(limit, parties);
    const counter = digest(per === undefined ? count : nameValue(count, per));
    const family = per === undefined ? "" : digest(count);
    const ofSession = limit.scope === "session" && parties.session !== undefined ? parties.session : undefined;
    const sessions = ofSession === undefined ? undefined : nameSessions(parties);
    place(`${prefix}c:${counter}`);
    if (family !== "") place(`${prefix}f:${family}`);
    if (sessions !== undefined) place(`${prefix}f:${digest(sessions)}`);
    return {
      charge,
      counter,
      family,
      sessions: sessions === undefined ? "" : digest(sessions),
      session: sessions === undefined || ofSession === undefined ? "" : digest(nameValue(sessions, ofSession)),
    };
  });
  return { origin, id, prefix, keys, asked, places };
}

/** `timeOf` guesses the time at which the script will judge a charge: it says which window of a calendar is asked for. */
export function writeTake(
  plan: TakePlan,
  act: "take" | "peek",
  calendars: Calendars,
  givenMs: number | undefined,
  timeOf: (place: number) => number,
): string[] {
  const { origin, prefix, asked, places } = plan;
  const args = [
    origin.sentinel,
    act,
    givenMs === undefined ? "" : String(givenMs),
    String(RECORD_MS),
    String(MAX_LIVE_VALUES),
    String(MAX_LIVE_SESSIONS),
  ];
  const placeOf = (key: string): string => String(places.get(key));
  asked.forEach(({ charge, counter, family, sessions, session }, index) => {
    const { limit, amount } = charge;
    const { calendar } = limit;
    const span = calendar && calendars.of(calendar.timezone).spanAt(calendar.unit, timeOf(index));
    args.push(
      placeOf(`${prefix}c:${counter}`),
      span ? "0" : String(limit.windowMs),
      String(span?.startMs ?? 0),
      String(span?.endMs ?? 0),
      String(amount),
      String(limit.max),
      family === "" ? "0" : placeOf(`${prefix}f:${family}`),
      family === "" ? "" : counter,
      sessions === "" ? "0" : placeOf(`${prefix}f:${sessions}`),
      session,
    );
  });
  return args;
}

/** What was taken, from the script's answer. */
export function readTaken(plan: TakePlan, answer: readonly unknown[]): JournalRow[] {
  const byPlace = new Map(plan.asked.map((one) => [plan.places.get(`${plan.prefix}c:${one.counter}`), one] as const).reverse());
  const rows: JournalRow[] = [];
  for (let at = 2; at < answer.length; at += COUNT_FACTS) {
    const [place, bucket, atMs, freeMs, expiresMs] = answer.slice(at, at + COUNT_FACTS) as [number, number, number, number, number];
    const { charge, counter, family, sessions, session } = byPlace.get(place) as Asked;
    const isCalendar = charge.limit.calendar !== undefined;
    const { amount } = charge;
    rows.push({ reservation: plan.id, counter, bucket, atMs, freeMs, expiresMs, isCalendar, amount, family, sessions, session });
  }
  return rows;
}

/** Keys and arguments that give those rows of one reservation back. */
export function planRefund(home: string, origin: Origin, id: string, rows: readonly JournalRow[]): { keys: string[]; args: string[] } {
  const root = prefixOf(home);
  const prefix = `${root}${origin.id}:`;
  const keys = [`${root}origin`, `${prefix}s:${id}`];
  const longestMs = Math.max(...rows.map((row) => row.expiresMs - row.atMs));
  const args = [origin.sentinel, String(longestMs + RECORD_MS)];
  for (const { counter, bucket, amount, family } of rows) {
    args.push(String(keys.push(`${prefix}c:${counter}`)), String(bucket), String(amount));
    args.push(family === "" ? "0" : String(keys.push(`${prefix}f:${family}`)), counter);
  }
  return { keys, args };
}
