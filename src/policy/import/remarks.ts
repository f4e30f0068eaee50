/**
 * What an import has to say: faults, which end it; losses, which have no equal here and end it unless they are allowed;
 * and notes on what is said in another way. Each with the place in the older document.
 */
import type { Failure, Place } from "../../kernel/failure.ts";
import type { Inspector } from "../inspector.ts";

export interface Remark {
  readonly message: string;
  readonly at: Place;
}

export class Remarks {
  readonly inspector: Inspector;
  readonly losses: Remark[] = [];
  readonly notes: Remark[] = [];
  /** Pointer in the new document → pointer in the older one that it comes from. */
  readonly origins: Map<string, string> = new Map();
  readonly #told = new Set<string>();

  constructor(inspector: Inspector) {
    this.inspector = inspector;
  }

  fault(pointer: string, message: string): undefined {
    return this.inspector.fault(pointer, message);
  }

  /** Something that this language has no words for. */
  lose(pointer: string, message: string, options: { readonly key?: boolean } = {}): undefined {
    this.losses.push({ message, at: this.inspector.locate(pointer, options.key) });
  }

  note(pointer: string, message: string): undefined {
    this.notes.push({ message, at: this.inspector.locate(pointer) });
  }

  /** A note that is told once, where it first applies. */
  noteOnce(pointer: string, message: string): undefined {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.note(pointer, message);
  }

  /** The place in the older document of something in the new one. */
  findOrigin(pointer: string): Place {
    for (let at = pointer; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
      const origin = this.origins.get(at);
      if (origin !== undefined) return this.inspector.locate(origin);
    }
    return this.inspector.locate("");
  }

  get failures(): readonly Failure[] {
    return this.inspector.failures;
  }

  /** Losses as failures, for an import that may not lose anything. */
  refuseLosses(): readonly Failure[] {
    const hint = "With `--lossy` it is left out.";
    return this.losses.map(({ message, at }) => ({ code: "not_importable", message, at, hint }));
  }
}
