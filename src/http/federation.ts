// What this datacenter takes over from others, and who the primary is: /v1/operator/replication, whose model is Consul's
// /v1/acl/replication (https://developer.hashicorp.com/consul/api-docs/acl#check-acl-replication). Not in Consul.
import { federationStatus, type FederationStatus, type LinkStatus } from "../endpoint/federation.ts";
import type { RouteRow } from "./route-table.ts";

export const federationRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/operator/replication",
    params: [],
    permission: "operator:read",
    summary: "Says what is taken over from other datacenters and how that stands; not in Consul",
    handle: async (c) => c.reply(replicationShape(await c.command(federationStatus, null))),
  },
];

const replicationShape = ({ datacenter, primary, configured, known, links }: FederationStatus): unknown => ({
  Datacenter: datacenter,
  PrimaryDatacenter: primary.Datacenter,
  PrimaryEpoch: primary.Epoch,
  ConfiguredPrimary: configured,
  KnownDatacenters: known,
  Links: links.map(linkShape),
});

/** Consul's names where it has them. */
const linkShape = (link: LinkStatus): unknown => ({
  ReplicationType: link.kind,
  SourceDatacenter: link.source,
  ...(link.kind === "kv" ? { Prefix: link.prefix, ToPrefix: link.toPrefix, Mode: link.mode } : {}),
  Running: link.state !== "failing",
  State: link.state,
  LagMs: link.lagMs,
  ReplicatedIndex: link.index,
  Batches: link.batches,
  ...(link.kind === "kv" ? { Written: link.written, Deleted: link.deleted, Conflicts: link.conflicts } : {}),
  Failures: link.failures,
  LastSuccess: time(link.lastSuccessMs),
  LastError: time(link.lastErrorMs),
  LastErrorMessage: link.lastError,
  NextAttempt: time(link.nextAttemptMs),
});

/** Consul's zero time for never. */
const time = (epochMs: number | null): string =>
  epochMs === null ? "0001-01-01T00:00:00Z" : new Date(epochMs).toISOString();
