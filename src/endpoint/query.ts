// Prepared queries: https://developer.hashicorp.com/consul/api-docs/query.
import type { InstanceHealth, Read } from "../state/read.ts";
import type { StateStore } from "../state/store.ts";
import { OperationalError } from "../types/error.ts";
import type { PreparedQuery } from "../types/records.ts";
import { isUuid } from "../util/bytes.ts";
import { parseDuration } from "../util/duration.ts";
import type { CommandEndpoint, Prepared, QueryEndpoint } from "./endpoint.ts";
import type { FailoverResult } from "./failover.ts";
import { byDistance, hasMeta } from "./narrowing.ts";
import { checkTemplate, renderTemplate } from "./query-template.ts";

export type QueryDraft = Omit<PreparedQuery, "CreateIndex" | "ModifyIndex">;

const refused = (message: string): OperationalError => new OperationalError("refused", message);

/** Creates a query and gives its ID. */
export const queryCreate: CommandEndpoint<QueryDraft, string> = {
  kind: "command",
  name: "query.create",
  prepare(context, draft): Prepared<string> {
    if (draft.ID !== "") throw refused("ID must be empty when creating a new prepared query");
    checkQuery(draft);
    return setting({ ...draft, ID: context.newId() });
  },
};

/** Replaces a query that is there. */
export const queryUpdate: CommandEndpoint<QueryDraft, string> = {
  kind: "command",
  name: "query.update",
  prepare(context, draft): Prepared<string> {
    requireQuery(context.state, draft.ID);
    checkQuery(draft);
    return setting(draft);
  },
};

function setting(query: QueryDraft): Prepared<string> {
  return {
    command: { type: "query.set", query },
    reply(result) {
      if (!result.ok) throw refused(`raft apply failed: ${result.error.message}`);
      return query.ID;
    },
  };
}

export const queryDelete: CommandEndpoint<string, true> = {
  kind: "command",
  name: "query.delete",
  prepare(context, id): Prepared<true> {
    requireQuery(context.state, id);
    return { command: { type: "query.delete", id }, reply: () => true };
  },
};

function requireQuery(state: StateStore, id: string): void {
  if (!isUuid(id) || state.query(id).value === null)
    throw refused(`Cannot modify non-existent prepared query: '${id}'`);
}

function checkQuery(query: QueryDraft): void {
  const bad = (why: string): OperationalError => refused(`Invalid prepared query: ${why}`);
  const { Service, DNS } = query;
  if (query.Name === "" && query.Template.Type === "" && query.Session === "") throw bad("Must be bound to a session");
  if (Service.Service === "") throw bad("Must provide a Service name to query");
  const { Failover } = Service;
  if (Failover.NearestN < 0) throw bad(`Bad NearestN '${Failover.NearestN}', must be >= 0`);
  if (
    Failover.Targets !== null &&
    Failover.Targets.length > 0 &&
    (Failover.NearestN !== 0 || (Failover.Datacenters?.length ?? 0) > 0)
  )
    throw bad("Targets cannot be populated with NearestN or Datacenters");
  if (DNS.TTL !== "") {
    let ttl: number;
    try {
      ttl = parseDuration(DNS.TTL);
    } catch (error) {
      throw bad(`Bad DNS TTL '${DNS.TTL}': ${(error as Error).message}`);
    }
    if (ttl < 0) throw bad(`DNS TTL '${DNS.TTL}', must be >=0`);
  }
  checkTemplate(query);
}

export const queryList: QueryEndpoint<null, readonly PreparedQuery[]> = {
  kind: "query",
  name: "query.list",
  run: (state) => state.queries(),
  key: () => "query.list",
};

/** One query, by ID. @throws OperationalError `not-found`. */
export const queryGet: QueryEndpoint<string, readonly PreparedQuery[]> = {
  kind: "query",
  name: "query.get",
  run(state, id) {
    if (!isUuid(id))
      throw refused(`failed prepared query lookup: index error: UUID must be 36 characters: ${JSON.stringify(id)}`);
    const read = state.query(id);
    if (read.value === null) throw new OperationalError("not-found", "Query not found");
    return { ...read, value: [read.value] };
  },
  key: (id) => `query.get:${id}`,
};

/** The query that a name means, rendered. @throws OperationalError `not-found`. */
export const queryExplain: QueryEndpoint<string, PreparedQuery> = {
  kind: "query",
  name: "query.explain",
  run(state, idOrName) {
    const read = state.queryResolve(idOrName);
    if (read.value === null) throw new OperationalError("not-found", "Query not found");
    const { query, template } = read.value;
    return { ...read, value: template ? renderTemplate(query, idOrName) : query };
  },
  key: (idOrName) => `query.explain:${idOrName}`,
};

export interface QueryExecution {
  query: PreparedQuery;
  /** Healthy instances that fit, in the catalog's order, or nearest first when `sorted`. Nobody has shuffled them. */
  nodes: readonly InstanceHealth[];
  sorted: boolean;
  /** Set once other datacenters were asked, since this one had nothing; then the instances are of that one. */
  elsewhere: Pick<FailoverResult, "datacenter" | "failovers"> | null;
}

export interface ExecuteArgs {
  idOrName: string;
  /** Order by distance from this node; "" for what the query says. */
  near: string;
  /** The node that asks, for a query that says `_agent`. */
  agent: string;
  connect: boolean;
}

/** Runs a query in this datacenter. @throws OperationalError `not-found`. */
export const queryExecute: QueryEndpoint<ExecuteArgs, QueryExecution> = {
  kind: "query",
  name: "query.execute",
  run(state, { idOrName, near, agent, connect }) {
    const resolved = queryExplain.run(state, idOrName);
    const query = resolved.value;
    const read = instancesFor(state, query, connect);
    let nodes = read.value;
    let from = near === "" ? query.Service.Near : near;
    if (from === "_agent" || from === "_ip") from = agent;
    if (from !== "") nodes = byDistance(state, nodes, from, (row) => row.Node.Node);
    return {
      value: { query, nodes, sorted: from !== "", elsewhere: null },
      index: Math.max(resolved.index, read.index),
      topics: [...resolved.topics, ...read.topics],
    };
  },
  key: ({ idOrName, near, agent, connect }) =>
    near === "" ? JSON.stringify(["query.execute", idOrName, agent, connect]) : null,
};

/** The healthy instances that a query wants, in the catalog's order. */
export function instancesFor(
  state: StateStore,
  { Service: wanted }: PreparedQuery,
  connect: boolean,
): Read<readonly InstanceHealth[]> {
  const read = state.healthService(wanted.Service, { connect: connect || wanted.Connect });
  return { ...read, value: read.value.filter((row) => fits(row, wanted)) };
}

function fits({ Node: node, Service: service, Checks }: InstanceHealth, wanted: PreparedQuery["Service"]): boolean {
  for (const { CheckID, Status } of Checks) {
    if (wanted.IgnoreCheckIDs?.includes(CheckID)) continue;
    if (Status === "critical" || (wanted.OnlyPassing && Status !== "passing")) return false;
  }
  for (const tag of wanted.Tags ?? []) {
    const excluded = tag.startsWith("!");
    const name = (excluded ? tag.slice(1) : tag).toLowerCase();
    if (service.Tags.some((own) => own.toLowerCase() === name) === excluded) return false;
  }
  return (
    hasMeta(node.Meta, Object.entries(wanted.NodeMeta ?? {})) &&
    hasMeta(service.Meta, Object.entries(wanted.ServiceMeta ?? {}))
  );
}
