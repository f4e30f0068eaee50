/**
 * A chain of the log: each line ends with the hash of the line before it and with its own, which covers every byte of
 * the line up to there. To check a line by hand: cut `,"hash":"…"}` off its end and take SHA-256 of the rest.
 */
import { hash } from "node:crypto";

/** Stands where the first entry names the one before it. */
export const NO_HASH: string = "0".repeat(64);

const HASH_START = ',"hash":"';
const HASH_TAIL_CHARACTERS: number = HASH_START.length + 64 + 2;
const HASH_TAIL = /^,"hash":"([0-9a-f]{64})"\}$/;
const PREV_TAIL_CHARACTERS: number = ',"prev":""'.length + 64;
const PREV_TAIL = /^,"prev":"([0-9a-f]{64})"$/;
const HEAD = /^\{"seq":([1-9]\d{0,12}),(?:"chain":([1-9]\d{0,2}),)?"id":"([0-9a-z]{1,64})",/;

/** A line as it is stored and exported, and its hash. */
export interface SealedLine {
  readonly line: string;
  readonly hash: string;
}

export function sealLine(body: string): SealedLine {
  const own = hash("sha256", body);
  return { line: `${body}${HASH_START}${own}"}`, hash: own };
}

export interface ReadLine {
  /** Lines of the first chain don't name it. */
  readonly chain: number;
  readonly seq: number;
  readonly id: string;
  readonly prev: string;
  readonly hash: string;
  /** Whether the line's own hash holds. */
  readonly whole: boolean;
}

/** The chain's part of a line; undefined where it is not a line of this log at all. */
export function readLine(line: string): ReadLine | undefined {
  const end = line.length - HASH_TAIL_CHARACTERS;
  const own = HASH_TAIL.exec(line.slice(Math.max(0, end)))?.[1];
  const body = line.slice(0, Math.max(0, end));
  const head = HEAD.exec(body);
  const prev = PREV_TAIL.exec(body.slice(-PREV_TAIL_CHARACTERS))?.[1];
  if (own === undefined || head === null || prev === undefined) return undefined;
  return { chain: Number(head[2] ?? 0), seq: Number(head[1]), id: head[3] as string, prev, hash: own, whole: hash("sha256", body) === own };
}
