// Registration and deregistration of nodes, services and checks: one rule for the catalog's commands and for
// transactions. https://developer.hashicorp.com/consul/api-docs/catalog. What says nothing new makes no change.

import type { HealthCheck, Node, NodeService, Uint64 } from "../types/records.ts";
import { doomBound, nodeConcerns, writeCheck } from "./check.ts";
import type { CatalogDeregister, CatalogRegister, Refusal, Unindexed } from "./command.ts";
import { coordinatesRemove } from "./coordinate.ts";
import { sameData } from "./equal.ts";
import { fold, isKeyPart, keyOf } from "./key.ts";
import { casMatches } from "./kv.ts";
import type { Transaction } from "./transaction.ts";

/** The check that the leader keeps for each member: while it is not critical, nobody else takes the node's name. */
const SERF_HEALTH = "serfHealth";

function refuse(message: string): Refusal {
  return { code: "refused", message };
}

function refuseNul(what: string): Refusal {
  return { code: "invalid-request", message: `Invalid ${what}: a name must not contain a NUL character` };
}

/** Adds what was being done to a refusal's text. */
function within(what: string, refusal: Refusal): Refusal {
  return { code: refusal.code, message: `${what}: ${refusal.message}` };
}

// Nodes.

/** Creates or replaces a node. A known ID under a new name is a renaming: the old node goes, with all on it. */
export function ensureNode(tx: Transaction, input: Unindexed<Node>): Refusal | null {
  const { nodes } = tx.tables;
  if (input.Node === "") return refuse("Must provide node");
  if (![input.Node, input.ID, input.Address].every(isKeyPart)) return refuseNul("node");
  let known: Node | undefined;
  if (input.ID !== "") {
    known = nodes.byId(input.ID);
    const renamed = known !== undefined && fold(known.Node) !== fold(input.Node);
    if (known === undefined || renamed) {
      // A name whose node has no ID may be taken over, by a node that is new: so a node gets its ID later.
      const reserved = nameReserved(tx, input, known === undefined);
      const where = renamed ? ` (${input.Address})` : "";
      if (reserved !== null)
        return within(`Error while renaming Node ID: ${JSON.stringify(input.ID)}${where}`, reserved);
    }
    if (known !== undefined && renamed) nodeDelete(tx, known.Node);
  }
  const key = fold(input.Node);
  const before = nodes.records.get(key) ?? null;
  known ??= before ?? undefined;
  if (known !== undefined && sameNode(known, input)) return null;
  const after: Node = {
    ID: input.ID,
    Node: input.Node,
    Address: input.Address,
    Datacenter: input.Datacenter,
    TaggedAddresses: input.TaggedAddresses,
    Meta: input.Meta,
    CreateIndex: known?.CreateIndex ?? tx.index,
    ModifyIndex: tx.index,
  };
  tx.write({ table: "nodes", key, before, after, concerns: nodeConcerns(tx.tables, input.Node) });
  return null;
}

/** Why a node may not have its name: another node with another ID has it, and is alive. */
function nameReserved(tx: Transaction, input: Unindexed<Node>, allowWithoutId: boolean): Refusal | null {
  const holder = tx.tables.nodes.get(input.Node);
  if (holder === undefined || fold(holder.ID) === fold(input.ID)) return null;
  if (holder.ID === "" && allowWithoutId) return null;
  // Without the check the node was registered from outside, and nobody says that it is alive.
  const serf = tx.tables.checks.get(holder.Node, SERF_HEALTH);
  if (serf === undefined || serf.Status === "critical") return null;
  return refuse(
    `Node name ${input.Node} is reserved by node ${holder.ID} with name ${holder.Node} (${holder.Address})`,
  );
}

/** True when the registration says of the node what is there. Names that differ in case are one. */
function sameNode(existing: Node, input: Unindexed<Node>): boolean {
  return (
    fold(existing.Node) === fold(input.Node) &&
    existing.ID === input.ID &&
    existing.Address === input.Address &&
    existing.Datacenter === input.Datacenter &&
    sameData(existing.TaggedAddresses, input.TaggedAddresses) &&
    sameData(existing.Meta, input.Meta)
  );
}

/** The same, if the node's ModifyIndex is `index` (0: if there is no node); false when it is not. */
export function nodeCas(tx: Transaction, input: Unindexed<Node>, index: Uint64): boolean | Refusal {
  if (!casMatches(tx.tables.nodes.get(input.Node), index)) return false;
  return ensureNode(tx, input) ?? true;
}

