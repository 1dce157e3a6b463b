// Datacenters that are reached by one address alone (`remote_datacenters`), where no gossip goes, and what strangers must show at
// this one's own gateway (`ports.gateway`, `gateway_token`). Not in Consul.
import { quote } from "../util/quote.ts";
import type { AgentConfig, RemoteDatacenter } from "./config-types.ts";
import type { RawObject } from "./raw-value.ts";
import type { SettingReader } from "./setting-reader.ts";

const KEYS: ReadonlySet<string> = new Set(["name", "address", "token"]);
/** What a header may carry, and what nobody guesses. */
const TOKEN = /^[\x21-\x7e]+$/;
const TOKEN_LENGTH_MIN = 16;

/** The datacenters of the files; what is wrong with them is added to the reader's errors. */
export function remoteDatacenters(reader: SettingReader): RemoteDatacenter[] {
  return reader.objects("remote_datacenters").map((raw, at) => {
    const { name, address, token, faults } = fields(raw);
    const where = `remote_datacenters[${at}]`;
    if (!/^[a-z0-9_-]+$/.test(name)) faults.push(`name ${quote(name)} is no name of a datacenter`);
    const origin = originOf(address);
    if (origin === null)
      faults.push(
        `address ${quote(address)} must be https:// (or http://), a host, and a port where it is not the usual one`,
      );
    if (token !== "") faults.push(...tokenFaults("token", token));
    reader.errors.push(...faults.map((fault) => `${where}: ${fault}`));
    return { name, address: origin ?? address, token };
  });
}

/** The rules between them, the gateway and the rest of the configuration. */
export function gatewayRules(config: AgentConfig, faults: string[], warnings: string[]): void {
  const { datacenter, server, ports, remoteDatacenters: remote, gatewayToken } = config;
  const seen = new Set<string>();
  for (const { name } of remote) {
    if (name === datacenter) faults.push(`remote_datacenters: ${quote(name)} is this agent's own datacenter`);
    if (seen.has(name)) faults.push(`remote_datacenters: ${quote(name)} is there twice`);
    seen.add(name);
  }
  if (remote.length > 0 && !server)
    warnings.push("remote_datacenters has no effect on a client: its requests for other datacenters go by its servers");
  if (ports.gateway > 0 && !server) faults.push("ports.gateway is for servers: they answer for their datacenter");
  if (ports.gateway > 0 && gatewayToken === "")
    faults.push("ports.gateway needs gateway_token: whoever reaches that port may read and write everything");
  if (gatewayToken !== "") faults.push(...tokenFaults("gateway_token", gatewayToken));
}

function fields(raw: RawObject): RemoteDatacenter & { faults: string[] } {
  const found = { name: "", address: "", token: "", faults: [] as string[] };
  for (const [key, value] of Object.entries(raw)) {
    const field = key.toLowerCase();
    if (!KEYS.has(field)) found.faults.push(`unknown key ${quote(key)}`);
    else if (typeof value !== "string") found.faults.push(`${field} must be a string`);
    else found[field as "name" | "address" | "token"] = value.trim();
  }
  found.name = found.name.toLowerCase();
  return found;
}

/** `https://host[:port]`; null for anything that says more, or something else. */
function originOf(address: string): string | null {
  const parts = /^(https?):\/\/([^/?#@\s]+)\/?$/i.exec(address);
  return parts === null ? null : `${(parts[1] as string).toLowerCase()}://${(parts[2] as string).toLowerCase()}`;
}

function tokenFaults(key: string, token: string): string[] {
  if (!TOKEN.test(token)) return [`${key} must be printable ASCII without blanks`];
  return token.length < TOKEN_LENGTH_MIN ? [`${key} must have ${TOKEN_LENGTH_MIN} characters or more`] : [];
}
