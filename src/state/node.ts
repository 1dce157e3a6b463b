// The table of nodes, by name, by ID and by address.

import type { Node } from "../types/records.ts";
import { GroupIndex } from "./group-index.ts";
import { fold, prefixEnd } from "./key.ts";
import { createOrderedMap } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";

/** What may be the beginning of a node's ID. Consul asks for two characters. */
const ID_PREFIX = /^[0-9a-f-]{2,36}$/i;

/** Nodes; the key is the folded name. */
export class NodeTable {
  readonly records: OrderedMap<Node> = createOrderedMap<Node>();
  readonly #byId: OrderedMap<Node> = createOrderedMap<Node>();
  readonly #byAddress: GroupIndex<Node> = new GroupIndex();

  write(key: string, before: Node | null, after: Node | null): void {
    if (before !== null) {
      if (before.ID !== "") this.#byId.delete(fold(before.ID));
      this.#byAddress.delete(fold(before.Address), key);
    }
    if (after === null) {
      this.records.delete(key);
      return;
    }
    this.records.set(key, after);
    if (after.ID !== "") this.#byId.set(fold(after.ID), after);
    this.#byAddress.set(fold(after.Address), key, after);
  }

  get(name: string): Node | undefined {
    return this.records.get(fold(name));
  }

  byId(id: string): Node | undefined {
    return this.#byId.get(fold(id));
  }

  /** The one node whose ID begins so; undefined when there is none or more than one. */
  byIdPrefix(prefix: string): Node | undefined {
    if (!mayBeIdPrefix(prefix)) return undefined;
    const folded = fold(prefix);
    let found: Node | undefined;
    let count = 0;
    this.#byId.visit(folded, prefixEnd(folded), (node) => {
      found = node;
      count++;
      return count < 2;
    });
    return count === 1 ? found : undefined;
  }

  /** The first node, by name, that has the address. */
  byAddress(address: string): Node | undefined {
    return this.#byAddress.list(fold(address))[0];
  }
}

/** True when the text can be an ID's beginning, so that what it names depends on all nodes. */
export function mayBeIdPrefix(text: string): boolean {
  return ID_PREFIX.test(text);
}
