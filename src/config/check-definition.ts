// Definitions of health checks, as files and requests give them.
// https://developer.hashicorp.com/consul/docs/reference/service/health-check
import { bool, duration, int, list, map, object, optional, string } from "../util/decode.ts";
import type { Decoded, Decoder } from "../util/decode.ts";
import { formatDuration, nsPerMs } from "../util/duration.ts";
import type { CheckStatus, UserMap } from "../types/records.ts";
import { decodeDefinition, type DefinitionOptions, invalid, strictFields } from "./definition-decoder.ts";

/** How a check finds out; "" when its definition names no way. */
export type CheckType =
  | "grpc"
  | "http"
  | "ttl"
  | "tcp"
  | "udp"
  | "alias"
  | "docker"
  | "script"
  | "h2ping"
  | "os_service"
  | "";

/** A check as it was defined. Absent texts are "", absent numbers and durations 0. */
export interface CheckDefinition {
  /** "" when not given: a node's check then has its name for id, a service's the one that `serviceChecks` gives. */
  id: string;
  name: string;
  notes: string;
  /** Of a node's list: the service that the check belongs to. */
  serviceId: string;
  /** The status until the first result; "" for critical. */
  status: CheckStatus | "";
  token: string;
  type: CheckType;
  /** The program and its arguments, for script and docker checks. */
  args: string[];
  http: string;
  method: string;
  header: UserMap<string[]>;
  body: string;
  disableRedirects: boolean;
  h2ping: string;
  h2pingUseTls: boolean;
  tcp: string;
  tcpUseTls: boolean;
  udp: string;
  grpc: string;
  grpcUseTls: boolean;
  osService: string;
  dockerContainerId: string;
  shell: string;
  aliasNode: string;
  aliasService: string;
  tlsServerName: string;
  tlsSkipVerify: boolean;
  intervalMs: number;
  timeoutMs: number;
  ttlMs: number;
  deregisterCriticalServiceAfterMs: number;
  /** The durations as Consul shows them: Go's form ("1m0s" for "60s"), "" when 0. */
  interval: string;
  timeout: string;
  ttl: string;
  deregisterCriticalServiceAfter: string;
  successBeforePassing: number;
  failuresBeforeWarning: number;
  failuresBeforeCritical: number;
  /** 0 for the agent's `check_output_max_size`. */
  outputBytesMax: number;
}

const fields = object(
  {
    CheckID: string,
    Name: string,
    Notes: string,
    ServiceID: string,
    Status: string,
    Token: string,
    ScriptArgs: list(string),
    HTTP: string,
    Method: string,
    Header: map(list(string)),
    Body: string,
    DisableRedirects: bool,
    H2PING: string,
    H2PingUseTLS: optional(bool),
    TCP: string,
    TCPUseTLS: bool,
    UDP: string,
    GRPC: string,
    GRPCUseTLS: bool,
    OSService: string,
    DockerContainerID: string,
    Shell: string,
    AliasNode: string,
    AliasService: string,
    TLSServerName: string,
    TLSSkipVerify: bool,
    Interval: duration,
    Timeout: duration,
    TTL: duration,
    DeregisterCriticalServiceAfter: duration,
    SuccessBeforePassing: int,
    FailuresBeforeWarning: int,
    FailuresBeforeCritical: int,
    OutputMaxSize: int,
  },
  { ...strictFields, aliases: { CheckID: ["ID"], ScriptArgs: ["Args"] } },
);
type Fields = Decoded<typeof fields>;

/** Decodes a check without judging it; `checkFault` does that. @throws DecodeError */
export const checkFields: Decoder<CheckDefinition> = (value, path) => checkOf(fields(value, path));