/** Removes a node with its services, checks and coordinates, and dooms its sessions. */
export function nodeDelete(tx: Transaction, name: string): void {
  const node = tx.tables.nodes.get(name);
  if (node === undefined) return;
  for (const service of tx.tables.services.onNode(name).slice()) serviceDelete(tx, name, service.ID);
  for (const check of tx.tables.checks.onNode(name).slice()) writeCheck(tx, check, null);
  coordinatesRemove(tx, name);
  tx.write({ table: "nodes", key: fold(node.Node), before: node, after: null, concerns: [] });
  for (const session of tx.tables.sessions.onNode(name)) tx.doomed.push(session.ID);
}

// Services.

/** Creates or replaces a service instance. */
export function ensureService(tx: Transaction, input: Unindexed<NodeService>): Refusal | null {
  const node = tx.tables.nodes.get(input.Node);
  if (node === undefined) return refuse("Missing node registration");
  if (input.Service === "") return refuse("Must provide service name (Service.Service) when service ID is provided");
  const id = input.ID === "" ? input.Service : input.ID;
  const target = input.Proxy["DestinationServiceName"];
  const parts = [id, input.Service, input.Address, typeof target === "string" ? target : ""];
  if (!parts.every(isKeyPart)) return refuseNul("service");
  const key = keyOf(node.Node, id);
  const before = tx.tables.services.records.get(key) ?? null;
  if (before !== null && before.ID === id && sameService(before, input)) return null;
  tx.writeService(key, before, makeService(input, node.Node, id, before?.CreateIndex ?? tx.index, tx.index));
  return null;
}

/** True when the registration says of the service what is there. */
function sameService(existing: NodeService, input: Unindexed<NodeService>): boolean {
  return (
    existing.Service === input.Service &&
    existing.Port === input.Port &&
    existing.Address === input.Address &&
    existing.Kind === input.Kind &&
    existing.SocketPath === input.SocketPath &&
    existing.EnableTagOverride === input.EnableTagOverride &&
    existing.PeerName === input.PeerName &&
    sameData(existing.Tags, input.Tags) &&
    sameData(existing.Meta, input.Meta) &&
    sameData(existing.TaggedAddresses, input.TaggedAddresses) &&
    sameData(existing.Ports, input.Ports) &&
    sameData(existing.Weights, input.Weights) &&
    sameData(existing.Proxy, input.Proxy) &&
    sameData(existing.Connect, input.Connect) &&
    sameData(existing.Locality, input.Locality)
  );
}

function makeService(
  input: Unindexed<NodeService>,
  node: string,
  id: string,
  createIndex: number,
  modifyIndex: number,
): NodeService {
  return {
    Node: node,
    Kind: input.Kind,
    ID: id,
    Service: input.Service,
    Tags: input.Tags,
    Address: input.Address,
    TaggedAddresses: input.TaggedAddresses,
    Meta: input.Meta,
    Port: input.Port,
    Ports: input.Ports,
    SocketPath: input.SocketPath,
    Weights: input.Weights,
    EnableTagOverride: input.EnableTagOverride,
    Proxy: input.Proxy,
    Connect: input.Connect,
    Locality: input.Locality,
    PeerName: input.PeerName,
    CreateIndex: createIndex,
    ModifyIndex: modifyIndex,
  };
}

/** The same, if the service's ModifyIndex is `index` (0: if there is none); false when it is not. */
export function serviceCas(tx: Transaction, input: Unindexed<NodeService>, index: Uint64): boolean | Refusal {
  if (!casMatches(tx.tables.services.get(input.Node, input.ID), index)) return false;
  return ensureService(tx, input) ?? true;
}

/** Removes an instance with its checks. */
export function serviceDelete(tx: Transaction, node: string, id: string): void {
  const service = tx.tables.services.get(node, id);
  if (service === undefined) return;
  for (const check of tx.tables.checks.ofInstance(node, id).slice()) writeCheck(tx, check, null);
  tx.writeService(keyOf(service.Node, service.ID), service, null);
}

// Checks.

