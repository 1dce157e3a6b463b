// /v1/connect, /v1/discovery-chain, /v1/peering and their neighbours: this build has no service mesh and no peering. The
// routes of the mesh say what Consul says when `connect.enabled` is false; those of peering say what there is not.
import { OperationalError } from "../types/error.ts";
import type { Reply } from "./reply.ts";
import type { Method, Permission, RouteRow } from "./route-table.ts";

interface Absent {
  path: string;
  methods: readonly Method[];
  tail?: string;
  read: Permission;
  write: Permission;
}

const MESH: readonly Absent[] = [
  { path: "/v1/connect/ca/configuration", methods: ["GET", "PUT"], read: "operator:write", write: "operator:write" },
  { path: "/v1/connect/ca/roots", methods: ["GET"], read: "none", write: "none" },
  { path: "/v1/connect/intentions", methods: ["GET", "POST"], read: "service:read", write: "service:write" },
  { path: "/v1/connect/intentions/match", methods: ["GET"], read: "service:read", write: "none" },
  { path: "/v1/connect/intentions/check", methods: ["GET"], read: "service:read", write: "none" },
  {
    path: "/v1/connect/intentions/exact",
    methods: ["GET", "PUT", "DELETE"],
    read: "service:read",
    write: "service:write",
  },
  {
    path: "/v1/connect/intentions/*",
    methods: ["GET", "PUT", "DELETE"],
    tail: "intention",
    read: "service:read",
    write: "service:write",
  },
  {
    path: "/v1/discovery-chain/*",
    methods: ["GET", "POST"],
    tail: "service",
    read: "service:read",
    write: "service:read",
  },
  { path: "/v1/internal/service-virtual-ip", methods: ["PUT"], read: "mesh:read", write: "mesh:write" },
];

const PEERING: readonly Absent[] = [
  { path: "/v1/peering/token", methods: ["POST"], read: "mesh:read", write: "mesh:write" },
  { path: "/v1/peering/establish", methods: ["POST"], read: "mesh:read", write: "mesh:write" },
  { path: "/v1/peering/*", methods: ["GET", "DELETE"], tail: "peering", read: "mesh:read", write: "mesh:write" },
  { path: "/v1/peerings", methods: ["GET"], read: "mesh:read", write: "mesh:write" },
  { path: "/v1/exported-services", methods: ["GET"], read: "mesh:read", write: "mesh:write" },
  { path: "/v1/imported-services", methods: ["GET"], read: "mesh:read", write: "mesh:write" },
];

const rows = (absent: readonly Absent[], summary: string, handle: () => Reply): RouteRow[] =>
  absent.flatMap(({ path, methods, tail, read, write }) =>
    methods.map((method) => ({
      method,
      path,
      ...(tail === undefined ? {} : { tail }),
      params: [],
      permission: method === "GET" ? read : write,
      summary,
      handle,
    })),
  );

export const meshRoutes: readonly RouteRow[] = [
  ...rows(MESH, "The service mesh, which this build does not have", () => {
    throw new OperationalError("refused", "Connect must be enabled in order to use this endpoint");
  }),
  ...rows(PEERING, "Peering between clusters, which this build does not have", () => {
    throw new OperationalError("unsupported", "Peering between clusters is not supported in this build", {
      status: 501,
    });
  }),
];
