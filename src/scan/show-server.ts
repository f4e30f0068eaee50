/**
 * A server's command or address as it may be shown: only words that are plainly no credential, the rest left out. What was
 * left out is given apart, so that nothing else repeats it.
 */
import { isPlainValue } from "../config/plain-value.ts";
import { revealText } from "../kernel/reveal-text.ts";

const SECRET_FLAG = /^--?[\w-]*(?:auth|bearer|cookie|credential|header|key|pass|pwd|secret|session|sig|token)[\w-]*$/i;
const FLAG = /^--?[A-Za-z][A-Za-z-]{0,40}$/;
/** A package, with its version. */
const PACKAGE =
  /^(?:@[a-z][a-z0-9-]{0,40}\/)?[a-z]+\d{0,4}[a-z]*(?:[-_.](?:[a-z]+\d{0,4}[a-z]*|\d{1,4}))*(?:@(?:latest|next|\d+(?:\.\d+){0,2}))?$/;
const TOKEN = /^(?:sk|pk|rk|ghp|gho|ghs|ghu|glpat|xox[a-z]|shpat|hf|eyJ|AKIA|sp[ga])[-_A-Za-z0-9]{6,}|^Bearer /;
const MAX_SHOWN_ARGUMENTS = 12;
const MAX_SHOWN_CHARACTERS = 120;
const LEFT_OUT = "…";

/** Whether an argument may be shown, given the one before it. */
export function isPlainArgument(argument: string, before: string | undefined): boolean {
  if (before !== undefined && SECRET_FLAG.test(before)) return false;
  if (argument.length > MAX_SHOWN_CHARACTERS || TOKEN.test(argument)) return false;
  if (SECRET_FLAG.test(argument) || FLAG.test(argument) || PACKAGE.test(argument)) return true;
  const assigned = /^(--?[A-Za-z][\w-]*)=(.*)$/s.exec(argument);
  if (assigned) return !SECRET_FLAG.test(assigned[1] as string) && isPlainArgument(assigned[2] as string, undefined);
  return isPlainValue(argument) || isPlainPath(argument);
}

/** `node_modules/@scope/name/dist/index.js`: every part has to be plain by itself. */
function isPlainPath(argument: string): boolean {
  return (
    argument.includes("/") &&
    argument.split("/").every((part) => part === "" || /^\.{1,2}$/.test(part) || PACKAGE.test(part) || /^@[a-z-]+$/.test(part))
  );
}

export function showCommand(command: string, args: readonly string[]): string {
  const shown = args
    .slice(0, MAX_SHOWN_ARGUMENTS)
    .map((argument, index) => (isPlainArgument(argument, args[index - 1]) ? argument : LEFT_OUT));
  if (args.length > MAX_SHOWN_ARGUMENTS) shown.push(LEFT_OUT);
  return revealText([isPlainArgument(command, undefined) ? command : LEFT_OUT, ...shown].join(" "));
}

/** Without its query and without path segments that may be keys. */
export function showUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return LEFT_OUT;
  const path = url.pathname
    .split("/")
    .map((segment) => (segment === "" || PACKAGE.test(segment) || isPlainValue(segment) ? segment : LEFT_OUT))
    .join("/");
  return revealText(`${url.protocol}//${url.host}${path}${url.search === "" ? "" : `?${LEFT_OUT}`}`);
}

export function listHiddenArguments(args: readonly string[]): string[] {
  return args.flatMap((argument, index) => {
    if (isPlainArgument(argument, args[index - 1])) return [];
    const value = /^--?[A-Za-z][\w-]*=(.*)$/s.exec(argument)?.[1];
    return value === undefined ? [argument] : [argument, value];
  });
}
