// The table of service instances, by node, by name, by what they connect to and by address; and what is derived of them:
// the names with the union of their tags, and counts.

import type { NodeService } from "../types/records.ts";
import type { ServiceName } from "./change.ts";
import { GroupIndex } from "./group-index.ts";
import { fold, keyOf } from "./key.ts";
import { createOrderedMap } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";
import { connectTarget } from "./topic.ts";

/** How many instances of one name have each tag; `sorted` is null when the set of tags moved. */
interface TagCounts {
  counts: Map<string, number>;
  sorted: readonly string[] | null;
}

/** Instances; the key is node and service ID. The lists given are the table's own: copy what is kept. */
export class ServiceTable {
  readonly records: OrderedMap<NodeService> = createOrderedMap<NodeService>();
  /** The derived table `service-names`, by folded name. */
  readonly names: OrderedMap<ServiceName> = createOrderedMap<ServiceName>();
  readonly #byNode: GroupIndex<NodeService> = new GroupIndex();
  readonly #byName: GroupIndex<NodeService> = new GroupIndex();
  readonly #byTarget: GroupIndex<NodeService> = new GroupIndex();
  /** Of those that have an address of their own. */
  readonly #byAddress: GroupIndex<NodeService> = new GroupIndex();
  readonly #tags: Map<string, TagCounts> = new Map();
  readonly #kinds: Map<string, number> = new Map();
  #billable = 0;

  write(key: string, before: NodeService | null, after: NodeService | null): void {
    if (before !== null) this.#unindex(key, before, after);
    if (after === null) this.records.delete(key);
    else {
      this.records.set(key, after);
      this.#index(key, after);
    }
  }

  #index(key: string, service: NodeService): void {
    this.#byNode.set(fold(service.Node), key, service);
    this.#byName.set(fold(service.Service), key, service);
    const target = connectTarget(service);
    if (target !== null) this.#byTarget.set(fold(target), key, service);
    if (service.Address !== "") this.#byAddress.set(fold(service.Address), key, service);
    this.#count(service, 1);
  }

  /** Takes out of the indexes what `after` will not put in its place. */
  #unindex(key: string, service: NodeService, after: NodeService | null): void {
    if (after === null) this.#byNode.delete(fold(service.Node), key);
    if (after === null || after.Service !== service.Service) this.#byName.delete(fold(service.Service), key);
    const target = connectTarget(service);
    if (target !== null) this.#byTarget.delete(fold(target), key);
    if (service.Address !== "") this.#byAddress.delete(fold(service.Address), key);
    this.#count(service, -1);
  }

  #count(service: NodeService, by: 1 | -1): void {
    if (service.Kind !== "") add(this.#kinds, service.Kind, by);
    if (service.Connect["Native"] === true) add(this.#kinds, "connect-native", by);
    if (isBillable(service)) this.#billable += by;
    if (service.Tags.length === 0) return;
    const name = fold(service.Service);
    let tags = this.#tags.get(name);
    if (tags === undefined) this.#tags.set(name, (tags = { counts: new Map(), sorted: null }));
    for (const tag of service.Tags) if (add(tags.counts, tag, by)) tags.sorted = null;
    if (tags.counts.size === 0) this.#tags.delete(name);
  }

  /** What `service-names` should say of a folded name, by its instances now; null when it has none. */
  deriveName(name: string): ServiceName | null {
    // The first instance's spelling is the one that lists show.
    const first = this.#byName.list(name)[0];
    if (first === undefined) return null;
    const tags = this.#tags.get(name);
    if (tags === undefined) return { Name: first.Service, Tags: [] };
    tags.sorted ??= [...tags.counts.keys()].sort(byCodeUnit);
    return { Name: first.Service, Tags: tags.sorted };
  }

  /** Derives every name: after a load. */
  deriveNames(): void {
    for (const [, service] of this.records.scan()) {
      const name = fold(service.Service);
      if (!this.names.has(name)) this.writeName(name, this.deriveName(name));
    }
  }

  writeName(name: string, after: ServiceName | null): void {
    if (after === null) this.names.delete(name);
    else this.names.set(name, after);
  }

  get(node: string, id: string): NodeService | undefined {
    return this.records.get(keyOf(node, id));
  }

  /** The instances on a node, by ID. */
  onNode(node: string): readonly NodeService[] {
    return this.#byNode.list(fold(node));
  }

  /** The instances of a service, by node and ID. */
  named(name: string): readonly NodeService[] {
    return this.#byName.list(fold(name));
  }

  /** The instances that connect to a service, by node and ID. */
  targeting(name: string): readonly NodeService[] {
    return this.#byTarget.list(fold(name));
  }

  /** All instances, by name, node and ID. */
  all(): NodeService[] {
    const all: NodeService[] = [];
    this.names.visit(null, null, (_, name) => {
      for (const service of this.#byName.list(name)) all.push(service);
    });
    return all;
  }

  /** The first instance, by node and ID, that has the address. */
  byAddress(address: string): NodeService | undefined {
    return this.#byAddress.list(fold(address))[0];
  }

  /** Instances by kind, and `connect-native`. */
  get kinds(): ReadonlyMap<string, number> {
    return this.#kinds;
  }

  /** Instances of a typical kind that are not Consul itself. */
  get billable(): number {
    return this.#billable;
  }
}

function isBillable(service: NodeService): boolean {
  return service.Kind === "" && service.Service !== "consul";
}

/** True when the counter came or went. */
function add(counts: Map<string, number>, name: string, by: 1 | -1): boolean {
  const count = (counts.get(name) ?? 0) + by;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
  return count === 0 || (count === 1 && by === 1);
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
