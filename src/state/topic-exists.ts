// Whether what a topic names exists: if not, its index is a tombstone and may be reaped.

import { configKey } from "./key.ts";
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
      return tables.checks.onNode(name).length > 0;
    case "node-sessions":
      return tables.sessions.onNode(name).length > 0;
    case "service":
      return tables.services.named(name).length > 0 || tables.checks.ofService(name).length > 0;
    case "connect":
      return tables.services.targeting(name).length > 0;
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
      return tables.config.records.has(configKey(name.slice(0, slash), name.slice(slash + 1)));
    }
    case "coordinate":
      return tables.coordinates.ofNode(name).length > 0;
    default:
      return true;
  }
}
