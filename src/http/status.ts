// /v1/status: https://developer.hashicorp.com/consul/api-docs/status. Answered from what this agent's server
// knows; open to all.
import type { GroupStatus } from "../agent/datacenter-calls.ts";
import type { Context } from "./context.ts";
import type { Reply } from "./reply.ts";
import type { RouteRow } from "./route-table.ts";

export const statusRoutes: readonly RouteRow[] = [
  {
    method: "GET",
    path: "/v1/status/leader",
    params: [],
    permission: "none",
    summary: "The leader's address, or an empty string",
    handle: (c) => replyOf(c, ({ leader }) => leader),
  },
  {
    method: "GET",
    path: "/v1/status/peers",
    params: [],
    permission: "none",
    summary: "The addresses of the voters",
    handle: (c) => replyOf(c, ({ voters }) => voters),
  },
];

function replyOf(c: Context, pick: (group: GroupStatus) => unknown): Reply | Promise<Reply> {
  const status = c.agent.calls.groupStatus(c.datacenter);
  return status instanceof Promise ? status.then((late) => c.reply(pick(late))) : c.reply(pick(status));
}
