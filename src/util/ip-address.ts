// IP addresses and networks (RFC 791, 4291, 4632), written as Go's `net` package and RFC 5952 write them. An IPv4 address
// in IPv6 clothing (::ffff:1.2.3.4) is the IPv4 address, as in Go.

/** An address: 4 bytes or 16. */
export interface IpAddress {
  family: 4 | 6;
  bytes: Uint8Array;
}

/** All addresses whose first `prefixBits` bits are those of `network`, whose other bits are 0. */
export interface IpNetwork {
  network: IpAddress;
  prefixBits: number;
}

/** Reads an address, without brackets, port or zone; null when it is none. */
export function parseIp(text: string): IpAddress | null {
  if (text.includes(":")) return parseIpv6(text);
  const bytes = parseIpv4(text);
  return bytes === null ? null : { family: 4, bytes };
}

function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const bytes = new Uint8Array(4);
  for (const [index, part] of parts.entries()) {
    // No leading zeros: some read them as octal.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    bytes[index] = Number(part);
  }
  return bytes;
}

function parseIpv6(text: string): IpAddress | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "", true) : [];
  if (head === null || tail === null) return null;
  const given = head.length + tail.length;
  if (halves.length === 1 ? given !== 16 : given > 14) return null;
  const bytes = new Uint8Array(16);
  bytes.set(head);
  bytes.set(tail, 16 - tail.length);
  if (isMapped(bytes)) return { family: 4, bytes: bytes.slice(12) };
  return { family: 6, bytes };
}

/** The bytes of groups between colons; the last one may be a dotted IPv4 address if `last`. */
function parseGroups(text: string, last: boolean): number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (last && index === groups.length - 1 && group.includes(".")) {
      const ipv4 = parseIpv4(group);
      if (ipv4 === null) return null;
      bytes.push(...ipv4);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}

function isMapped(bytes: Uint8Array): boolean {
  return bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
}

/** The shortest usual form: `10.0.0.1`, `fd00::2`. */
export function formatIp(address: IpAddress): string {
  if (address.family === 4) return address.bytes.join(".");
  const groups: number[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(((address.bytes[at] ?? 0) << 8) | (address.bytes[at + 1] ?? 0));
  // The longest run of zero groups, the first of equal ones, becomes "::"; a single zero does not.
  let from = -1;
  let length = 1;
  for (let start = 0; start < 8; start += 1) {
    let end = start;
    while (end < 8 && groups[end] === 0) end += 1;
    if (end - start > length) {
      from = start;
      length = end - start;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (from < 0) return hex.join(":");
  return `${hex.slice(0, from).join(":")}::${hex.slice(from + length).join(":")}`;
}

/** True for 0.0.0.0 and ::, on which one can listen but not be reached. */
export function isUnspecified(address: IpAddress): boolean {
  return address.bytes.every((byte) => byte === 0);
}

/** `host:port`, with brackets around an IPv6 address. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Reads `address/prefixBits`; the bits of the address past the prefix are dropped. Null when it is no network. */
export function parseCidr(text: string): IpNetwork | null {
  const slash = text.indexOf("/");
  const address = slash < 0 ? null : parseIp(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  if (address === null || !/^\d{1,3}$/.test(bits)) return null;
  // The prefix of ::ffff:1.2.3.4/120 counts from the IPv6 form.
  const mapped = address.family === 4 && text.includes(":");
  const prefixBits = Number(bits) - (mapped ? 96 : 0);
  if (prefixBits < 0 || prefixBits > address.bytes.length * 8) return null;
  return { network: maskIp(address, prefixBits), prefixBits };
}

/** The address with all bits past the first `prefixBits` set to 0. */
export function maskIp(address: IpAddress, prefixBits: number): IpAddress {
  const bytes = address.bytes.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefixBits - index * 8));
    return byte & (0xff << (8 - kept));
  });
  return { family: address.family, bytes };
}

/** `10.0.0.0/8` */
export function formatCidr(network: IpNetwork): string {
  return `${formatIp(network.network)}/${network.prefixBits}`;
}

/** True when the address lies in the network; never across families. */
export function networkContains(network: IpNetwork, address: IpAddress): boolean {
  const { bytes } = network.network;
  if (network.network.family !== address.family) return false;
  for (let index = 0; index * 8 < network.prefixBits; index += 1) {
    const shift = Math.max(0, 8 - (network.prefixBits - index * 8));
    if ((bytes[index] ?? 0) >> shift !== (address.bytes[index] ?? 0) >> shift) return false;
  }
  return true;
}
