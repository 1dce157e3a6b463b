// What the package's `./client` gives. Areas that only operators need are in `./client/admin`.
export type { AgentArea } from "./agent.ts";
export type { CatalogArea } from "./catalog.ts";
export type { Client, ClientOptions } from "./edge.ts";
export { createClient } from "./edge.ts";
export type { Clock, Sleep } from "./clock.ts";
export { TimeoutError } from "./clock.ts";
export type { Codec } from "./codec.ts";
export { bytes, json, text } from "./codec.ts";
export type { Discovery, DiscoverOptions, ServiceRequest } from "./discovery.ts";
export { NoInstanceError } from "./discovery.ts";
export type { HealthArea } from "./health.ts";
export type { Instance } from "./instance.ts";
export type { DeleteOptions, FollowOptions, KvArea, KvReplica, PutOptions } from "./kv.ts";
export type { KvEntry, KvValue } from "./kv-entry.ts";
export type { Lock, LockOptions } from "./lock.ts";
export { acquireLock, LockConflict, lockFlags } from "./lock.ts";
export type { QueryArea } from "./query.ts";
export type { RegisteredService, RegisterOptions, Registration } from "./registration.ts";
export type { Lookup, LookupOptions, ReplicaOptions } from "./replica.ts";
export type { SessionArea } from "./session.ts";
export type { StatusArea } from "./status.ts";
export type { ClientStorage } from "./storage.ts";
export type {
  Body,
  ClientFetch,
  ClientRequest,
  Read,
  ReadMeta,
  ReadOptions,
  RequestOptions,
  Transport,
} from "./transport.ts";
export { ClientError } from "./transport.ts";
export type { Txn } from "./txn.ts";
export type * from "./types.ts";
export type { Watched, WatchOptions, WatchSource, WatchTarget } from "./watch.ts";
export { longPolls, watch } from "./watch.ts";
