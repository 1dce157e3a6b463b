// From the definition of a check, as files and requests give it, to what the scheduler runs.
import type { CheckDefinition } from "../config/check-definition.ts";
import { OperationalError } from "../types/error.ts";
import type { CheckSpec, CheckTarget } from "./spec.ts";

/** @throws OperationalError `invalid-request` for a definition that names no way to check (`checkFault` finds them before). */
export function checkSpec(definition: CheckDefinition): CheckSpec {
  return {
    intervalMs: definition.intervalMs,
    timeoutMs: definition.timeoutMs,
    successBeforePassing: definition.successBeforePassing,
    failuresBeforeWarning: definition.failuresBeforeWarning,
    failuresBeforeCritical: definition.failuresBeforeCritical,
    deregisterCriticalServiceAfterMs: definition.deregisterCriticalServiceAfterMs,
    outputBytesMax: definition.outputBytesMax,
    ...targetOf(definition),
  };
}

function targetOf(definition: CheckDefinition): CheckTarget {
  const { type: kind, tlsServerName, tlsSkipVerify } = definition;
  switch (kind) {
    case "ttl":
      return { kind, ttlMs: definition.ttlMs };
    case "http": {
      const { http: url, method, header: headers, body, disableRedirects } = definition;
      return { kind, url, method, headers, body, disableRedirects, tlsServerName, tlsSkipVerify };
    }
    case "tcp":
      return { kind, address: definition.tcp, useTls: definition.tcpUseTls };
    case "alias":
      return { kind, node: definition.aliasNode, serviceId: definition.aliasService };
    case "script":
      return { kind, args: definition.args };
    case "docker":
      return { kind, target: definition.dockerContainerId };
    case "grpc":
      return { kind, target: definition.grpc };
    case "udp":
      return { kind, target: definition.udp };
    case "h2ping":
      return { kind, target: definition.h2ping };
    case "os_service":
      return { kind, target: definition.osService };
    default:
      throw new OperationalError("invalid-request", "Check type is not valid");
  }
}
