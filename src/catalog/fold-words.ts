/**
 * A stranger's text as words to be looked up: compatibility letters, marks, unseen characters and letters that pass for
 * Latin ones are folded, names are cut where their writers meant it. Every word knows where it stands in the text as it
 * was written. Pure, and takes time in proportion to the text, of which a bounded part is read.
 */

/** Characters of one text that are looked at, as it was written and as it is folded: some unfold into many. */
export const MAX_FOLDED_CHARACTERS: number = 16 * 1024;

export interface Word {
  /** Folded, in lower case. */
  readonly text: string;
  /** UTF-16 offsets in the text as it was written. */
  readonly start: number;
  readonly end: number;
}

const ASCII = /^[\t\n\r -~]*$/;
const DROPPED = /[\p{Default_Ignorable_Code_Point}\p{Mn}\p{Cc}]/u;
const LOOKALIKES: ReadonlyMap<string, string> = new Map(
  (
    [
      ["аеорсухѕіјԁԛԝһӏѵԍ", "aeopcyxsijdqwhlvg"],
      ["АВЕЅІЈКМНОРСТУХҮԌ", "ABESIJKMHOPCTYXYG"],
      ["οανρυικτχωε", "oavpuiktxwe"],
      ["ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"],
      ["օսոցհıɑɡʟ", "ounghiagl"],
    ] as const
  ).flatMap(([from, to]) => [...from].map((letter, index) => [letter, [...to][index] as string] as const)),
);

/** Characters whose folding is remembered, since it costs far more than to look it up. */
const MAX_REMEMBERED = 8_192;
const remembered = new Map<string, string>();

function foldCharacter(character: string): string {
  let folded = remembered.get(character);
  if (folded !== undefined) return folded;
  folded = "";
  for (const part of character.normalize("NFKD")) {
    const letter = part === "\n" || part === "\t" ? " " : (LOOKALIKES.get(part) ?? part);
    if (part === "\n" || part === "\t" || !DROPPED.test(letter)) folded += letter;
  }
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  remembered.set(character, folded);
  return folded;
}

interface Folded {
  readonly text: string;
  /** Where each unit of the folded text stood; undefined where nothing moved. */
  readonly offsets: readonly number[] | undefined;
}

function fold(whole: string): Folded {
  const text = whole.length > MAX_FOLDED_CHARACTERS ? whole.slice(0, MAX_FOLDED_CHARACTERS) : whole;
  if (ASCII.test(text)) return { text, offsets: undefined };
  let folded = "";
  const offsets: number[] = [];
  let at = 0;
  for (const character of text) {
    const letters = foldCharacter(character);
    if (folded.length + letters.length > MAX_FOLDED_CHARACTERS) break;
    for (let unit = 0; unit < letters.length; unit++) offsets.push(at);
    folded += letters;
    at += character.length;
  }
  offsets.push(at);
  return { text: folded, offsets };
}

/** Cut between a small and a capital letter, before the last of several capitals, and around digits. */
const NAME_WORD = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\x00-\x7f]+/g;

/** Words of a name: `getUserByID`, `delete_user`, `k8s.pods-list`. */
export function splitName(name: string): Word[] {
  return cut(fold(name), NAME_WORD);
}

const TEXT_WORD = /[A-Za-z]+(?:['’][a-z]+)?|\d+|[^\x00-\x7f]+|[.!?;:,/&()|]|\n/g;

/** Words of a sentence, with the signs that part its clauses. */
export function splitText(text: string): Word[] {
  return cut(fold(text), TEXT_WORD);
}

function cut({ text, offsets }: Folded, pattern: RegExp): Word[] {
  const words: Word[] = [];
  for (const { 0: word, index } of text.matchAll(pattern)) {
    const end = index + word.length;
    const start = offsets === undefined ? index : (offsets[index] as number);
    words.push({ text: word.toLowerCase(), start, end: offsets === undefined ? end : (offsets[end] as number) });
  }
  return words;
}

/** The folded text itself, for patterns that ask whether something is said at all. */
export function foldText(text: string): string {
  return fold(text).text.toLowerCase();
}
