/**
 * Identifiers that sort by time: 48 bits of milliseconds, 80 random bits, in Crockford's base 32, 26 characters,
 * lower case. Within one millisecond they rise too, so that ids of one process never go backwards.
 */
import { randomFillSync } from "node:crypto";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const RANDOM_BYTES = 10;
const POOL_BYTES = RANDOM_BYTES * 128;

const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;
let lastMs = 0;
let lastTime = "";
const lastRandom = new Uint8Array(16);

function nextRandom(): void {
  if (used >= POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  for (let index = 0; index < 16; index++) lastRandom[index] = 0;
  let accumulator = 0;
  let bits = 0;
  let place = 0;
  for (let index = 0; index < RANDOM_BYTES; index++) {
    accumulator = (accumulator << 8) | (pool[used + index] as number);
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      lastRandom[place++] = (accumulator >> bits) & 31;
    }
  }
  // The top bit stays clear, so that counting up within a millisecond has room.
  lastRandom[0] = (lastRandom[0] as number) & 15;
  used += RANDOM_BYTES;
}

function countUp(): void {
  for (let index = 15; index >= 0; index--) {
    if ((lastRandom[index] as number) < 31) {
      lastRandom[index] = (lastRandom[index] as number) + 1;
      return;
    }
    lastRandom[index] = 0;
  }
}

/** A new id for the time `nowMs` (Unix milliseconds). */
export function createId(nowMs: number): string {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    let rest = Math.floor(nowMs);
    lastTime = "";
    for (let index = 0; index < 10; index++) {
      lastTime = ALPHABET.charAt(rest % 32) + lastTime;
      rest = Math.floor(rest / 32);
    }
    nextRandom();
  } else {
    countUp();
  }
  let text = lastTime;
  for (let index = 0; index < 16; index++) text += ALPHABET.charAt(lastRandom[index] as number);
  return text;
}
