// A secondary index of few records a group (the instances of a service, the checks of an instance): a list a group, in
// the order of the records' keys. A look-up is one hash and gives the list itself; a write moves the rest of the list.

/** The list of one group: keys and values side by side. */
interface Group<V> {
  keys: string[];
  values: V[];
}

const NONE: readonly never[] = [];

/** Lists of values by group, each in the order of keys (by code unit). */
export interface Groups<V> {
  /** Puts a value at its key in a group. */
  set(group: string, key: string, value: V): void;
  /** Takes the value at a key out of a group; nothing to do when there is none. */
  delete(group: string, key: string): void;
  /** The group's values in order: the list itself, which later writes change. Copy what is kept. */
  list(group: string): readonly V[];
  /** True when the group has a value. */
  has(group: string): boolean;
}

/** The lists in memory. */
export class GroupIndex<V> implements Groups<V> {
  readonly #groups: Map<string, Group<V>> = new Map();

  set(group: string, key: string, value: V): void {
    const found = this.#groups.get(group);
    if (found === undefined) {
      this.#groups.set(group, { keys: [key], values: [value] });
      return;
    }
    const at = position(found.keys, key);
    if (found.keys[at] === key) {
      found.values[at] = value;
      return;
    }
    found.keys.splice(at, 0, key);
    found.values.splice(at, 0, value);
  }

  delete(group: string, key: string): void {
    const found = this.#groups.get(group);
    if (found === undefined) return;
    const at = position(found.keys, key);
    if (found.keys[at] !== key) return;
    if (found.keys.length === 1) {
      this.#groups.delete(group);
      return;
    }
    found.keys.splice(at, 1);
    found.values.splice(at, 1);
  }

  list(group: string): readonly V[] {
    return this.#groups.get(group)?.values ?? NONE;
  }

  has(group: string): boolean {
    return this.#groups.has(group);
  }
}

/** The first position whose key is at or above `key`. */
function position(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
