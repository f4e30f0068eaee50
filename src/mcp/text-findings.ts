/**
 * What is noticeable in one text of a stranger: characters that can't be seen or pass for others, words that speak to the
 * model instead of describing, contents that hide or steer. Noticed and told, never mended, never a verdict: ordinary
 * texts have some of it too. Pure; every pattern takes time in proportion to the text.
 */
import { nameCodePoint } from "../kernel/reveal-text.ts";
import { flagName } from "./names.ts";

/** Kinds of findings and what each says, in words that go before the place. */
export const FINDING_WORDS = {
  tag_characters: "characters of a second, unseen text",
  bidi: "characters that turn the reading direction",
  invisible: "characters that can't be seen",
  control: "control characters",
  terminal_escape: "codes that steer a terminal",
  unassigned: "characters without a meaning of their own",
  confusable: "a word that mixes letters which look alike",
  overrides: "asks to set other instructions aside",
  hides_from_user: "asks to keep something from the user",
  orders_model: "tells what to do before or whenever a tool is used",
  shouts: "marks its words as orders",
  takes_context: "asks for the conversation or for instructions",
  names_secrets: "names files that hold secrets",
  sends_away: "names where something is to be sent",
  encoded: "a long encoded run",
  hidden_markup: "markup that is not shown, or that fetches something",
} as const;
export type FindingKind = keyof typeof FINDING_WORDS;

export interface TextFinding {
  readonly kind: FindingKind;
  /** UTF-16 offsets of the first of its kind. */
  readonly start: number;
  readonly end: number;
  readonly count: number;
  /** The different characters, for kinds that are about characters: `U+200B`. */
  readonly codePoints: readonly string[];
}

/** Characters of a text that are looked at; definitions of tools are far shorter. */
export const MAX_LOOKED_CHARACTERS: number = 256 * 1024;
const MAX_NAMED_CODE_POINTS = 8;

const PHRASES: readonly (readonly [FindingKind, RegExp])[] = [
  [
    "overrides",
    /\b(?:ignore|disregard|forget|override|bypass)\s+(?:(?:all|any|of|the|your|my|these|those)\s+){0,3}(?:previous|prior|above|earlier|preceding|system|safety|original)\s+(?:\w+\s+)?(?:instructions?|prompts?|messages?|rules?|directions?|guidelines?|context)\b/gi,
  ],
  [
    "hides_from_user",
    /\b(?:do\s+not|don['’]?t|never|without)\s+(?:ever\s+)?(?:tell(?:ing)?|inform(?:ing)?|notify(?:ing)?|mention(?:ing)?|reveal(?:ing)?|disclos(?:e|ing)|alert(?:ing)?)\b[^.\n]{0,40}?\b(?:user|human|person|operator|anyone|anybody)\b|\b(?:hide|conceal|keep)\s+(?:this|it|that)\s+(?:secret\s+|hidden\s+)?from\s+the\s+(?:user|human|person|operator)\b/gi,
  ],
  [
    "orders_model",
    /\b(?:before|prior\s+to|whenever|after)\s+(?:you\s+)?(?:us(?:e|ing)|call(?:ing)?|invok(?:e|ing)|run(?:ning)?)\s+(?:this|any|all|every|another)\s+(?:other\s+)?tools?\b/gi,
  ],
  [
    "shouts",
    /<\/?(?:important|system|instructions?|hidden|critical|sidenote|system[-_]prompt)\s*>|\[(?:system|inst|\/inst)\]|<\|(?:im_start|im_end|system|assistant|user)\|>/gi,
  ],
  [
    "takes_context",
    /\b(?:include|pass|put|provide|append|add|copy|send|attach|repeat|reveal|print|output)\b[^.\n]{0,60}?\b(?:system\s+prompt|(?:entire|full|whole|complete)\s+(?:conversation|chat)(?:\s+history)?|chain\s+of\s+thought|all\s+previous\s+messages|your\s+(?:instructions|reasoning\s+trace))\b/gi,
  ],
  [
    "names_secrets",
    /\bid_(?:rsa|dsa|ed25519|ecdsa)\b|(?:~|\$HOME|%USERPROFILE%|\/root|\/home\/[\w.-]{1,64})[/\\]\.(?:ssh|aws|gnupg|kube|netrc|npmrc|pypirc|docker|cursor|claude|bash_history|zsh_history|git-credentials|env)\b|\/etc\/(?:passwd|shadow)\b|(?<![\w./-])\.ssh\/|\bmcp\.json\b|\bclaude_desktop_config\.json\b|\bwallet\.dat\b/gi,
  ],
  [
    "sends_away",
    /\b(?:send|forward|upload|transmit|exfiltrate|leak|bcc|copy|mirror)\s+(?:[\w'’./-]{1,32}\s+){0,8}?to\s+(?:https?:\/\/[^\s"'<>)]{3,200}|[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,63})/gi,
  ],
  [
    "hidden_markup",
    /<!--|!\[[^\]\n]{0,200}\]\(\s*(?:https?:|data:|\/\/)|<(?:img|script|iframe|object|embed)\s[^<>]{0,200}|\bdata:[a-z]{1,32}\/[a-z0-9.+-]{1,64};base64,/gi,
  ],
];

const ENCODED = /[A-Za-z0-9+/_-]{80,}={0,2}|(?:\\u[0-9a-f]{4}){8,}|(?:\\x[0-9a-f]{2}){8,}|(?:&#x?[0-9a-f]{2,6};){8,}/gi;

const PLAIN = /^[\t\n\r -~]*$/;
/** What a selector of its look may stand behind, and what is joined to others of its kind. */
const PICTURE = /[\p{Emoji}\p{So}\p{Sm}]/u;
const JOINED = /\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f/u;
/** Writing systems in which joiners are spelling, and right-to-left ones in which marks are. */
const JOINING =
  /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gujarati}\p{Script=Gurmukhi}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Mongolian}]/u;
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}]/u;
const SUSPECT = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\u2800]/gu;
const MEANINGLESS = /^(?:\p{Co}|(?!\p{Default_Ignorable_Code_Point})\p{Cn})$/u;
const BLACK_FLAG = "\u{1f3f4}";
/** A Latin letter beside one of an alphabet that has letters like it. */
const MIXED =
  /[A-Za-z\u00c0-\u024f][\u0370-\u058f\u13a0-\u13ff\u2c80-\u2cff\uab70-\uabbf]|[\u0370-\u058f\u13a0-\u13ff\u2c80-\u2cff\uab70-\uabbf][A-Za-z\u00c0-\u024f]/;
