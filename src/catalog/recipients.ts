/**
 * Whether an argument chooses who receives something. Some nouns say so by themselves (`to`, `recipients`); an address or a
 * person is a recipient only where the tool sends, or where what is said of the argument says that something is sent there.
 */
import type { Field } from "./fields.ts";

const list = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/));

/** Verbs that bring something to others. */
export const SENDING: ReadonlySet<string> = list(
  "send publish post share forward reply tweet broadcast email message notify invite mention respond",
);
/** Those that are done to a person, who is named as one. */
const REACHING = list("email message notify invite mention share");

const NAMED =
  list(`to cc bcc recipient recipients recipientid recipientids recipientemail toaddress toemail toaddresses attendees invitees inviteemail
  tonumber sendto channel channelid channels chatid forwardto destinationaddress payee beneficiary receiver receiverid tophonenumber
  recipientaddress sharewith`);
const NAMED_ENDS = list("recipient recipients attendees invitees payee payees beneficiary beneficiaries");
const PARTS = list("id ids email emails address addresses phone number account iban user users");
/** Where someone is reached. */
const ADDRESS_ENDS = list("email emails emailaddress emailaddresses phone phones phonenumber phonenumbers mobile mobilenumber");
const COMPANY = list("participant participants guest guests audience subscribers collaborators attendee invitee");
const PEOPLE = list("user users userid userids username usernames member members person people");
/** Whose address that is says that it is not where something goes. */
const SENDERS = list("from sender reply author source my own");

const SAYS_SENT =
  /\b(?:recipients?|sen[dt]|sends|sending|invit\w+|notif(?:y|ies|ied|ication\w*)|deliver\w*|forward\w*|shared? with|mailed|emailed|messaged)\b/;
const SAYS_REACHED = /\be-?mails?\b|\baddress(?:es)?\b/;
const TOOL_SENDS =
  /\bsends? (?:\w+ ){0,3}(?:e-?mails?|messages?|sms|texts?|invit\w+|notifications?|reminders?)\b|\b(?:notif(?:y|ies)|invites?) (?:the |all |a |an )?(?:\w+ )?(?:participants?|attendees?|guests?|users?|members?|people|customers?|recipients?)\b/;
/** `to` is also the end of a range and what something is turned into. */
const OTHER_ENDS =
  /\b(?:dates?|times?|units?|currenc(?:y|ies)|languages?|formats?|versions?|lines?|index|positions?|columns?|rows?|range|states?|status)\b/;

export interface SendingTool {
  /** Its verbs, or its description, say that it brings something to others. */
  readonly sends: boolean;
  /** What it does is done to a person, who is named as one. */
  readonly reaches: boolean;
}

/** `verbs` are those that the tool leads with, `said` is its description, folded. */
export function readSending(verbs: readonly string[], said: string): SendingTool {
  return { sends: verbs.some((verb) => SENDING.has(verb)) || TOOL_SENDS.test(said), reaches: verbs.some((verb) => REACHING.has(verb)) };
}

/** `said` is the argument's description, folded. */
export function isRecipient({ joined, words, format }: Field, said: string, { sends, reaches }: SendingTool): boolean {
  if (words.length > 1 && SENDERS.has(words[0]?.text ?? "")) return false;
  if (joined === "to" && OTHER_ENDS.test(said) && !SAYS_SENT.test(said) && !SAYS_REACHED.test(said)) return false;
  if (NAMED.has(joined) || format === "email" || format === "idn-email") return true;
  const last = words.at(-1)?.text ?? "";
  if (words.length > 1 && NAMED_ENDS.has(last)) return true;
  if (words.length === 2 && words[0]?.text === "recipient" && PARTS.has(last)) return true;
  const ends = [
    joined,
    last,
    words
      .slice(-2)
      .map(({ text }) => text)
      .join(""),
  ];
  if (ends.some((end) => ADDRESS_ENDS.has(end))) return sends || SAYS_SENT.test(said);
  if (COMPANY.has(joined)) return sends || SAYS_SENT.test(said) || SAYS_REACHED.test(said);
  return reaches && PEOPLE.has(joined);
}
