// What the package's `./client/admin` gives: the client of `./client` with the areas that operators need, and semaphores.
export type { AgentAdminArea } from "./agent-admin.ts";
export type { Client } from "./client.ts";
export { createClient } from "./client.ts";
export type { CasOptions, ConfigArea } from "./config.ts";
export type { CoordinateArea } from "./coordinate.ts";
export type { EventArea, EventFilters } from "./event.ts";
export type { KeyringOptions, OperatorArea } from "./operator.ts";
export type { QueryAdminArea, QueryDefinition } from "./query-admin.ts";
export type { PreparedQuery } from "../types/records.ts";
export { acquireSemaphore, semaphoreFlags } from "./semaphore.ts";
export type { SnapshotArea } from "./snapshot.ts";
