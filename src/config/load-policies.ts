/**
 * The policies that a configuration names: read from their files or taken as they stand in it, parsed, and held against
 * each other where they share counters. Errors of a file are told at their places in that file, and files that two
 * policies name are read once.
 */
import path from "node:path";
import type { Failure, Place, Result } from "../kernel/failure.ts";
import { isJsonObject, type JsonObject, readMember } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { memberObject, textOf } from "./check-references.ts";
import type { ShapeContext } from "./check-shape.ts";
import type { ConfigSource } from "./config.ts";
import { MAX_POLICY_BYTES, readSource } from "./read-source.ts";
