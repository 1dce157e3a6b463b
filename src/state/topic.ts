// Topics: what a query read, said as strings, so that it can be woken by exactly the changes of what it read. Each topic
// has an index, the index of the last change that touched it (index-table.ts; for keys and prefixes kv.ts).
// Finer than Consul, whose fallback for what is missing is the whole table's index: here nothing wakes without need.

import { unreachable } from "../util/assert.ts";
import type { CheckStatus, NodeService } from "../types/records.ts";
import type { Change } from "./change.ts";
import { fold } from "./key.ts";

/** Prefix of the topics of one key. */
export const KV_TOPIC = "kv:";
/** Prefix of the topics of one KV prefix. `topicsOf` never gives one: whoever waits is matched by the changed key. */
export const KV_PREFIX_TOPIC = "kv-prefix:";

/** One KV key. */
export function kvTopic(key: string): string {
  return KV_TOPIC + key;
}
/** Every KV key that begins with `prefix`. */
export function kvPrefixTopic(prefix: string): string {
  return KV_PREFIX_TOPIC + prefix;
}
/** All node records. */
export const NODES_TOPIC = "nodes";
/** The names of services and their tags, and no more. */
export const SERVICES_TOPIC = "services";
/** All service instances, whole. */
export const INSTANCES_TOPIC = "instances";
/** All checks. */
export const CHECKS_TOPIC = "checks";
/** All sessions. */
export const SESSIONS_TOPIC = "sessions";
/** All prepared queries. */
export const QUERIES_TOPIC = "queries";
/** All coordinates. */
export const COORDINATES_TOPIC = "coordinates";
/** All config entries. */
export const CONFIG_TOPIC = "config";
/** The autopilot configuration. */
export const AUTOPILOT_TOPIC = "autopilot";
/** What this datacenter is among others. */
export const FEDERATION_TOPIC = "federation";
/** How far replication has come. */
export const LINKS_TOPIC = "links";

/** A node's record and its services: what /v1/catalog/node/:node shows. */
export function nodeTopic(node: string): string {
  return "node:" + fold(node);
}
/** A node's checks and its services' checks. */
export function nodeChecksTopic(node: string): string {
  return "node-checks:" + fold(node);
}
/** All that /v1/catalog/service, /v1/health/service and /v1/health/checks show of one service. */
export function serviceTopic(service: string): string {
  return "service:" + fold(service);
}
/** The same of the instances that connect to one service: its proxies, or itself when it is native. */
export function connectTopic(service: string): string {
  return "connect:" + fold(service);
}
/** The checks in one state. */
export function checkStateTopic(status: CheckStatus | string): string {
  return "check-state:" + status;
}
/** One session. */
export function sessionTopic(id: string): string {
  return "session:" + fold(id);
}
/** The sessions of one node. */
export function nodeSessionsTopic(node: string): string {
  return "node-sessions:" + fold(node);
}
/** One prepared query, by ID. */
export function queryTopic(id: string): string {
  return "query:" + fold(id);
}
/** The config entries of one kind. */
export function configKindTopic(kind: string): string {
  return "config-kind:" + kind;
}
/** One config entry. */
export function configEntryTopic(kind: string, name: string): string {
  return "config-entry:" + kind + "/" + fold(name);
}
/** The coordinates of one node. */
export function coordinateTopic(node: string): string {
  return "coordinate:" + fold(node);
}

/** The service that an instance lets others connect to: its own when native, the proxied one of a proxy; else null. */
export function connectTarget(service: NodeService): string | null {
  if (service.Kind === "connect-proxy") {
    const destination = service.Proxy["DestinationServiceName"];
    return typeof destination === "string" && destination !== "" ? destination : null;
  }
  return service.Connect["Native"] === true ? service.Service : null;
}

/** The topics whose answers one instance is in. */
export function instanceTopics(service: NodeService): string[] {
  const target = connectTarget(service);
  return target === null ? [serviceTopic(service.Service)] : [serviceTopic(service.Service), connectTopic(target)];
}

/** The topics that a change touches, none twice. KV prefixes are not in it: they follow from the key. */
export function topicsOf(change: Change): string[] {
  switch (change.table) {
    case "kv":
      return [kvTopic(change.key)];
    case "nodes": {
      const topics = new Set([NODES_TOPIC, ...change.concerns]);
      if (change.before !== null) topics.add(nodeTopic(change.before.Node));
      if (change.after !== null) topics.add(nodeTopic(change.after.Node));
      return [...topics];
    }
    case "services": {
      const topics = new Set([INSTANCES_TOPIC]);
      for (const service of [change.before, change.after]) {
        if (service === null) continue;
        topics.add(nodeTopic(service.Node));
        for (const topic of instanceTopics(service)) topics.add(topic);
      }
      return [...topics];
    }
    case "checks": {
      const topics = new Set([CHECKS_TOPIC, ...change.concerns]);
      for (const check of [change.before, change.after]) {
        if (check === null) continue;
        topics.add(checkStateTopic(check.Status));
        topics.add(nodeChecksTopic(check.Node));
        if (check.ServiceName !== "") topics.add(serviceTopic(check.ServiceName));
      }
      return [...topics];
    }
    case "sessions": {
      const session = change.after ?? change.before;
      return session === null ? [] : [SESSIONS_TOPIC, sessionTopic(session.ID), nodeSessionsTopic(session.Node)];
    }
    case "queries": {
      const query = change.after ?? change.before;
      return query === null ? [] : [QUERIES_TOPIC, queryTopic(query.ID)];
    }
    case "config": {
      const entry = change.after ?? change.before;
      return entry === null
        ? []
        : [CONFIG_TOPIC, configKindTopic(entry.Kind), configEntryTopic(entry.Kind, entry.Name)];
    }
    case "coordinates": {
      const coordinate = change.after ?? change.before;
      return coordinate === null ? [] : [COORDINATES_TOPIC, coordinateTopic(coordinate.Node)];
    }
    case "autopilot":
      return [AUTOPILOT_TOPIC];
    case "federation":
      return [FEDERATION_TOPIC];
    case "links":
      return [LINKS_TOPIC];
    // Whoever reads stamps reads them with their keys.
    case "stamps":
      return [];
    case "service-names":
      return [SERVICES_TOPIC];
    default:
      return unreachable(change);
  }
}
