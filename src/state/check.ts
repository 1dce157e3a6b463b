// The table of health checks, by node, by instance, by service name and by status; and the one write that they all pass,
// which dooms the sessions that a check no longer carries.

import type { HealthCheck, NodeService } from "../types/records.ts";
import { GroupIndex } from "./group-index.ts";
import { exact, fold, join, keyOf, under } from "./key.ts";
import { collect, createOrderedMap, hasPrefix } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";
import type { Tables } from "./tables.ts";
import { instanceTopics } from "./topic.ts";
import type { Transaction } from "./transaction.ts";

/** Checks; the key is node and check ID. The lists given are the table's own: copy what is kept. */
export class CheckTable {
  readonly records: OrderedMap<HealthCheck> = createOrderedMap<HealthCheck>();
  readonly #byNode: GroupIndex<HealthCheck> = new GroupIndex();
  /** By node and service ID, which is "" for the node's own. */
  readonly #byInstance: GroupIndex<HealthCheck> = new GroupIndex();
  readonly #byService: GroupIndex<HealthCheck> = new GroupIndex();
  /** Status, node and check ID: groups too big for a list. */
  readonly #byStatus: OrderedMap<HealthCheck> = createOrderedMap<HealthCheck>();

  write(key: string, before: HealthCheck | null, after: HealthCheck | null): void {
    if (before !== null) this.#unindex(key, before, after);
    if (after === null) {
      this.records.delete(key);
      return;
    }
    this.records.set(key, after);
    this.#byNode.set(fold(after.Node), key, after);
    this.#byInstance.set(keyOf(after.Node, after.ServiceID), key, after);
    this.#byStatus.set(join(after.Status, key), after);
    if (after.ServiceName !== "") this.#byService.set(fold(after.ServiceName), key, after);
  }

  /** Takes out of the indexes what `after` will not put in its place. */
  #unindex(key: string, check: HealthCheck, after: HealthCheck | null): void {
    if (after === null) this.#byNode.delete(fold(check.Node), key);
    if (after === null || after.ServiceID !== check.ServiceID) {
      this.#byInstance.delete(keyOf(check.Node, check.ServiceID), key);
    }
    if (after === null || after.Status !== check.Status) this.#byStatus.delete(join(check.Status, key));
    if (check.ServiceName !== "" && (after === null || after.ServiceName !== check.ServiceName)) {
      this.#byService.delete(fold(check.ServiceName), key);
    }
  }

  get(node: string, checkId: string): HealthCheck | undefined {
    return this.records.get(keyOf(node, checkId));
  }

  /** All checks on a node, its services' too, by check ID. */
  onNode(node: string): readonly HealthCheck[] {
    return this.#byNode.list(fold(node));
  }

  /** The checks of one instance; of the node itself when the service ID is "". */
  ofInstance(node: string, serviceId: string): readonly HealthCheck[] {
    return this.#byInstance.list(keyOf(node, serviceId));
  }

  /** The checks of a service's instances, by node and check ID. */
  ofService(name: string): readonly HealthCheck[] {
    return this.#byService.list(fold(name));
  }

  /** The checks in a status, by node and check ID. */
  inStatus(status: string): HealthCheck[] {
    return collect(this.#byStatus, under(exact(status)));
  }

  /** True when a check has the status. */
  hasStatus(status: string): boolean {
    return hasPrefix(this.#byStatus, under(exact(status)));
  }
}

/** The topics of the services that show a check: its own instance's, or those of all instances on the node. */
function checkConcerns(tables: Tables, node: string, serviceId: string): string[] {
  if (serviceId === "") return nodeConcerns(tables, node);
  const service = tables.services.get(node, serviceId);
  return service === undefined ? [] : instanceTopics(service);
}

/** The topics of the services that have an instance on the node: they show the node, and its own checks. */
export function nodeConcerns(tables: Tables, node: string): string[] {
  const topics = new Set<string>();
  for (const service of tables.services.onNode(node)) addInstanceTopics(topics, service);
  return [...topics];
}

function addInstanceTopics(topics: Set<string>, service: NodeService): void {
  for (const topic of instanceTopics(service)) topics.add(topic);
}

/** Writes a check, or removes it (`after` null). Sessions bound to a check that is critical or gone are doomed. */
export function writeCheck(tx: Transaction, before: HealthCheck | null, after: HealthCheck | null): void {
  const check = after ?? before;
  if (check === null) return;
  const concerns = checkConcerns(tx.tables, check.Node, check.ServiceID);
  if (before !== null && before.ServiceID !== check.ServiceID) {
    for (const topic of checkConcerns(tx.tables, before.Node, before.ServiceID)) {
      if (!concerns.includes(topic)) concerns.push(topic);
    }
  }
  tx.write({ table: "checks", key: keyOf(check.Node, check.CheckID), before, after, concerns });
  if (after === null || after.Status === "critical") doomBound(tx, check);
}

/** Dooms the sessions that a check carried. */
export function doomBound(tx: Transaction, check: HealthCheck): void {
  for (const id of tx.tables.sessions.boundTo(check.Node, check.CheckID)) tx.doomed.push(id);
}
