// /v1/event: https://developer.hashicorp.com/consul/api-docs/event.
import { RE2JS } from "re2js";
import type { UserEvent } from "../agent/events.ts";
import { OperationalError } from "../types/error.ts";
import { uuid } from "../util/bytes.ts";
import { stringifyJson } from "../util/json.ts";
import type { Context } from "./context.ts";
import { jsonReply, type Reply } from "./reply.ts";
import type { RouteRow } from "./route-table.ts";

export const eventRoutes: readonly RouteRow[] = [
  {
    method: "PUT",
    path: "/v1/event/fire/*",
    tail: "name",
    params: ["node", "service", "tag"],
    permission: "event:write",
    summary: "Fires an event to all agents of the datacenter",
    handle: fire,
  },
  {
    method: "GET",
    path: "/v1/event/list",
    params: ["name", "node", "service", "tag", "index", "wait"],
    permission: "event:read",
    summary: "Lists the newest events this agent has seen",
    handle: list,
  },
];

/** What one gossip message can carry beside the filters. */
const PAYLOAD_BYTES_MAX = 300;

async function fire(c: Context): Promise<Reply> {
  const { query } = c;
  const Name = c.requireTail("Missing name");
  const NodeFilter = query.get("node") ?? "";
  const ServiceFilter = query.get("service") ?? "";
  const TagFilter = query.get("tag") ?? "";
  for (const [what, pattern] of [
    ["node", NodeFilter],
    ["service", ServiceFilter],
    ["tag", TagFilter],
  ] as const)
    checkPattern(what, pattern);
  if (TagFilter !== "" && ServiceFilter === "")
    throw new OperationalError("refused", "Cannot provide tag filter without service filter");
  const payload = await c.body(PAYLOAD_BYTES_MAX);
  const event: UserEvent = {
    ID: uuid(c.agent.platform.random(16)),
    Name,
    Payload: payload.length === 0 ? null : payload,
    NodeFilter,
    ServiceFilter,
    TagFilter,
    Version: 1,
    LTime: 0,
  };
  await c.agent.calls.fire(event, c.datacenter);
  return c.reply(event);
}

function checkPattern(what: string, pattern: string): void {
  if (pattern === "") return;
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    throw new OperationalError("refused", `Invalid ${what} filter: error parsing regexp: ${(error as Error).message}`);
  }
}

/** The index of a list is not ordered: a list waits while its index equals the one asked with. */
function list(c: Context): Reply | Promise<Reply> {
  const { events } = c.agent;
  const name = c.query.get("name") ?? "";
  const asked = c.query.get("index") ?? "";
  const { waitMs } = c.eventWait(asked);
  const answer = (): Reply => {
    const shown = events.list(name).filter((event) => matches(c, event));
    return jsonReply(stringifyJson(shown, c.pretty), ["X-Consul-Index", events.index(name)]);
  };
  if (asked === "" || asked === "0" || events.index(name) !== asked) return answer();
  return new Promise((resolve) => {
    const done = (): void => {
      off();
      forget();
      c.agent.timers.cancel(timer);
      resolve(answer());
    };
    const off = events.onEvent(() => {
      if (events.index(name) !== asked) done();
    });
    const timer = c.agent.timers.after(waitMs, done);
    const forget = c.request.onGone(done);
  });
}

/** The list's own filters name what an event was aimed at. */
function matches(c: Context, event: UserEvent): boolean {
  return (
    (c.query.get("node") ?? event.NodeFilter) === event.NodeFilter &&
    (c.query.get("service") ?? event.ServiceFilter) === event.ServiceFilter &&
    (c.query.get("tag") ?? event.TagFilter) === event.TagFilter
  );
}
