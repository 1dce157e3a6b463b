// Service and check definitions as `DebugConfig` of /v1/agent/self shows them, and what is hidden there.
import type { CheckDefinition } from "./check-definition.ts";
import { proxyRecord } from "./proxy-definition.ts";
import type { ServiceDefinition } from "./service-definition.ts";

/** What stands in place of a secret. */
export const hidden: string = "hidden";

/** True for names of fields that may hold a secret. */
export function isSecret(name: string): boolean {
  return name !== "TokenLocality" && name !== "IntroTokenFile" && /key|token|secret/i.test(name);
}

/** A copy in which the texts of secret fields are hidden. */
export function hideSecrets(name: string, value: unknown): unknown {
  if (typeof value === "string") return isSecret(name) ? hidden : value;
  if (Array.isArray(value)) return value.map((item) => hideSecrets(name, item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hideSecrets(key, item)]));
}

/** A check, without its id. */
export function checkDisplay(check: CheckDefinition): Record<string, unknown> {
  return {
    AliasNode: check.aliasNode,
    AliasService: check.aliasService,
    Body: check.body,
    DeregisterCriticalServiceAfter: check.deregisterCriticalServiceAfter || "0s",
    DisableRedirects: check.disableRedirects,
    DockerContainerID: check.dockerContainerId,
    FailuresBeforeCritical: check.failuresBeforeCritical,
    FailuresBeforeWarning: check.failuresBeforeWarning,
    GRPC: check.grpc,
    GRPCUseTLS: check.grpcUseTls,
    H2PING: check.h2ping,
    H2PingUseTLS: check.h2pingUseTls,
    HTTP: check.http,
    Header: hideSecrets("Header", check.header),
    Interval: check.interval || "0s",
    Method: check.method,
    Name: check.name,
    Notes: check.notes,
    OSService: check.osService,
    OutputMaxSize: check.outputBytesMax,
    ScriptArgs: check.args,
    Shell: check.shell,
    Status: check.status,
    SuccessBeforePassing: check.successBeforePassing,
    TCP: check.tcp,
    TCPUseTLS: check.tcpUseTls,
    TLSServerName: check.tlsServerName,
    TLSSkipVerify: check.tlsSkipVerify,
    TTL: check.ttl || "0s",
    Timeout: check.timeout || "0s",
    UDP: check.udp,
  };
}

/** A service with its checks and its sidecar. */
export function serviceDisplay(each: ServiceDefinition): Record<string, unknown> {
  const { connect } = each;
  return {
    Kind: each.kind,
    ID: each.id,
    Name: each.name,
    Tags: each.tags,
    Address: each.address,
    TaggedAddresses: each.taggedAddresses ?? {},
    Meta: hideSecrets("Meta", each.meta),
    Port: each.port,
    Ports: each.ports,
    SocketPath: each.socketPath,
    Checks: each.checks.map((check) => ({ ...checkDisplay(check), CheckID: check.id })),
    Weights: each.weights,
    Token: hidden,
    EnableTagOverride: each.enableTagOverride,
    Locality: each.locality === null ? null : { Region: each.locality.region, Zone: each.locality.zone },
    Proxy: each.proxy === null ? null : hideSecrets("Proxy", proxyRecord(each.proxy)),
    Connect:
      connect === null
        ? null
        : {
            Native: connect.native,
            SidecarService: connect.sidecarService === null ? null : serviceDisplay(connect.sidecarService),
          },
  };
}
