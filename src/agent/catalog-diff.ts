// What anti-entropy has to say: the local state held against the catalog, and the requests that make the catalog agree. Pure.
// The agent is the authority for its services, checks and node information. Not its own: the `consul` service and the
// `serfHealth` check, which the servers keep, and the tags of a service with EnableTagOverride.
// https://developer.hashicorp.com/consul/docs/concept/consistency (anti-entropy)
import type { CatalogDeregister, CatalogRegister } from "../state/command.ts";
import type { HealthCheck, Node, NodeService, ServiceAddress } from "../types/records.ts";
import { unreachable } from "../util/assert.ts";
import { toUserMap } from "../util/user-map.ts";
import type { LocalCheck, LocalService, LocalState } from "./local-state.ts";

const serverServiceId = "consul";
const serfHealthId = "serfHealth";
/** Tagged addresses with this prefix are made by servers. */
const reservedPrefix = "consul-";

/** What the catalog has of a node. */
export interface CatalogNode {
  node: Node;
  services: NodeService[];
}

/** What the agent says of its node. */
export type NodeIdentity = Omit<Node, "CreateIndex" | "ModifyIndex">;

/** One thing of this node that the catalog is to be told. */
export type SyncKey = { kind: "node" } | { kind: "service"; id: string } | { kind: "check"; id: string };

/** One request, and what is in sync once it is done. */
export interface SyncRequest {
  request: CatalogRegister | CatalogDeregister;
  token: string;
  /** Versions of what it carries, by id. */
  services: Map<string, number>;
  checks: Map<string, number>;
}

/** Tokens for what has none of its own, read at each use. */
export interface SyncTokens {
  /** For the node itself, and for all removals. */
  readonly agent: string;
  /** For services and checks. */
  readonly user: string;
  /** For services and checks of configuration files, before `user`; "" when there is none. */
  readonly configFile: string;
}

/** What a comparison found. */
export interface Comparison {
  nodeInSync: boolean;
  /** Ids of what the catalog has as it is here. */
  services: Set<string>;
  checks: Set<string>;
  /** What the catalog has and the agent has not. */
  extraServices: string[];
  extraChecks: string[];
  /** What the agent takes over from the catalog, by service id. */
  adopted: Map<string, Partial<Pick<NodeService, "Tags" | "TaggedAddresses">>>;
}

type LocalView = Pick<
  LocalState,
  "nodeName" | "services" | "checks" | "checksOf" | "removedServices" | "removedChecks"
>;

/** Holds the local state against the catalog's. Pure. */
export function compare(
  local: LocalView,
  identity: NodeIdentity,
  catalog: CatalogNode | null,
  catalogChecks: readonly HealthCheck[],
): Comparison {
  const found: Comparison = {
    nodeInSync: catalog !== null && isSameNode(identity, catalog.node),
    services: new Set(),
    checks: new Set(),
    extraServices: [],
    extraChecks: [],
    adopted: new Map(),
  };
  for (const remote of catalog?.services ?? []) {
    const record = local.services.get(remote.ID);
    if (record === undefined) {
      if (remote.ID !== serverServiceId || local.removedServices.has(remote.ID)) found.extraServices.push(remote.ID);
      continue;
    }
    const adopted = adoption(record.service, remote);
    if (adopted !== null) found.adopted.set(remote.ID, adopted);
    if (isSameService({ ...record.service, ...adopted }, remote)) found.services.add(remote.ID);
  }
  const extra = new Set(found.extraServices);
  for (const remote of catalogChecks) {
    const record = local.checks.get(remote.CheckID);
    if (record === undefined) {
      // Checks of a service that goes now go with it.
      if (remote.CheckID !== serfHealthId && !extra.has(remote.ServiceID)) found.extraChecks.push(remote.CheckID);
      continue;
    }
    const overridden = local.services.get(remote.ServiceID)?.service.EnableTagOverride === true;
    if (isSameCheck(record, remote, overridden)) found.checks.add(remote.CheckID);
  }
  return found;
}

