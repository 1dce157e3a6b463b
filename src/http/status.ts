// /v1/status: https://developer.hashicorp.com/consul/api-docs/status. Answered from what this agent knows; open to all.
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
    handle: (c) => replyOf(c, c.agent.leaderAddress),
  },
  {
    method: "GET",
    path: "/v1/status/peers",
    params: [],
    permission: "none",
    summary: "The addresses of the voters",
    handle: (c) => replyOf(c, c.agent.peerAddresses),
  },
];

function replyOf(c: Context, value: unknown): Reply {
  c.requireLocalDatacenter();
  return c.reply(value);
}
