// Addresses of gossip members: `host:port`, with brackets around an IPv6 address. What people write may leave the port out.
import type { JoinFailure } from "../gossip/types.ts";
import type { Platform } from "../platform.ts";
import { formatIp, joinHostPort, parseIp } from "../util/ip-address.ts";

/** Host, without brackets, and port; port 0 when there is none. */
export function splitHostPort(address: string): { host: string; port: number } {
  const bracket = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(address);
  if (bracket !== null) return { host: bracket[1] as string, port: Number(bracket[2] ?? 0) };
  const colon = address.lastIndexOf(":");
  // A bare IPv6 address has more than one colon.
  if (colon < 0 || colon !== address.indexOf(":")) return { host: address, port: 0 };
  const port = address.slice(colon + 1);
  return { host: address.slice(0, colon), port: /^\d{1,5}$/.test(port) ? Number(port) : 0 };
}

/** The address as it is called: with `defaultPort` when it has none, an IPv6 address in brackets and in its usual form. */
export function withPort(address: string, defaultPort: number): string {
  const { host, port } = splitHostPort(address.trim());
  const ip = parseIp(host);
  return joinHostPort(ip === null ? host : formatIp(ip), port || defaultPort);
}

/** Addresses that called lately, as they were written: the same few call again and again. */
const plain = new Map<string, string>();
const PLAIN_MAX = 1024;

/** The IP address of a connection: an IPv4 address in IPv6 clothing as itself, without a zone. */
export function plainIp(address: string): string {
  let ip = plain.get(address);
  if (ip === undefined) {
    ip = toPlainIp(address);
    if (plain.size >= PLAIN_MAX) plain.clear();
    plain.set(address, ip);
  }
  return ip;
}

function toPlainIp(address: string): string {
  const zone = address.indexOf("%");
  const bare = zone < 0 ? address : address.slice(0, zone);
  const ip = parseIp(bare);
  return ip === null ? bare : formatIp(ip);
}

/** The addresses to call for those that were written: names resolved where the platform can, ports added. No two are equal. */
export async function resolveAddresses(
  addresses: readonly string[],
  { platform, defaultPort }: { platform: Pick<Platform, "resolve">; defaultPort: number },
): Promise<{ found: string[]; failures: JoinFailure[] }> {
  const failures: JoinFailure[] = [];
  const found = await Promise.all(
    addresses.map(async (written) => {
      const address = withPort(written, defaultPort);
      const { host, port } = splitHostPort(address);
      if (parseIp(host) !== null || platform.resolve === undefined) return [address];
      try {
        return (await platform.resolve(host)).map((ip) => withPort(ip, port));
      } catch (error) {
        failures.push({ address: written, reason: "unreachable", text: (error as Error).message });
        return [];
      }
    }),
  );
  return { found: [...new Set(found.flat())], failures };
}