/** What an agent takes over from the catalog's copy of its service; null for nothing. */
function adoption(
  service: NodeService,
  remote: NodeService,
): Partial<Pick<NodeService, "Tags" | "TaggedAddresses">> | null {
  const adopted: Partial<Pick<NodeService, "Tags" | "TaggedAddresses">> = {};
  let any = false;
  if (service.EnableTagOverride && !isSameExactly(service.Tags, remote.Tags)) {
    adopted.Tags = [...remote.Tags];
    any = true;
  }
  const own = service.TaggedAddresses;
  const made = Object.entries(remote.TaggedAddresses ?? {}).filter(([name]) => name.startsWith(reservedPrefix));
  if (made.some(([name, address]) => !isSameExactly(own?.[name], address))) {
    adopted.TaggedAddresses = toUserMap<ServiceAddress>([...Object.entries(own ?? {}), ...made]);
    any = true;
  }
  return any ? adopted : null;
}

function isSameNode(identity: NodeIdentity, node: Node): boolean {
  return (
    identity.ID === node.ID &&
    identity.Address === node.Address &&
    isSameMap(identity.TaggedAddresses, node.TaggedAddresses) &&
    isSameMap(identity.Meta, node.Meta)
  );
}

function isSameService(a: NodeService, b: NodeService): boolean {
  return (
    a.Service === b.Service &&
    a.Kind === b.Kind &&
    a.Address === b.Address &&
    a.Port === b.Port &&
    a.SocketPath === b.SocketPath &&
    a.EnableTagOverride === b.EnableTagOverride &&
    isSameExactly(a.Tags, b.Tags) &&
    isSameValue(a.Ports, b.Ports) &&
    isSameMap(a.TaggedAddresses, b.TaggedAddresses) &&
    isSameExactly(a.Weights, b.Weights) &&
    isSameMap(a.Meta, b.Meta) &&
    isSameValue(a.Locality, b.Locality) &&
    isSameValue(a.Proxy, b.Proxy) &&
    isSameValue(a.Connect, b.Connect)
  );
}

/**
 * Type, interval and timeout do not count, as in Consul: they cannot change without a new registration, which is sent anyway.
 * @param tagsOverridden the service's tags are the catalog's affair, and so are those its checks carry.
 */
function isSameCheck(record: LocalCheck, remote: HealthCheck, tagsOverridden: boolean): boolean {
  const { check } = record;
  return (
    check.Name === remote.Name &&
    check.Status === remote.Status &&
    check.Notes === remote.Notes &&
    // An output that waits for its time is not sent because of it.
    (record.deferred || check.Output === remote.Output) &&
    check.ServiceID === remote.ServiceID &&
    check.ServiceName === remote.ServiceName &&
    (tagsOverridden || isSameExactly(check.ServiceTags, remote.ServiceTags)) &&
    isSameValue(check.Definition, remote.Definition)
  );
}

/**
 * Equality of plain data as Go's zero values have it: an absent field is the same as an empty one, and maps have no order.
 * The exception is what stands in `Config`, which is the user's own: there, what is written counts.
 */
function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b || (isZero(a) && isZero(b))) return true;
  if (Array.isArray(a) || Array.isArray(b)) return isSameList(a, b, isSameValue);
  if (!isMap(a) || !isMap(b)) return false;
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const isSame = key === "Config" ? isSameMap : isSameValue;
    if (!isSame(a[key], b[key])) return false;
  }
  return true;
}

/** Equality of maps that users fill: no map is as good as an empty one, and what is in it counts as written. */
function isSameMap(a: unknown, b: unknown): boolean {
  return isSameExactly(a ?? {}, b ?? {});
}

function isSameExactly(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b)) return isSameList(a, b, isSameExactly);
  if (!isMap(a) || !isMap(b) || Object.keys(a).length !== Object.keys(b).length) return false;
  return Object.keys(a).every((key) => Object.hasOwn(b, key) && isSameExactly(a[key], b[key]));
}

