// The table of health checks, by node, by instance, by service name and by status; and the one write that they all pass,
// which dooms the sessions that a check no longer carries.

import type { HealthCheck, NodeService } from "../types/records.ts";
import { fold, keyOf, SEPARATOR } from "./key.ts";
import { collect, createOrderedMap, hasPrefix } from "./ordered-map.ts";
import type { OrderedMap } from "./ordered-map.ts";
import type { Tables } from "./tables.ts";
import { instanceTopics } from "./topic.ts";
import type { Transaction } from "./transaction.ts";

/** Checks; the key is node and check ID. */
export class CheckTable {
  readonly records: OrderedMap<HealthCheck> = createOrderedMap<HealthCheck>();
  /** Node, service ID ("" for the node's own) and check ID. */
  readonly #byInstance: OrderedMap<HealthCheck> = createOrderedMap<HealthCheck>();
  /** Service name, node and check ID. */
  readonly #byService: OrderedMap<HealthCheck> = createOrderedMap<HealthCheck>();
  /** Status, node and check ID. */
  readonly #byStatus: OrderedMap<HealthCheck> = createOrderedMap<HealthCheck>();

  write(key: string, before: HealthCheck | null, after: HealthCheck | null): void {
    if (before !== null) {
      this.#byInstance.delete(keyOf(before.Node, before.ServiceID, before.CheckID));
      this.#byStatus.delete(before.Status + SEPARATOR + key);
      if (before.ServiceName !== "") this.#byService.delete(fold(before.ServiceName) + SEPARATOR + key);
    }
    if (after === null) {
      this.records.delete(key);
      return;
    }
    this.records.set(key, after);
    this.#byInstance.set(keyOf(after.Node, after.ServiceID, after.CheckID), after);
    this.#byStatus.set(after.Status + SEPARATOR + key, after);
    if (after.ServiceName !== "") this.#byService.set(fold(after.ServiceName) + SEPARATOR + key, after);
  }

  get(node: string, checkId: string): HealthCheck | undefined {
    return this.records.get(keyOf(node, checkId));
  }

  /** All checks on a node, its services' too, by check ID. */
  onNode(node: string): HealthCheck[] {
    return collect(this.records, fold(node) + SEPARATOR);
  }

  /** The checks of one instance; of the node itself when the service ID is "". */
  ofInstance(node: string, serviceId: string): HealthCheck[] {
    return collect(this.#byInstance, keyOf(node, serviceId) + SEPARATOR);
  }

  /** The checks of a service's instances, by node and check ID. */
  ofService(name: string): HealthCheck[] {
    return collect(this.#byService, fold(name) + SEPARATOR);
  }

  /** True when a check has the folded service name. */
  hasService(name: string): boolean {
    return hasPrefix(this.#byService, name + SEPARATOR);
  }

  /** The checks in a status, by node and check ID. */
  inStatus(status: string): HealthCheck[] {
    return collect(this.#byStatus, status + SEPARATOR);
  }

  /** True when a check has the status. */
  hasStatus(status: string): boolean {
    return hasPrefix(this.#byStatus, status + SEPARATOR);
  }
}

/** The topics of the services that show a check: its own instance's, or those of all instances on the node. */
export function checkConcerns(tables: Tables, node: string, serviceId: string): string[] {
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
