// What the package's `./client` gives.
export type { AgentArea } from "./agent.ts";
export type { CatalogArea } from "./catalog.ts";
export type { Client } from "./client.ts";
export { createClient } from "./client.ts";
export type { CasOptions, ConfigArea } from "./config.ts";
export type { CoordinateArea } from "./coordinate.ts";
export type { EventArea, EventFilters } from "./event.ts";
export type { HealthArea } from "./health.ts";
export type { DeleteOptions, KvArea, PutOptions } from "./kv.ts";
export type { Lock, LockOptions } from "./lock.ts";
export { acquireLock, acquireSemaphore, LockConflict, lockFlags, semaphoreFlags } from "./lock.ts";
export type { KeyringOptions, OperatorArea } from "./operator.ts";
export type { QueryArea, QueryDefinition } from "./query.ts";
export type { SessionArea } from "./session.ts";
export type { SnapshotArea } from "./snapshot.ts";
export type { StatusArea } from "./status.ts";
export type {
  ClientFetch,
  ClientOptions,
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
export type { Sleep, Watched, WatchOptions } from "./watch.ts";
export { watch } from "./watch.ts";
