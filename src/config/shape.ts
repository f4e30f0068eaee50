/**
 * A small vocabulary to describe what a document of ours may hold. One description serves both the check at the start
 * and the JSON Schema for editors, so that the two can't say different things. Never holds a value.
 */

/** How a text is judged beyond its being one; gives what is wrong, in words that never quote it. */
export type TextCheck = (text: string) => string | undefined;

export interface TextShape {
  readonly kind: "text";
  readonly description: string;
  readonly choices?: readonly string[];
  /** For editors alone; `check` decides. */
  readonly pattern?: string;
  readonly check?: TextCheck;
  readonly example?: string;
}

export interface IntegerShape {
  readonly kind: "integer";
  readonly description: string;
  readonly min: number;
  readonly max: number;
}

export interface ListShape {
  readonly kind: "list";
  readonly description: string;
  readonly items: Shape;
  readonly max: number;
}

/** Keys that the user chooses: `names` says which. */
export interface MapShape {
  readonly kind: "map";
  readonly description: string;
  readonly values: Shape;
  readonly names: TextShape;
  readonly max: number;
}

export interface ObjectShape {
  readonly kind: "object";
  readonly description: string;
  readonly keys: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  /** Exactly one of these keys stands there, and the keys in its list only beside it. */
  readonly oneOf?: Readonly<Record<string, readonly string[]>>;
}

/** `true`, or an object that says more. */
export interface ToggleShape {
  readonly kind: "toggle";
  readonly description: string;
  readonly object: ObjectShape;
}

/** A whole policy document, read by the policy language itself. */
export interface DocumentShape {
  readonly kind: "document";
  readonly description: string;
}

export type Shape = TextShape | IntegerShape | ListShape | MapShape | ObjectShape | ToggleShape | DocumentShape;
