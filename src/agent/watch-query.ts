// What a watch of the configuration reads, type by type: blocking queries through the one door of requests, the agent's
// own events and services. The values are those that `watch` of the command line shows.
// https://developer.hashicorp.com/consul/docs/automate/watch
import type { Read } from "../client/transport.ts";
import type { Watched } from "../client/watch.ts";
import type { WatchDefinition } from "../config/watch-definition.ts";
import { catalogNodes, catalogServices, tagsByService } from "../endpoint/catalog.ts";
import type { QueryEndpoint } from "../endpoint/endpoint.ts";
import { healthChecks, healthService, healthShape, healthState } from "../endpoint/health.ts";
import { kvGet, kvList } from "../endpoint/kv.ts";
import type { Route } from "../rpc/route.ts";
import { OperationalError } from "../types/error.ts";
import type { KVEntry } from "../types/records.ts";
import type { Events } from "./events.ts";
import type { LocalState } from "./local-state.ts";
import { hashedAgentService } from "./local-view.ts";
import { unlessAborted } from "./unless-aborted.ts";

/** What watches read. */
export interface WatchSource {
  route: Route;
  events: Events;
  local: LocalState;
  /** How long a blocking query waits. */
  waitMs: number;
}

/** A read that takes the index of the one before and waits for something newer; an abort ends it. */
export function watchedRead(watch: WatchDefinition, source: WatchSource): Watched<unknown> {
  const narrowing = { nodeMeta: [], filter: watch.filter, near: "" };
  const { service, state } = watch;
  switch (watch.type) {
    case "key":
      return query(watch, source, kvGet, watch.key, (entry) => (entry === null ? null : entryShape(entry)));
    case "keyprefix":
      return query(watch, source, kvList, watch.prefix, (list) => (list.length === 0 ? null : list.map(entryShape)));
    case "services":
      return query(watch, source, catalogServices, narrowing, tagsByService);
    case "nodes":
      return query(watch, source, catalogNodes, narrowing, (nodes) => nodes);
    case "service": {
      const args = { ...narrowing, service, tags: watch.tags, connect: false, passing: watch.passingOnly };
      return query(watch, source, healthService, args, (instances) => instances.map(healthShape));
    }
    case "checks":
      return service === ""
        ? query(watch, source, healthState, { ...narrowing, of: state === "" ? "any" : state }, (checks) => checks)
        : query(watch, source, healthChecks, { ...narrowing, of: service }, (checks) => checks);
    case "event":
      return newEvents(source.events, watch.name);
    case "agent_service":
      return agentService(source, watch.serviceId);
    default:
      // The configuration refuses the types of the mesh before.
      throw new OperationalError("invalid-request", `Watch type ${watch.type} is not allowed in agent config`);
  }
}

function query<A, R>(
  { datacenter, stale }: WatchDefinition,
  { route, waitMs }: WatchSource,
  endpoint: QueryEndpoint<A, R>,
  args: A,
  shape: (value: R) => unknown,
): Watched<unknown> {
  return async ({ index = 0, signal }) => {
    const options = {
      consistency: stale ? "stale" : "default",
      index: Number(index),
      waitMs,
      onGone: (gone: () => void) => listen(signal, gone),
    } as const;
    const asked = Promise.resolve(route.query(endpoint, args, options, datacenter));
    const answer = await (signal === undefined ? asked : unlessAborted(asked, signal));
    return { ...NO_META, index: answer.index, value: shape(answer.shared.read.value) };
  };
}

/** The events that came since the read before, the first time all; it waits until there are some. */
function newEvents(events: Events, name: string): Watched<unknown> {
  let lastId: string | null = null;
  return async ({ signal }) => {
    const isFirst = lastId === null;
    const fresh = (): ReturnType<Events["list"]> => {
      const list = events.list(name);
      // One that is not there any more is older than all that are.
      return list.slice(list.findIndex(({ ID }) => ID === lastId) + 1);
    };
    if (!isFirst && fresh().length === 0)
      await new Promise<void>((resolve) => {
        const done = (): void => {
          off();
          unlisten();
          resolve();
        };
        const off = events.onEvent(() => {
          if (fresh().length > 0) done();
        });
        const unlisten = listen(signal, done);
      });
    const value = fresh();
    lastId = value.at(-1)?.ID ?? lastId ?? "";
    return { ...NO_META, index: BigInt(events.index(name)), value };
  };
}

/** The agent's own service, once its content has another hash than the one before. */
function agentService({ local, route }: WatchSource, id: string): Watched<unknown> {
  const now = (): ReturnType<typeof hashedAgentService> => {
    const record = local.services.get(id);
    if (record === undefined) throw new OperationalError("not-found", `unknown service ID: ${id}`);
    return hashedAgentService(record.service, route.topology.datacenter);
  };
  return async ({ hash, signal }) => {
    if (now().ContentHash === hash)
      await new Promise<void>((resolve) => {
        const done = (): void => {
          off();
          unlisten();
          resolve();
        };
        const off = local.watchService(id, () => {
          const record = local.services.get(id);
          if (record === undefined || now().ContentHash !== hash) done();
        });
        const unlisten = listen(signal, done);
      });
    const value = now();
    return { ...NO_META, contentHash: value.ContentHash, value };
  };
}

function listen(signal: AbortSignal | undefined, gone: () => void): () => void {
  signal?.addEventListener("abort", gone, { once: true });
  return () => signal?.removeEventListener("abort", gone);
}

const NO_META: Omit<Read<unknown>, "value"> = {
  index: 0,
  knownLeader: true,
  lastContactMs: 0,
  contentHash: null,
  cacheHit: null,
  cacheAgeSeconds: 0,
  filteredByAcls: false,
};

/** An entry in the form that watches have always had: fields in this order, `Session` always there. */
function entryShape({ Key, CreateIndex, ModifyIndex, LockIndex, Flags, Value, Session = "" }: KVEntry): unknown {
  return { Key, CreateIndex, ModifyIndex, LockIndex, Flags, Value: Value.length === 0 ? null : Value, Session };
}
