/**
 * Where values stand in the text that they were read from: a tree beside the values, asked by JSON Pointer or member by
 * member. It stands in the path of each call, so that nothing is spelled and nothing is looked up before somebody asks.
 */

/** Offsets (UTF-16) of one value in the text; `key` is where its member name begins, or the value itself in lists. */
export interface JsonSpan {
  readonly start: number;
  readonly end: number;
  readonly key: number;
}

/** Up to here going through the members is quicker than a table of them. */
const FEW_MEMBERS = 16;
const INDEX = /^(?:0|[1-9]\d{0,15})$/;

export class SpanNode implements JsonSpan {
  /** The name of the member; empty for the top value and in lists. */
  readonly name: string;
  readonly key: number;
  readonly start: number;
  end = 0;
  isList = false;
  #children: SpanNode[] | undefined;
  #byName: Map<string, SpanNode> | undefined;

  constructor(name: string, key: number, start: number) {
    this.name = name;
    this.key = key;
    this.start = start;
  }

  add(child: SpanNode): void {
    if (this.#children) this.#children.push(child);
    else this.#children = [child];
  }

  /** A member of this object, by its name as it was meant. */
  member(name: string): SpanNode | undefined {
    const children = this.#children;
    if (!children || this.isList) return undefined;
    if (children.length > FEW_MEMBERS) return (this.#byName ??= new Map(children.map((child) => [child.name, child]))).get(name);
    for (const child of children) if (child.name === name) return child;
    return undefined;
  }

  /** The same object without one member: what a text has in place of it may be added. */
  without(name: string): SpanNode {
    const copy = new SpanNode(this.name, this.key, this.start);
    copy.end = this.end;
    for (const child of this.#children ?? []) if (child.name !== name) copy.add(child);
    return copy;
  }

  /** By JSON Pointer; undefined where there is no such value, or none that was to be noted. */
  get(pointer: string): SpanNode | undefined {
    if (pointer === "") return this;
    return pointer.startsWith("/") ? walk(this, pointer.slice(1).split("/")) : undefined;
  }

  /** By one part of a pointer, as it is spelt there. */
  step(part: string): SpanNode | undefined {
    if (this.isList) return INDEX.test(part) ? this.#children?.[Number(part)] : undefined;
    return this.member(part.includes("~") ? part.replaceAll("~1", "/").replaceAll("~0", "~") : part);
  }
}

function walk(top: SpanNode, parts: readonly string[]): SpanNode | undefined {
  let node: SpanNode | undefined = top;
  for (const part of parts) node = node?.step(part);
  return node;
}

/** Of what was read without noting anything. */
export const NO_SPANS: SpanNode = new SpanNode("", 0, 0);
