// The table of service instances, by node, by name, by what they connect to and by address; and what is derived of them:
// the names with the union of their tags, and counts.

import type { NodeService } from "../types/records.ts";
import type { ServiceName } from "./change.ts";
import { fold, keyOf, SEPARATOR } from "./key.ts";
import { collect, createOrderedMap, hasPrefix } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";
import { connectTarget } from "./topic.ts";

/** How many instances of one name have each tag; `sorted` is null when the set of tags moved. */
interface TagCounts {
  counts: Map<string, number>;
  sorted: readonly string[] | null;
}

/** Instances; the key is node and service ID. */
export class ServiceTable {
  readonly records: OrderedMap<NodeService> = createOrderedMap<NodeService>();
  /** The derived table `service-names`, by folded name. */
  readonly names: OrderedMap<ServiceName> = createOrderedMap<ServiceName>();
  /** Name, node and ID. */
  readonly #byName: OrderedMap<NodeService> = createOrderedMap<NodeService>();
  /** Connect target, node and ID. */
  readonly #byTarget: OrderedMap<NodeService> = createOrderedMap<NodeService>();
  /** Address, node and ID, of those that have an address. */
  readonly #byAddress: OrderedMap<NodeService> = createOrderedMap<NodeService>();
  readonly #tags: Map<string, TagCounts> = new Map();
  readonly #kinds: Map<string, number> = new Map();
  #billable = 0;

  write(key: string, before: NodeService | null, after: NodeService | null): void {
    if (before !== null) this.#unindex(key, before);
    if (after === null) this.records.delete(key);
    else {
      this.records.set(key, after);
      this.#index(key, after);
    }
  }

  #index(key: string, service: NodeService): void {
    this.#byName.set(fold(service.Service) + SEPARATOR + key, service);
    const target = connectTarget(service);
    if (target !== null) this.#byTarget.set(fold(target) + SEPARATOR + key, service);
    if (service.Address !== "") this.#byAddress.set(fold(service.Address) + SEPARATOR + key, service);
    this.#count(service, 1);
  }

  #unindex(key: string, service: NodeService): void {
    this.#byName.delete(fold(service.Service) + SEPARATOR + key);
    const target = connectTarget(service);
    if (target !== null) this.#byTarget.delete(fold(target) + SEPARATOR + key);
    if (service.Address !== "") this.#byAddress.delete(fold(service.Address) + SEPARATOR + key);
    this.#count(service, -1);
  }

  #count(service: NodeService, by: 1 | -1): void {
    if (service.Kind !== "") add(this.#kinds, service.Kind, by);
    if (service.Connect["Native"] === true) add(this.#kinds, "connect-native", by);
    if (isBillable(service)) this.#billable += by;
    const name = fold(service.Service);
    let tags = this.#tags.get(name);
    if (tags === undefined) this.#tags.set(name, (tags = { counts: new Map(), sorted: null }));
    for (const tag of service.Tags) if (add(tags.counts, tag, by)) tags.sorted = null;
    if (tags.counts.size === 0) this.#tags.delete(name);
  }

  /** What `service-names` should say of a folded name, by its instances now; null when it has none. */
  deriveName(name: string): ServiceName | null {
    const first = this.firstNamed(name);
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

  /** The first instance of a folded name: its spelling is the one that lists show. */
  firstNamed(name: string): NodeService | undefined {
    const found = this.#byName.first(name + SEPARATOR);
    return found !== undefined && found[0].startsWith(name + SEPARATOR) ? found[1] : undefined;
  }

  /** True when an instance connects to the folded name. */
  hasTarget(name: string): boolean {
    return hasPrefix(this.#byTarget, name + SEPARATOR);
  }

  /** The instances on a node, by ID. */
  onNode(node: string): NodeService[] {
    return collect(this.records, fold(node) + SEPARATOR);
  }

  /** The instances of a service, by node and ID. */
  named(name: string): NodeService[] {
    return collect(this.#byName, fold(name) + SEPARATOR);
  }

  /** The instances that connect to a service, by node and ID. */
  targeting(name: string): NodeService[] {
    return collect(this.#byTarget, fold(name) + SEPARATOR);
  }

  /** All instances, by name, node and ID. */
  all(): NodeService[] {
    return collect(this.#byName, "");
  }

  /** The first instance, by node and ID, that has the address. */
  byAddress(address: string): NodeService | undefined {
    const prefix = fold(address) + SEPARATOR;
    const found = this.#byAddress.first(prefix);
    return found !== undefined && found[0].startsWith(prefix) ? found[1] : undefined;
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
