// What this datacenter takes over from others, and who the primary is: /v1/operator/replication, whose model is Consul's
// /v1/acl/replication (https://developer.hashicorp.com/consul/api-docs/acl#check-acl-replication). Not in Consul.
import { federationStatus, type FederationStatus, type LinkStatus } from "../endpoint/federation.ts";
import {
  movePrimary,
  newestPrimary,
  planPrimaryMove,
  type PrimaryPlan,
  seenDatacenters,
} from "../agent/primary-move.ts";
import type { SeenDatacenter } from "../agent/primary-move.ts";
import { OperationalError } from "../types/error.ts";
import type { Context } from "./context.ts";
import type { Reply } from "./reply.ts";
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
  {
    method: "GET",
    path: "/v1/operator/primary",
    params: ["to"],
    permission: "operator:read",
    summary: "Says who the primary datacenter is, or with ?to what moving it there would mean; not in Consul",
    handle: getPrimary,
  },
  {
    method: "PUT",
    path: "/v1/operator/primary",
    params: ["to", "force"],
    permission: "operator:write",
    summary: "Makes another datacenter the primary; not in Consul",
    handle: putPrimary,
  },
];

async function getPrimary(c: Context): Promise<Reply> {
  const to = c.query.get("to") ?? "";
  if (to !== "") return c.reply(planShape(await planPrimaryMove(c.agent, to)));
  const seen = await seenDatacenters(c.agent);
  const primary = newestPrimary(seen);
  return c.reply({
    PrimaryDatacenter: primary.Datacenter,
    PrimaryEpoch: primary.Epoch,
    Datacenters: seen.map(seenShape),
  });
}

async function putPrimary(c: Context): Promise<Reply> {
  const to = c.query.get("to") ?? "";
  if (to === "")
    throw new OperationalError("invalid-request", "Must specify ?to, the datacenter that is to be the primary");
  const { plan, epoch, isTaken } = await movePrimary(c.agent, to, c.query.has("force"));
  return c.reply({ ...planShape(plan), PrimaryEpoch: epoch, TakenOver: isTaken });
}

const planShape = ({ to, primary, seen, behind, refusals, impossible }: PrimaryPlan): Record<string, unknown> => ({
  From: primary.Datacenter,
  To: to,
  PrimaryEpoch: primary.Epoch,
  Behind: behind,
  Datacenters: seen.map(seenShape),
  Refusals: refusals,
  Impossible: impossible,
});

const seenShape = ({ name, status, error }: SeenDatacenter): unknown => ({
  Datacenter: name,
  Reachable: status !== null,
  Error: error,
  PrimaryDatacenter: status?.primary.Datacenter ?? "",
  PrimaryEpoch: status?.primary.Epoch ?? 0,
  ConfiguredPrimary: status?.configured ?? "",
});

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