/** Characters, and words, of one text that are judged one by one: each costs, and after so many more say no more. */
const MAX_JUDGED = 1_000;
const WORD = /[\p{L}\p{M}]+/gu;

export function listTextFindings(whole: string): TextFinding[] {
  const text = whole.length > MAX_LOOKED_CHARACTERS ? whole.slice(0, MAX_LOOKED_CHARACTERS) : whole;
  const found = new Map<FindingKind, { start: number; end: number; count: number; codePoints: Set<string> }>();
  const note = (kind: FindingKind, start: number, end: number, codePoint?: string): void => {
    const known = found.get(kind) ?? { start, end, count: 0, codePoints: new Set<string>() };
    known.count++;
    if (codePoint !== undefined && known.codePoints.size < MAX_NAMED_CODE_POINTS) known.codePoints.add(codePoint);
    found.set(kind, known);
  };
  if (!PLAIN.test(text)) lookAtCharacters(text, note);
  for (const [kind, pattern] of PHRASES) for (const match of text.matchAll(pattern)) note(kind, match.index, match.index + match[0].length);
  for (const match of text.matchAll(ENCODED)) if (looksEncoded(match[0])) note("encoded", match.index, match.index + match[0].length);
  return [...found].map(([kind, { codePoints, ...rest }]) => ({ kind, ...rest, codePoints: [...codePoints] }));
}

/** Long names in one case, rules of dashes and paths are no code. */
function looksEncoded(run: string): boolean {
  if (/^[\\&]/.test(run)) return true;
  if (/^[0-9a-f]+$/i.test(run)) return /\d/.test(run) && /[a-f]/i.test(run);
  return /[A-Z]/.test(run) && /[a-z]/.test(run) && /\d/.test(run) && (run.match(/[/_-]/g)?.length ?? 0) < run.length / 10;
}

type Note = (kind: FindingKind, start: number, end: number, codePoint?: string) => void;

function lookAtCharacters(text: string, note: Note): void {
  const readsBack = RIGHT_TO_LEFT.test(text);
  let judged = 0;
  let flagEnds = -1;
  for (const { 0: character, index } of text.matchAll(SUSPECT)) {
    if (++judged > MAX_JUDGED) break;
    const point = character.codePointAt(0) as number;
    const end = index + character.length;
    // The flags of some countries are spelled with tags after a black flag.
    const inFlag = point >= 0xe0020 && point <= 0xe007f && (flagEnds === index || text.slice(index - 2, index) === BLACK_FLAG);
    if (inFlag) flagEnds = end;
    const kind = inFlag ? undefined : judgeCharacter(character, point, lastOf(text, index), firstOf(text, end), readsBack);
    if (kind) note(kind, index, end, nameCodePoint(character));
  }
  if (!MIXED.test(text)) return;
  let words = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (++words > MAX_JUDGED) break;
    const flags = flagName(word);
    if (flags.includes("mixed_script") && flags.includes("confusable")) note("confusable", index, index + word.length);
  }
}

function lastOf(text: string, end: number): string {
  const unit = text.charCodeAt(end - 1);
  return unit >= 0xdc00 && unit <= 0xdfff ? text.slice(end - 2, end) : text.slice(end - 1, end);
}

function firstOf(text: string, start: number): string {
  const point = text.codePointAt(start);
  return point === undefined ? "" : String.fromCodePoint(point);
}

function judgeCharacter(character: string, point: number, before: string, after: string, readsBack: boolean): FindingKind | undefined {
  if (point <= 0x9f) return point === 0x1b || point === 0x9b ? "terminal_escape" : "control";
  if (point >= 0xe0000 && point <= 0xe007f) return "tag_characters";
  if ((point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069)) return "bidi";
  if (point === 0x200e || point === 0x200f || point === 0x061c) return readsBack ? undefined : "bidi";
  if (point === 0xfe0f || point === 0xfe0e) return PICTURE.test(before) ? undefined : "invisible";
  if (point === 0x200d && JOINED.test(before) && JOINED.test(after)) return undefined;
  if ((point === 0x200c || point === 0x200d) && JOINING.test(before)) return undefined;
  return MEANINGLESS.test(character) ? "unassigned" : "invisible";
}