function checkOf(given: Fields): CheckDefinition {
  const check: CheckDefinition = {
    id: given.CheckID,
    name: given.Name,
    notes: given.Notes,
    serviceId: given.ServiceID,
    // Judged by whoever asked for the definition: Consul has three different answers.
    status: given.Status as CheckStatus | "",
    token: given.Token,
    type: "",
    args: given.ScriptArgs,
    http: given.HTTP,
    method: given.Method,
    header: given.Header,
    body: given.Body,
    disableRedirects: given.DisableRedirects,
    h2ping: given.H2PING,
    h2pingUseTls: given.H2PingUseTLS ?? given.H2PING !== "",
    tcp: given.TCP,
    tcpUseTls: given.TCPUseTLS,
    udp: given.UDP,
    grpc: given.GRPC,
    grpcUseTls: given.GRPCUseTLS,
    osService: given.OSService,
    dockerContainerId: given.DockerContainerID,
    shell: given.Shell,
    aliasNode: given.AliasNode,
    aliasService: given.AliasService,
    tlsServerName: given.TLSServerName,
    tlsSkipVerify: given.TLSSkipVerify,
    intervalMs: given.Interval / nsPerMs,
    timeoutMs: given.Timeout / nsPerMs,
    ttlMs: given.TTL / nsPerMs,
    deregisterCriticalServiceAfterMs: given.DeregisterCriticalServiceAfter / nsPerMs,
    interval: shown(given.Interval),
    timeout: shown(given.Timeout),
    ttl: shown(given.TTL),
    deregisterCriticalServiceAfter: shown(given.DeregisterCriticalServiceAfter),
    successBeforePassing: given.SuccessBeforePassing,
    failuresBeforeWarning: given.FailuresBeforeWarning,
    failuresBeforeCritical: given.FailuresBeforeCritical,
    outputBytesMax: given.OutputMaxSize,
  };
  if (check.failuresBeforeWarning === 0) check.failuresBeforeWarning = check.failuresBeforeCritical;
  check.type = typeOf(check);
  return check;
}

function shown(ns: number): string {
  return ns === 0 ? "" : formatDuration(ns);
}

/** Of several ways the first in Consul's order counts. */
function typeOf(check: CheckDefinition): CheckType {
  const polled = check.intervalMs > 0;
  if (check.grpc !== "" && polled) return "grpc";
  if (check.http !== "" && polled) return "http";
  if (check.ttlMs > 0) return "ttl";
  if (check.tcp !== "" && polled) return "tcp";
  if (check.udp !== "" && polled) return "udp";
  if (isAlias(check)) return "alias";
  if (check.args.length > 0) return check.dockerContainerId !== "" && polled ? "docker" : "script";
  if (check.h2ping !== "" && polled) return "h2ping";
  return check.osService !== "" && polled ? "os_service" : "";
}

function isAlias(check: CheckDefinition): boolean {
  return check.aliasNode !== "" || check.aliasService !== "";
}

/** Why a check cannot be, in Consul's words; null when it can. Its status is not looked at. */
export function checkFault(check: CheckDefinition): string | null {
  const targets = [check.http, check.tcp, check.udp, check.grpc, check.h2ping, check.osService];
  const polled = check.args.length > 0 || targets.some((target) => target !== "");
  const alias = isAlias(check);
  if (check.intervalMs > 0 && check.ttlMs > 0) return "Interval and TTL cannot both be specified";
  if (polled && check.intervalMs <= 0) {
    return "Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks";
  }
  if (polled && alias) return "Interval cannot be set for Alias checks";
  if (alias && check.ttlMs > 0) return "TTL must be not be set for Alias checks";
  if (!polled && !alias && check.ttlMs <= 0) return "TTL must be > 0 for TTL checks";
  if (check.outputBytesMax < 0) return "MaxOutputMaxSize must be positive";
  if (check.failuresBeforeWarning > check.failuresBeforeCritical) {
    return "FailuresBeforeWarning can't be higher than FailuresBeforeCritical";
  }
  return null;
}

/** True for what a check may start with: nothing, or one of the three statuses. */
export function isCheckStatus(status: string): boolean {
  return status === "" || status === "passing" || status === "warning" || status === "critical";
}

/**
 * The definition of a node's check: the body of `PUT /v1/agent/check/register`, or a member of `checks` in a file.
 * @throws OperationalError `invalid-request` with Consul's texts.
 */
export function decodeCheckDefinition(raw: unknown, options: DefinitionOptions): CheckDefinition {
  const check = decodeDefinition(checkFields, raw, options);
  const fromFile = options.source === "file";
  if (check.name === "" && !(fromFile && check.id !== "")) throw invalid("Missing check name");
  if (!isCheckStatus(check.status)) throw invalid("Bad check status");
  const fault = checkFault(check);
  if (fault !== null) throw invalid(fromFile ? fault : `Invalid check: ${fault}`);
  if (check.id === "") check.id = check.name;
  return check;
}