function isSameList(a: unknown, b: unknown, isSame: (a: unknown, b: unknown) => boolean): boolean {
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return a.every((item, at) => isSame(item, b[at]));
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isZero(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (!isMap(value)) return false;
  return Object.entries(value).every(([key, field]) => (key === "Config" ? isSameMap(field, null) : isZero(field)));
}

/** Keys of all that is not in sync, in the order to send it. Pure. */
export function pendingKeys(local: LocalView, nodeInSync: boolean): SyncKey[] {
  const keys: SyncKey[] = nodeInSync ? [] : [{ kind: "node" }];
  for (const id of local.removedServices) keys.push({ kind: "service", id });
  for (const [id, { inSync }] of local.services) if (!inSync) keys.push({ kind: "service", id });
  for (const id of local.removedChecks) keys.push({ kind: "check", id });
  for (const [id, { inSync }] of local.checks) if (!inSync) keys.push({ kind: "check", id });
  return keys;
}

/** The request that brings one thing into sync; null when it is by now, say because it went with another. Pure. */
export function requestFor(
  key: SyncKey,
  local: LocalView,
  identity: NodeIdentity,
  nodeInSync: boolean,
  tokens: SyncTokens,
): SyncRequest | null {
  switch (key.kind) {
    case "node":
      return nodeInSync ? null : registration(identity, false, null, [], tokens.agent);
    case "service": {
      if (local.removedServices.has(key.id)) return removal(local.nodeName, key.id, "", tokens.agent);
      const record = local.services.get(key.id);
      if (record === undefined || record.inSync) return null;
      const token = tokenFor(record, tokens);
      // Checks ride with their service, so that it is never seen without them; not under another's token, though.
      const checks: LocalCheck[] = [];
      for (const check of local.checksOf(key.id)) {
        if (!check.inSync && tokenFor(check, tokens) === token) checks.push(check);
      }
      return registration(identity, nodeInSync, record, checks, token);
    }
    case "check": {
      if (local.removedChecks.has(key.id)) return removal(local.nodeName, "", key.id, tokens.agent);
      const record = local.checks.get(key.id);
      if (record === undefined || record.inSync) return null;
      const service = local.services.get(record.check.ServiceID) ?? null;
      return registration(identity, nodeInSync, service, [record], tokenFor(record, tokens));
    }
    default:
      return unreachable(key);
  }
}

/** Every request that full synchronisation would send now, one after the other. Pure, and for looking at: it sends nothing. */
export function pendingRequests(
  local: LocalView,
  identity: NodeIdentity,
  nodeInSync: boolean,
  tokens: SyncTokens,
): SyncRequest[] {
  const requests: SyncRequest[] = [];
  const ridden = new Set<string>();
  let nodeSent = nodeInSync;
  for (const key of pendingKeys(local, nodeInSync)) {
    if (key.kind === "check" && ridden.has(key.id)) continue;
    const request = requestFor(key, local, identity, nodeSent && key.kind !== "node", tokens);
    if (request === null) continue;
    for (const id of request.checks.keys()) ridden.add(id);
    requests.push(request);
    nodeSent = true;
  }
  return requests;
}

function tokenFor(record: { token: string; source: string }, tokens: SyncTokens): string {
  if (record.token !== "") return record.token;
  return record.source === "local" && tokens.configFile !== "" ? tokens.configFile : tokens.user;
}

function registration(
  identity: NodeIdentity,
  skipNodeUpdate: boolean,
  service: LocalService | null,
  checks: readonly LocalCheck[],
  token: string,
): SyncRequest {
  return {
    request: {
      type: "catalog.register",
      node: identity,
      service: service === null ? null : unindexed(service.service),
      // Copies: what a check shows can change while the request is under way.
      checks: checks.map(({ check }) => unindexed(check)),
      skipNodeUpdate,
    },
    token,
    services: new Map(service === null ? [] : [[service.service.ID, service.version]]),
    checks: new Map(checks.map(({ check, version }) => [check.CheckID, version])),
  };
}

function unindexed<T extends { CreateIndex: number; ModifyIndex: number }>(
  record: T,
): Omit<T, "CreateIndex" | "ModifyIndex"> {
  const { CreateIndex: _created, ModifyIndex: _modified, ...rest } = record;
  return rest;
}

function removal(node: string, serviceId: string, checkId: string, token: string): SyncRequest {
  return {
    request: { type: "catalog.deregister", node, serviceId, checkId },
    token,
    services: new Map(),
    checks: new Map(),
  };
}
