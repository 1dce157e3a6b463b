// What the Worker's variables say: which datacenters there are, and the configuration of the agent in each one's object.
import { buildConfig } from "../../src/config/agent-config.ts";
import type { AgentConfig } from "../../src/config/config-types.ts";
import { OperationalError } from "../../src/types/error.ts";
import type { ObjectNamespace } from "./object-state.ts";
import { objectAddress } from "./peers.ts";

/** The Worker's bindings, variables and secrets. */
export interface Environment {
  /** The objects, one a datacenter. */
  readonly DATACENTER: ObjectNamespace;
  /** The datacenters that there are, by name, separated by commas; the first is who asks without saying which. */
  readonly DATACENTERS?: string;
  /** Agent configuration in HCL or JSON, as in a file of it, for all of them. */
  readonly CONFIG?: string;
  /** The origin of web pages that may use the API; `*` for all. None when it is not set. */
  readonly CORS_ORIGIN?: string;
  /** Where new objects are made (`weur`, `enam`, …); near the first who asks when it is not set. */
  readonly LOCATION_HINT?: string;
  /** The secret that opens the API: `wrangler secret put PROCONSUL_TOKEN`. */
  readonly PROCONSUL_TOKEN?: string;
}

/** The datacenters of a Worker, the default one first. */
export function datacentersOf({ DATACENTERS = "" }: Environment): [string, ...string[]] {
  const [first = "dc1", ...others] = DATACENTERS.toLowerCase()
    .split(/[\s,]+/)
    .filter((name) => name !== "");
  return [first, ...others];
}

/**
 * The longest that a blocking query waits. A sixteenth is added at random, which makes 240 s: an answer without a byte for
 * five minutes is cut on its way.
 */
const WAIT_MAX = "225s";
/** A value stands in one row together with what describes it. */
const VALUE_BYTES_MAX = 1_000_000;

/** The configuration of a datacenter's agent. @throws OperationalError that says what is wrong with CONFIG. */
export function configOf(environment: Environment, datacenter: string): AgentConfig {
  const { CONFIG = "", CORS_ORIGIN: origin } = environment;
  const own = {
    datacenter,
    node_name: `${datacenter}-object`,
    server: true,
    bootstrap: true,
    // Where is for the platform to say; that there is one means that what is registered here is remembered.
    data_dir: "/sqlite",
    bind_addr: "127.0.0.1",
    client_addr: "127.0.0.1",
    ports: { dns: -1, http: -1, https: -1, grpc: -1, grpc_tls: -1, serf_wan: -1 },
    disable_coordinates: true,
    remote_datacenters: datacentersOf(environment)
      .filter((name) => name !== datacenter)
      .map((name) => ({ name, address: objectAddress(name) })),
    // The log is not needed once it is applied. What is kept of it is read at each waking.
    raft_snapshot_threshold: 256,
    raft_trailing_logs: 1,
    log_level: "warn",
    max_query_time: WAIT_MAX,
    default_query_time: WAIT_MAX,
    http_config: { response_headers: origin === undefined ? {} : { "Access-Control-Allow-Origin": origin } },
  };
  // The name of the object is the name of its datacenter, and the Worker lets in who knows the secret.
  const fixed = { datacenter, server: true, bootstrap: true, gateway_token: "" };
  const result = buildConfig({
    sources: [
      { name: "the Worker", format: "json", text: JSON.stringify(own) },
      { name: "CONFIG", format: CONFIG.trimStart().startsWith("{") ? "json" : "hcl", text: CONFIG },
      { name: "the Worker", format: "json", text: JSON.stringify(fixed) },
    ],
    flags: null,
    hostname: own.node_name,
    interfaces: null,
  });
  if ("errors" in result) throw new OperationalError("invalid-request", `CONFIG: ${result.errors.join("; ")}`);
  if (result.config.kvMaxValueBytes > VALUE_BYTES_MAX)
    throw new OperationalError("unsupported", `CONFIG: limits.kv_max_value_size is at most ${VALUE_BYTES_MAX} here`);
  return result.config;
}
