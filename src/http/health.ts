// /v1/health: https://developer.hashicorp.com/consul/api-docs/health.
import {
  healthChecks,
  healthNode,
  healthService,
  type HealthServiceArgs,
  healthShape,
  healthState,
  type ChecksArgs,
} from "../endpoint/health.ts";
import type { InstanceHealth } from "../state/read.ts";
import { OperationalError } from "../types/error.ts";
import { stringifyJson } from "../util/json.ts";
import type { Context } from "./context.ts";
import { jsonEncoding } from "./json-encoding.ts";
import { narrowingOf, serviceArgs } from "./narrowing.ts";
import type { Reply } from "./reply.ts";
import { LIST_PARAMS, type RouteRow } from "./route-table.ts";
import { instancesSeenFrom, withWanAddresses } from "./wan-addresses.ts";

const SERVICE_PARAMS: readonly string[] = ["tag", "passing", "peer", "merge-central-config", ...LIST_PARAMS];

export const healthRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/health/node/*",
    tail: "node",
    params: LIST_PARAMS,
    permission: ["node:read", "service:read"],
    summary: "Lists the checks of a node and its services",
    handle: (c) => c.readJson(healthNode, checksArgs(c, "Missing node name"), HEALTH),
  },
  {
    method: "GET",
    path: "/v1/health/checks/*",
    tail: "service",
    params: LIST_PARAMS,
    permission: ["node:read", "service:read"],
    summary: "Lists the checks of a service's instances",
    handle: (c) => c.readJson(healthChecks, checksArgs(c, "Missing service name"), HEALTH),
  },
  {
    method: "GET",
    path: "/v1/health/service/*",
    tail: "service",
    params: SERVICE_PARAMS,
    permission: ["node:read", "service:read"],
    summary: "Lists the instances of a service with their checks",
    handle: (c) => instances(c, false),
  },
  {
    method: "GET",
    path: "/v1/health/connect/*",
    tail: "service",
    params: SERVICE_PARAMS,
    permission: ["node:read", "service:read"],
    summary: "Lists the instances through which a service can be reached in a mesh, with their checks",
    handle: (c) => instances(c, true),
  },
  {
    method: "GET",
    path: "/v1/health/ingress/*",
    tail: "service",
    params: SERVICE_PARAMS,
    permission: ["node:read", "service:read"],
    summary: "Lists the ingress gateways of a service: none in this build, which has no gateways",
    handle: ingress,
  },
  {
    method: "GET",
    path: "/v1/health/state/*",
    tail: "state",
    params: LIST_PARAMS,
    permission: ["node:read", "service:read"],
    summary: "Lists the checks in a state",
    handle: (c) => c.readJson(healthState, checksArgs(c, "Missing check state"), HEALTH),
  },
];

const HEALTH = { effectiveConsistency: true };

function checksArgs(c: Context, missing: string): ChecksArgs {
  return { of: c.requireTail(missing), ...narrowingOf(c) };
}

function healthArgs(c: Context, connect: boolean): HealthServiceArgs {
  return { ...serviceArgs(c, connect), passing: passingOf(c) };
}

function instances(c: Context, connect: boolean): Reply | Promise<Reply> {
  return c.read(healthService, healthArgs(c, connect), withWanAddresses(c, rows(c.pretty), instancesSeenFrom), HEALTH);
}

/** No service has an ingress gateway: what is asked is still checked, and the answer is a read like any other. */
function ingress(c: Context): Reply | Promise<Reply> {
  return c.read(healthService, { ...healthArgs(c, true), tags: [NO_TAG] }, rows(c.pretty), HEALTH);
}
/** A tag that no instance can have. */
const NO_TAG = "\u0000";

/** `?passing` may stand alone, or say true or false as Go reads a bool. */
function passingOf(c: Context): boolean {
  const passing = c.query.text === "" ? null : c.query.get("passing");
  if (passing === null) return false;
  if (passing === "" || /^(1|t|T|true|TRUE|True)$/.test(passing)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(passing)) return false;
  throw new OperationalError("invalid-request", "Invalid value for ?passing");
}

const rows = jsonEncoding<readonly InstanceHealth[]>("health", (value, pretty) =>
  stringifyJson(value.map(healthShape), pretty),
);