/** Creates or replaces a check; a service's check takes the name and the tags that its service has now. */
export function ensureCheck(tx: Transaction, input: Unindexed<HealthCheck>): Refusal | null {
  const node = tx.tables.nodes.get(input.Node);
  if (node === undefined) return refuse("Missing node registration");
  const id = input.CheckID === "" ? input.Name : input.CheckID;
  if (id === "") return refuse("Must provide check ID or name");
  const service = input.ServiceID === "" ? undefined : tx.tables.services.get(input.Node, input.ServiceID);
  if (input.ServiceID !== "" && service === undefined) return refuse("Missing service registration");
  const status = input.Status || "critical";
  if (![id, input.ServiceID, input.ServiceName, status].every(isKeyPart)) return refuseNul("check");
  const before = tx.tables.checks.get(input.Node, id) ?? null;
  const after: HealthCheck = {
    Node: node.Node,
    CheckID: id,
    Name: input.Name,
    Status: status,
    Notes: input.Notes,
    Output: input.Output,
    ServiceID: input.ServiceID,
    ServiceName: service === undefined ? input.ServiceName : service.Service,
    ServiceTags: service === undefined ? input.ServiceTags : service.Tags,
    Type: input.Type,
    Interval: input.Interval,
    Timeout: input.Timeout,
    ExposedPort: input.ExposedPort,
    Definition: input.Definition,
    CreateIndex: before?.CreateIndex ?? tx.index,
    ModifyIndex: tx.index,
  };
  if (before === null || !sameCheck(before, after)) writeCheck(tx, before, after);
  // A check of type "session" may carry sessions though it is critical, until it is said again that it is.
  else if (after.Status === "critical") doomBound(tx, after);
  return null;
}

function sameCheck(a: HealthCheck, b: HealthCheck): boolean {
  return (
    a.CheckID === b.CheckID &&
    a.Status === b.Status &&
    a.Output === b.Output &&
    a.Name === b.Name &&
    a.Notes === b.Notes &&
    a.ServiceID === b.ServiceID &&
    a.ServiceName === b.ServiceName &&
    a.Type === b.Type &&
    a.Interval === b.Interval &&
    a.Timeout === b.Timeout &&
    a.ExposedPort === b.ExposedPort &&
    sameData(a.ServiceTags, b.ServiceTags) &&
    sameData(a.Definition, b.Definition)
  );
}

/** The same, if the check's ModifyIndex is `index` (0: if there is none); false when it is not. */
export function checkCas(tx: Transaction, input: Unindexed<HealthCheck>, index: Uint64): boolean | Refusal {
  if (!casMatches(tx.tables.checks.get(input.Node, input.CheckID), index)) return false;
  return ensureCheck(tx, input) ?? true;
}

/** Removes a check, and dooms the sessions that it carried. */
export function checkDelete(tx: Transaction, node: string, checkId: string): void {
  const check = tx.tables.checks.get(node, checkId);
  if (check !== undefined) writeCheck(tx, check, null);
}

// The commands.

/** Registers all that the command says, or refuses it whole. */
export function register(tx: Transaction, command: CatalogRegister): Refusal | null {
  const { node, service, checks } = command;
  const existing = tx.tables.nodes.get(node.Node);
  if (existing === undefined || !(command.skipNodeUpdate || sameNode(existing, node))) {
    const refusal = ensureNode(tx, node);
    if (refusal !== null) return within("failed inserting node", refusal);
  }
  if (service !== null) {
    const refusal = ensureService(tx, service.Node === node.Node ? service : { ...service, Node: node.Node });
    if (refusal !== null) return within("failed inserting service", refusal);
  }
  for (const check of checks) {
    const refusal = registerCheck(tx, node.Node, check.Node === "" ? { ...check, Node: node.Node } : check);
    if (refusal !== null) return refusal;
  }
  return null;
}

function registerCheck(tx: Transaction, node: string, check: Unindexed<HealthCheck>): Refusal | null {
  const id = check.CheckID === "" ? check.Name : check.CheckID;
  if (fold(check.Node) !== fold(node)) {
    return refuse(`Node '${check.Node}' for check '${id}' doesn't match register request node '${node}'`);
  }
  if (check.ServiceID !== "" && tx.tables.services.get(node, check.ServiceID) === undefined) {
    return refuse(`Unknown service ID '${check.ServiceID}' for check ID '${id}'`);
  }
  const refusal = ensureCheck(tx, check);
  return refusal === null ? null : within(`failed inserting check on node ${JSON.stringify(node)}`, refusal);
}

/** Removes the service, else the check, else the node; nothing to do when it is not there. */
export function deregister(tx: Transaction, command: CatalogDeregister): void {
  if (command.serviceId !== "") serviceDelete(tx, command.node, command.serviceId);
  else if (command.checkId !== "") checkDelete(tx, command.node, command.checkId);
  else nodeDelete(tx, command.node);
}
