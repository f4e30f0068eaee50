/**
 * Names that could be taken for other names by a person or a model: invisible or reordering characters, compatibility
 * letters, alphabets mixed within one name. Names are never folded or mended here, only flagged.
 */

export const MAX_TOOL_NAME_CHARACTERS = 256;

export type NameFlag = "empty" | "too_long" | "control" | "bidi" | "invisible" | "blank" | "compatibility" | "mixed_script" | "confusable";

const PLAIN = /^[A-Za-z0-9_./:-]+$/;
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/u;
const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/u;
const ODD_BLANK = /^\p{Zs}|\p{Zs}$|\p{Zs}{2}|[^\P{Zs} ]/u;
const SCRIPTS = [
  /\p{Script=Latin}/u,
  /\p{Script=Cyrillic}/u,
  /\p{Script=Greek}/u,
  /\p{Script=Armenian}/u,
  /\p{Script=Cherokee}/u,
  /\p{Script=Coptic}/u,
] as const;
/** Letters of other alphabets that look like Latin ones, and dashes, dots and slashes that look like ASCII's. */
const LOOKALIKE =
  /[аеорсухѕіјԁԛԝһӏАВЕЅІЈКМНОРСТУХҮοανρυικτχωΑΒΕΖΗΙΚΜΝΟΡΤΥΧօսոցհ\u0131\u0237\u0251\u0261\u2010-\u2015\u2024\u2044\u2212\u2215\u02d0\ua789\u05f4\ua731]/u;

/** What is suspicious about a name; empty for an ordinary one. Other writing systems are ordinary. */
export function flagName(name: string): readonly NameFlag[] {
  if (PLAIN.test(name) && name.length <= MAX_TOOL_NAME_CHARACTERS) return [];
  const flags: NameFlag[] = [];
  if (name === "") return ["empty"];
  if (name.length > MAX_TOOL_NAME_CHARACTERS) flags.push("too_long");
  if (CONTROL.test(name)) flags.push("control");
  if (BIDI.test(name)) flags.push("bidi");
  if (INVISIBLE.test(name)) flags.push("invisible");
  if (ODD_BLANK.test(name)) flags.push("blank");
  if (name.normalize("NFKC") !== name) flags.push("compatibility");
  const scripts = SCRIPTS.filter((script) => script.test(name)).length;
  if (scripts > 1) flags.push("mixed_script");
  if (LOOKALIKE.test(name)) flags.push("confusable");
  return flags;
}
