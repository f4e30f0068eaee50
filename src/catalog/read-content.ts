/**
 * What a reading tool brings back, by the noun that it reads: data of people or of a house, text that strangers may have
 * written, or both, as mail is. Only the head of the noun phrase counts: `get_email_template` reads no mail.
 */
import type { Field } from "./fields.ts";
import type { Word } from "./fold-words.ts";
import type { VerbVerdict } from "./judge-verbs.ts";
import type { SignalName } from "./signals.ts";

export interface ContentSeen {
  readonly signal: Extract<SignalName, "reads_private_data" | "returns_untrusted_content">;
  /** The word that said it, and of which text; or the argument. */
  readonly word?: Word;
  readonly from?: "name" | "clause";
  readonly argument?: Field;
}

export interface ContentQuestion {
  readonly nameWords: readonly Word[];
  readonly clauseWords: readonly Word[];
  readonly fields: readonly Field[];
  readonly verbs: VerbVerdict | undefined;
}

const list = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/));

const PRIVATE =
  list(`email emails mail mails inbox inboxes mailbox message messages conversation conversations chat chats dm dms contact contacts calendar calendars
  appointment appointments meeting meetings note notes document documents file files attachment attachments customer customers user users
  employee employees patient patients member members passenger passengers person people profile profiles account accounts transaction
  transactions invoice invoices payment payments balance payroll salary salaries payslip payslips credential credentials secret secrets password
  passwords passport memory memories clipboard screenshot reservation reservations booking bookings order orders`);
const STRANGE =
  list(`email emails mail mails inbox inboxes mailbox message messages conversation conversations chat chats dm dms thread threads comment comments
  review reviews issue issues ticket tickets post posts tweet tweets feed feeds news article articles webpage webpages website websites web
  internet transcript transcripts discussion discussions reply replies feedback attachment attachments submission submissions`);
/** Nouns of two words. */
const PRIVATE_PAIRS = list("calendar-event calendar-events medical-record medical-records health-record health-records");
const STRANGE_PAIRS = list(
  "pull-request pull-requests merge-request merge-requests web-page web-pages web-content html-page search-result search-results",
);
/** What holds the thing that is meant. */
const HOLDERS = list(
  `list lists content contents text body details detail info information data history set all collection page pages number`,
);
const LEADING_OUT = list(
  "whether if by for from in on to at with that which via using within under between where based matching given , . ; : ( ) ! ?",
);
const MAX_PHRASE = 12;
/** What is looked at and judged or turned over is not brought back. */
const JUDGING =
  list(`check validate verify calculate compute convert format encode decode encrypt decrypt hash lint compare count estimate detect diff beautify
  prettify tokenize test ping wait await translate simulate preview score rate`);
/** Fetching from these is fetching what anybody wrote. */
const ADDRESSES = list("url urls uri website webpage pageurl siteurl link");

export function findContent({ nameWords, clauseWords, fields, verbs }: ContentQuestion): readonly ContentSeen[] {
  const found: ContentSeen[] = [];
  const seen = verbs?.seen ?? [];
  if (JUDGING.has(seen[0]?.verb?.word ?? "")) return found;
  const see = (from: "name" | "clause", words: readonly Word[]): void => {
    for (const head of listHeads(words)) {
      const pair = head.before === undefined ? "" : `${head.before.text}-${head.word.text}`;
      add(found, "reads_private_data", PRIVATE.has(head.word.text) || PRIVATE_PAIRS.has(pair), from, head.word);
      add(found, "returns_untrusted_content", STRANGE.has(head.word.text) || STRANGE_PAIRS.has(pair), from, head.word);
    }
  };
  see("name", objectOf(nameWords, seen.find(({ from }) => from === "name")?.word));
  const stated = seen.find(({ from }) => from === "description");
  if (stated) see("clause", objectOf(clauseWords, stated.word));
  if (found.some(({ signal }) => signal === "returns_untrusted_content")) return found;
  const place = fields.find(({ joined, types }) => ADDRESSES.has(joined) && !types.has("boolean") && !types.has("object"));
  if (place) found.push({ signal: "returns_untrusted_content", argument: place });
  return found;
}

function add(found: ContentSeen[], signal: ContentSeen["signal"], isSo: boolean, from: "name" | "clause", word: Word): void {
  if (isSo && !found.some((known) => known.signal === signal)) found.push({ signal, from, word });
}

/** What stands behind the verb; where nothing does, what stands before it (`web_search`). */
function objectOf(words: readonly Word[], verb: Word | undefined): readonly Word[] {
  const at = verb === undefined ? -1 : words.findIndex(({ start }) => start === verb.start);
  const behind = words.slice(at + 1);
  return behind.length > 0 ? behind : words.slice(0, Math.max(0, at));
}

interface Head {
  readonly word: Word;
  readonly before: Word | undefined;
}

/** The last word of each joined phrase; where that only holds something, the one before it, or the one behind its `of`. */
function listHeads(words: readonly Word[]): readonly Head[] {
  const heads: Head[] = [];
  let part: Word[] = [];
  const takeHead = (): Head | undefined => {
    let last = part.length - 1;
    while (last > 0 && HOLDERS.has((part[last] as Word).text)) last--;
    const word = part[last];
    return word && { word, before: part[last - 1] };
  };
  for (const word of words.slice(0, MAX_PHRASE)) {
    const isOf = word.text === "of" || word.text === "about";
    const isJoin = word.text === "and" || word.text === "or" || word.text === "/";
    if (LEADING_OUT.has(word.text)) break;
    if (!isOf && !isJoin) {
      part.push(word);
      continue;
    }
    // "A list of users": what is held counts. "A draft of …": the draft does.
    if (isOf && !HOLDERS.has(part.at(-1)?.text ?? "")) break;
    const head = isJoin ? takeHead() : undefined;
    if (head) heads.push(head);
    part = [];
  }
  const last = takeHead();
  return last ? [...heads, last] : heads;
}
