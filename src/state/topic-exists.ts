// Whether what a topic names exists: if not, its index is a tombstone and may be reaped.

import { hasPrefix } from "./ordered-map.ts";
import { SEPARATOR } from "./key.ts";
import type { Tables } from "./tables.ts";

const STANDING_STATES: ReadonlySet<string> = new Set(["passing", "warning", "critical"]);

/** True for whole tables, and for topics of things that are in the tables. Names in topics are folded already. */
export function topicExists(tables: Tables, topic: string): boolean {
  const colon = topic.indexOf(":");
  if (colon < 0) return true;
  const name = topic.slice(colon + 1);
  switch (topic.slice(0, colon)) {
    case "node":
      return tables.nodes.records.has(name);
    case "node-checks":
      return hasPrefix(tables.checks.records, name + SEPARATOR);
    case "node-sessions":
      return tables.sessions.hasNode(name);
    case "service":
      return tables.services.firstNamed(name) !== undefined || tables.checks.hasService(name);
    case "connect":
      return tables.services.hasTarget(name);
    case "check-state":
      return STANDING_STATES.has(name) || tables.checks.hasStatus(name);
    case "session":
      return tables.sessions.records.has(name);
    case "query":
      return tables.queries.records.has(name);
    case "config-kind":
      return tables.config.kinds.has(name);
    case "config-entry": {
      const slash = name.indexOf("/");
      return tables.config.records.has(name.slice(0, slash) + SEPARATOR + name.slice(slash + 1));
    }
    case "coordinate":
      return hasPrefix(tables.coordinates.records, name + SEPARATOR);
    default:
      return true;
  }
}
