// /v1/acl: https://developer.hashicorp.com/consul/api-docs/acl. This build has no access control lists: every route says
// what Consul says when they are off.
import { OperationalError } from "../types/error.ts";
import type { Context } from "./context.ts";
import type { Reply } from "./reply.ts";
import type { Method, Permission, RouteRow } from "./route-table.ts";

/** Path below /v1, methods; a path that ends in `/*` names what its last part is. */
const ROUTES: readonly (readonly [string, readonly Method[], string?])[] = [
  ["acl/bootstrap", ["PUT"]],
  ["acl/login", ["POST"]],
  ["acl/logout", ["POST"]],
  ["acl/replication", ["GET"]],
  ["acl/policies", ["GET"]],
  ["acl/policy", ["PUT"]],
  ["acl/policy/name/*", ["GET"], "policy"],
  ["acl/policy/*", ["GET", "PUT", "DELETE"], "policy"],
  ["acl/roles", ["GET"]],
  ["acl/role", ["PUT"]],
  ["acl/role/name/*", ["GET"], "role"],
  ["acl/role/*", ["GET", "PUT", "DELETE"], "role"],
  ["acl/binding-rules", ["GET"]],
  ["acl/binding-rule", ["PUT"]],
  ["acl/binding-rule/*", ["GET", "PUT", "DELETE"], "rule"],
  ["acl/auth-methods", ["GET"]],
  ["acl/auth-method", ["PUT"]],
  ["acl/auth-method/*", ["GET", "PUT", "DELETE"], "method"],
  ["acl/tokens", ["GET"]],
  ["acl/token", ["PUT"]],
  ["acl/token/self", ["GET"]],
  ["acl/token/*", ["GET", "PUT", "DELETE"], "token"],
  ["acl/templated-policies", ["GET"]],
  ["acl/templated-policy/name/*", ["GET"], "policy"],
  ["acl/templated-policy/preview/*", ["POST"], "policy"],
  ["internal/acl/authorize", ["POST"]],
];

export const aclRoutes: readonly RouteRow[] = ROUTES.flatMap(([path, methods, tail]) =>
  methods.map((method) => ({
    method,
    path: `/v1/${path}`,
    ...(tail === undefined ? {} : { tail }),
    params: [],
    permission: (method === "GET" ? "acl:read" : "acl:write") satisfies Permission,
    summary: "Access control lists, which this build does not have",
    handle: disabled,
  })),
);

function disabled(c: Context): Reply {
  if (!c.agent.config.acl.enabled) throw new OperationalError("unsupported", "ACL support disabled", { status: 401 });
  throw new OperationalError("unsupported", "This build does not have ACLs; acl.enabled must be false", {
    status: 501,
  });
}
