/**
 * Collects everything that is wrong with a document, each with its place, while its parts are read. Reading goes on
 * after a fault, so that all are told at once; what was read is used only where there is none.
 */

import { decimalOf, isIntegral } from "../kernel/decimal.ts";
import type { Failure, FailureCode, Place } from "../kernel/failure.ts";
import { isJsonList, isJsonNumber, isJsonObject, type Json, type JsonList, type JsonObject, readMember } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";

/** Failures that are told of one document; one more says that there are more. */
export const MAX_TOLD_FAILURES = 1000;

/** Where the value (or, with `key`, its key) at a pointer stands. */
export type FindPlace = (pointer: string, options: { readonly key?: boolean }) => Place;

export class Inspector {
  readonly failures: Failure[] = [];
  readonly #findPlace: FindPlace;

  constructor(findPlace: FindPlace) {
    this.#findPlace = findPlace;
  }

  fault(
    pointer: string,
    message: string,
    options: { readonly key?: boolean; readonly code?: FailureCode; readonly hint?: string } = {},
  ): undefined {
    if (this.failures.length > MAX_TOLD_FAILURES) return;
    const told = this.failures.length === MAX_TOLD_FAILURES ? "There are more errors than these." : message;
    const { code = "invalid_document", hint } = options;
    this.failures.push({ code, message: told, at: this.locate(pointer, options.key), ...(hint === undefined ? {} : { hint }) });
  }

  locate(pointer: string, key = false): Place {
    return { pointer, ...this.#findPlace(pointer, { key }) };
  }

  /** An object that holds no other keys than these, all of `required` among them. */
  readObject(
    value: Json,
    pointer: string,
    what: string,
    keys: readonly string[],
    required: readonly string[] = [],
  ): JsonObject | undefined {
    if (!isJsonObject(value)) return this.fault(pointer, `${what} has to be an object.`);
    this.checkKeys(value, pointer, keys);
    for (const key of required) {
      if (!Object.hasOwn(value, key)) this.fault(`${pointer}/${key}`, `${what} needs a \`${key}\`.`);
    }
    return value;
  }

  checkKeys(object: JsonObject, pointer: string, keys: readonly string[]): void {
    for (const key of Object.keys(object)) {
      if (keys.includes(key)) continue;
      const hint = `Known here: ${keys.join(", ")}.`;
      this.fault(`${pointer}/${escapePointer(key)}`, `The key \`${key}\` is not known here.`, { key: true, hint });
    }
  }

  readList(value: Json, pointer: string, what: string, bound: number): JsonList | undefined {
    if (!isJsonList(value)) return this.fault(pointer, `${what} has to be a list.`);
    return value.length > bound ? this.fault(pointer, `${what} holds at most ${bound} elements.`) : value;
  }

  readText(value: Json, pointer: string, what: string, maxCharacters: number): string | undefined {
    if (typeof value !== "string") return this.fault(pointer, `${what} has to be a text.`);
    return value.length > maxCharacters ? this.fault(pointer, `${what} has at most ${maxCharacters} characters.`) : value;
  }

  readChoice<T extends string>(value: Json, pointer: string, choices: readonly T[]): T | undefined {
    if (typeof value === "string" && choices.includes(value as T)) return value as T;
    return this.fault(pointer, `This has to be one of ${choices.map((choice) => `\`${choice}\``).join(", ")}.`);
  }
}

/** A whole number that a double holds exactly, in whatever spelling; undefined where it is none. */
export function readWhole(value: Json): number | undefined {
  if (!isJsonNumber(value)) return undefined;
  const decimal = decimalOf(value);
  const whole = Number(String(value));
  return decimal !== undefined && isIntegral(decimal) && Number.isSafeInteger(whole) ? whole + 0 : undefined;
}

/** Reads the member of an object with `read`, if it is there. */
export function readOptional<T>(
  object: JsonObject,
  key: string,
  pointer: string,
  read: (value: Json, pointer: string) => T | undefined,
): T | undefined {
  const value = readMember(object, key);
  return value === undefined ? undefined : read(value, `${pointer}/${key}`);
}

/** The object without its undefined members, frozen. */
export function freezeGiven<T extends object>(members: { readonly [K in keyof T]: T[K] | undefined }): T {
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(members)) if (value !== undefined) given[key] = value;
  return Object.freeze(given) as T;
}
