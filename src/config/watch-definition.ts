// Definitions of watches: the parameters that `watches` in a file and `consul watch` take.
// https://developer.hashicorp.com/consul/docs/automate/watch
import { bool, type Decoded, duration, list, map, object, string, withDefault } from "../util/decode.ts";
import { nsPerMs } from "../util/duration.ts";
import type { UserMap } from "../types/records.ts";
import { decodeDefinition, invalid, strictFields } from "./definition-decoder.ts";

export type WatchType =
  | "key"
  | "keyprefix"
  | "services"
  | "nodes"
  | "service"
  | "checks"
  | "event"
  | "connect_roots"
  | "connect_leaf"
  | "agent_service";

/** What is watched. Absent texts are "". */
export interface WatchDefinition {
  type: WatchType;
  datacenter: string;
  token: string;
  stale: boolean;
  filter: string;
  /** For `key`. */
  key: string;
  /** For `keyprefix`. */
  prefix: string;
  /** For `service`, `checks` and `connect_leaf`. */
  service: string;
  /** For `service`: all of these. */
  tags: string[];
  passingOnly: boolean;
  /** For `checks`. */
  state: string;
  /** For `event`. */
  name: string;
  /** For `agent_service`. */
  serviceId: string;
  /** Null where whoever watches brings a handler of his own. */
  handler: WatchHandler | null;
}

/** What is called at each change. */
export type WatchHandler =
  /** A program with its arguments, without a shell. */
  | { type: "script"; args: string[] }
  /** A line for the shell: the old form. */
  | { type: "shell"; command: string }
  | {
      type: "http";
      path: string;
      method: string;
      timeoutMs: number;
      header: UserMap<string[]>;
      tlsSkipVerify: boolean;
    };

const http = object(
  {
    path: string,
    method: withDefault(string, "POST"),
    timeout: duration,
    header: map(list(string)),
    tls_skip_verify: bool,
  },
  strictFields,
);
const common = ["type", "datacenter", "token", "handler_type", "handler", "args", "http_handler_config"];
const staleAndFilter = ["stale", "filter"];
/** The parameters that each type takes besides the common ones. */
const parametersByType: ReadonlyMap<WatchType, readonly string[]> = new Map<WatchType, readonly string[]>([
  ["key", ["key", "stale"]],
  ["keyprefix", ["prefix", "stale"]],
  ["services", staleAndFilter],
  ["nodes", staleAndFilter],
  ["service", ["service", "tag", "passingonly", ...staleAndFilter]],
  ["checks", ["service", "state", ...staleAndFilter]],
  ["event", ["name"]],
  ["connect_roots", []],
  ["connect_leaf", ["service"]],
  ["agent_service", ["service_id"]],
]);

const fields = object(
  {
    type: string,
    datacenter: string,
    token: string,
    stale: flag,
    filter: string,
    key: string,
    prefix: string,
    service: string,
    tag: oneOrMore,
    passingonly: flag,
    state: string,
    name: string,
    service_id: string,
    handler_type: withDefault(string, "script"),
    handler: string,
    args: oneOrMore,
    http_handler_config: http,
  },
  { strict: false },
);

/** A boolean, also as the text "true": Consul reads both. */
function flag(value: unknown, path: string): boolean {
  return value === "true" || (value !== "false" && bool(value, path));
}

/** A list of texts, or one alone. */
function oneOrMore(value: unknown, path: string): string[] {
  return typeof value === "string" ? [value] : list(string)(value, path);
}

/**
 * Reads the parameters of a watch. `inConfig` is for the agent's own configuration, where a handler is needed and the
 * types of the mesh are not allowed.
 * @throws OperationalError `invalid-request` with Consul's texts.
 */
export function decodeWatchDefinition(raw: UserMap<unknown>, inConfig: boolean): WatchDefinition {
  const given = decodeDefinition(fields, raw, { source: "file" });
  if (given.handler_type !== "script" && given.handler_type !== "http") {
    throw invalid(`Handler type '${given.handler_type}' not recognized`);
  }
  if (given.type === "") throw invalid("Watch type must be specified");
  if (inConfig && given.type.startsWith("connect_")) {
    throw invalid(`Watch type ${given.type} is not allowed in agent config`);
  }
  const own = parametersByType.get(given.type as WatchType);
  if (own === undefined) throw invalid(`Unsupported watch type: ${given.type}`);
  const unknown = Object.keys(raw).filter((key) => !common.includes(key) && !own.includes(key));
  if (unknown.length > 0) throw invalid(`Invalid parameters: [${unknown.join(" ")}]`);
  requireParameters(given);
  const handler = handlerOf(given);
  if (inConfig && handler === null) throw invalid("Must define a watch handler");
  return {
    type: given.type as WatchType,
    datacenter: given.datacenter,
    token: given.token,
    stale: given.stale,
    filter: given.filter,
    key: given.key,
    prefix: given.prefix,
    service: given.service,
    tags: given.tag,
    passingOnly: given.passingonly,
    state: given.state,
    name: given.name,
    serviceId: given.service_id,
    handler,
  };
}

function requireParameters(given: Decoded<typeof fields>): void {
  if (given.type === "key" && given.key === "") throw invalid("Must specify a single key to watch");
  if (given.type === "keyprefix" && given.prefix === "") throw invalid("Must specify a single prefix to watch");
  if (given.type === "service" && given.service === "") throw invalid("Must specify a single service to watch");
  if (given.type === "connect_leaf" && given.service === "") throw invalid("Must specify a single service to watch");
  if (given.type === "agent_service" && given.service_id === "") {
    throw invalid("Must specify a single service id to watch");
  }
  if (given.type === "checks" && given.service !== "" && given.state !== "") {
    throw invalid("Cannot specify service and state");
  }
}

function handlerOf(given: Decoded<typeof fields>): WatchHandler | null {
  const handlers = [given.handler !== "", given.args.length > 0, given.handler_type === "http"];
  if (handlers.filter(Boolean).length > 1) throw invalid("Only one watch handler allowed");
  if (given.handler_type === "http") {
    const config = given.http_handler_config;
    if (config.path === "") throw invalid("Requires 'path' to be set");
    return {
      type: "http",
      path: config.path,
      method: config.method,
      timeoutMs: config.timeout === 0 ? 10_000 : config.timeout / nsPerMs,
      header: config.header,
      tlsSkipVerify: config.tls_skip_verify,
    };
  }
  if (given.args.length > 0) return { type: "script", args: given.args };
  return given.handler === "" ? null : { type: "shell", command: given.handler };
}
