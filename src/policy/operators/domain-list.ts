/**
 * A list of domain names, some of them `*.example.com`: any depth below, not the apex. Names are compared in A-form,
 * lower case, as whole texts; a lookup costs one step for each label, however long the list is.
 */

export interface DomainList {
  add(pattern: DomainPattern): void;
  has(domain: string): boolean;
}

export interface DomainPattern {
  /** Lower case, A-form, without `*.`. */
  readonly name: string;
  readonly below: boolean;
}

export function createDomainList(): DomainList {
  const exact = new Set<string>();
  const parents = new Set<string>();
  return {
    add({ name, below }): void {
      (below ? parents : exact).add(name);
    },
    has(domain): boolean {
      if (exact.has(domain)) return true;
      if (parents.size === 0) return false;
      for (let dot = domain.indexOf("."); dot !== -1; dot = domain.indexOf(".", dot + 1)) {
        // A name that begins with a dot has no label to stand for the star.
        if (dot > 0 && parents.has(domain.slice(dot + 1))) return true;
      }
      return false;
    },
  };
}
