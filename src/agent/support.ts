// Settings that this build would have to ignore although somebody relies on them. To go on without saying so would be to
// promise safety, or a cluster, that is not there: the agent refuses to start.
import type { AgentConfig } from "../config/agent-config.ts";
import { OperationalError } from "../types/error.ts";

/** @throws OperationalError `unsupported` that names the setting and what to do. */
export function refuseUnsupported(config: AgentConfig): void {
  const refuse = (setting: string, why: string): never => {
    throw new OperationalError("unsupported", `${setting}: ${why}`);
  };
  if (!config.server) refuse("server", "client agents are not in this build; start it with -server or -dev");
  const { addresses } = config.retryJoin;
  if (config.bootstrapExpect > 1 && addresses.length === 0)
    refuse(
      "bootstrap_expect",
      `servers find each other by the addresses of retry_join in this build; give those of all ${config.bootstrapExpect} servers`,
    );
  if (!config.dev && !config.bootstrap && addresses.length === 0)
    refuse(
      "bootstrap_expect",
      "a server that waits for others is told their addresses by retry_join in this build; give them, or start it with -bootstrap-expect=1",
    );
  const provider = addresses.find((address) => address.includes("="));
  if (provider !== undefined)
    refuse("retry_join", `this build does not ask clouds for addresses (${provider.split(" ")[0]}); name the servers`);
  if (config.retryJoinWan.addresses.length > 0)
    refuse("retry_join_wan", "this build cannot join other datacenters; remove it");
  if (config.acl.enabled)
    refuse(
      "acl.enabled",
      "ACLs are not in this build, so every request would be allowed; remove it, and let only trusted clients reach the agent",
    );
  const { https, internalRpc, grpc } = config.tls;
  if (config.ports.https > 0)
    refuse("ports.https", "HTTPS is not in this build; put a proxy that ends TLS in front of the HTTP port");
  if (https.verifyIncoming || internalRpc.verifyIncoming || grpc.verifyIncoming)
    refuse("tls.verify_incoming", "TLS is not in this build, so nothing would be verified; remove it");
}

/** `host:port` of the servers that `retry_join` names; the port is that of servers unless it is given. */
export function serverAddresses({ retryJoin, ports }: AgentConfig): string[] {
  return retryJoin.addresses.map((address) => {
    if (/^\[.*\]$/.test(address) || !address.includes(":")) return `${address}:${ports.server}`;
    // A bare IPv6 address has more than one colon.
    return address.indexOf(":") === address.lastIndexOf(":") || address.startsWith("[")
      ? address
      : `[${address}]:${ports.server}`;
  });
}
