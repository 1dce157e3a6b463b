// The addresses of the machine's interfaces, as a runtime hands them in, and which of them are private, public or not
// forwardable (RFC 6890).
import { formatIp, type IpAddress, type IpNetwork, networkContains, parseCidr, parseIp } from "../util/ip-address.ts";
import { assert } from "../util/assert.ts";

/** One address of one interface that is up. */
export interface InterfaceAddress {
  /** The interface's name, such as `eth0`. */
  name: string;
  /** IPv4 or IPv6, without zone. */
  address: string;
  /** Length of the network's prefix; 24 for a netmask of 255.255.255.0. */
  prefixBits: number;
  loopback: boolean;
  /** True when the default route leaves by this interface; runtimes that cannot know leave it out. */
  defaultRoute?: boolean;
}

/** Named blocks of addresses, by the number of the RFC that set them aside. */
const blocks: ReadonlyMap<number, readonly IpNetwork[]> = new Map([
  [919, networks("255.255.255.255/32")],
  [1112, networks("224.0.0.0/4")],
  [1122, networks("0.0.0.0/8 127.0.0.0/8")],
  [1918, networks("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16")],
  [2544, networks("198.18.0.0/15")],
  [3056, networks("2002::/16")],
  [3849, networks("2001:db8::/32")],
  [3927, networks("169.254.0.0/16")],
  [4193, networks("fc00::/7")],
  [4291, networks("::/128 ::1/128 fe80::/10 ff00::/8")],
  [5737, networks("192.0.2.0/24 198.51.100.0/24 203.0.113.0/24")],
  [6598, networks("100.64.0.0/10")],
  [
    6890,
    networks(
      "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 " +
        "192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 ::1/128 ::/128 " +
        "64:ff9b::/96 100::/64 2001::/23 2001:db8::/32 2002::/16 fc00::/7 fe80::/10",
    ),
  ],
]);

/** What a router does not pass on, by RFC 6890. */
const notForwardable = networks(
  "0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 " +
    "::1/128 ::/128 2001:db8::/32 2001:10::/28 fe80::/10",
);

/** What Consul takes for private when it looks for an address to advertise. */
const privateBlocks = networks(
  "10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.168.0.0/16 " +
    "::1/128 fe80::/10 fc00::/7 fec0::/10 2001:db8::/32",
);

function networks(cidrs: string): readonly IpNetwork[] {
  return cidrs.split(" ").map((cidr) => {
    const network = parseCidr(cidr);
    assert(network !== null, `bad network ${cidr}`);
    return network;
  });
}

function isIn(list: readonly IpNetwork[], address: IpAddress): boolean {
  return list.some((network) => networkContains(network, address));
}

/** True when the address lies in a block of that RFC; null when we do not know the RFC. */
export function isInRfc(rfc: number, address: IpAddress): boolean | null {
  const list = blocks.get(rfc);
  return list === undefined ? null : isIn(list, address);
}

/** True when routers pass the address on. */
export function isForwardable(address: IpAddress): boolean {
  return !isIn(notForwardable, address);
}

/** The private IPv4 addresses that an agent bound to 0.0.0.0 may advertise; loopback only where there is nothing else. */
export function privateIpv4(interfaces: readonly InterfaceAddress[]): string[] {
  const real = interfaces.filter((each) => !each.loopback);
  return addresses(real.length > 0 ? real : interfaces)
    .filter((address) => address.family === 4 && isIn(privateBlocks, address))
    .map(formatIp);
}

/** The public IPv6 addresses that an agent bound to :: may advertise. */
export function publicIpv6(interfaces: readonly InterfaceAddress[]): string[] {
  return addresses(interfaces)
    .filter((address) => address.family === 6 && !isIn(privateBlocks, address))
    .map(formatIp);
}

function addresses(interfaces: readonly InterfaceAddress[]): IpAddress[] {
  return interfaces.map((each) => parseIp(each.address)).filter((address) => address !== null);
}
