// Settings that this build would have to ignore although somebody relies on them. To go on without saying so would be to
// promise safety, or a cluster, that is not there: the agent refuses to start.
import type { AgentConfig } from "../config/agent-config.ts";
import { OperationalError } from "../types/error.ts";

/** @throws OperationalError `unsupported` that names the setting and what to do. */
export function refuseUnsupported(config: AgentConfig): void {
  const refuse = (setting: string, why: string): never => {
    throw new OperationalError("unsupported", `${setting}: ${why}`);
  };
  for (const [setting, { addresses }] of [
    ["retry_join", config.retryJoin],
    ["retry_join_wan", config.retryJoinWan],
  ] as const) {
    const provider = addresses.find((address) => address.includes("="));
    if (provider !== undefined)
      refuse(setting, `this build does not ask clouds for addresses (${provider.split(" ")[0]}); name the servers`);
  }
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
