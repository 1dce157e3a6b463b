// IP addresses in names: in the labels of `<hex>.addr`, and under in-addr.arpa and ip6.arpa (RFC 1035 §3.5, 3596 §2.5).

import { formatIp, parseIp } from "../util/ip-address.ts";
import { allocate } from "../util/slab.ts";
import { splitName } from "./name.ts";

/** 4 bytes for IPv4 (also when written as ::ffff:1.2.3.4), 16 for IPv6, null when the text is no address. */
export function parseAddress(text: string): Uint8Array | null {
  return parseDotted(text) ?? parseIp(text)?.bytes ?? null;
}

/** The usual case in one pass, since it is done for every instance; null for anything but a plain IPv4 address. */
function parseDotted(text: string): Uint8Array | null {
  const { length } = text;
  if (length < 7 || length > 15) return null;
  const bytes = allocate(4);
  let part = 0;
  let value = -1;
  for (let at = 0; at < length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x2e) {
      if (value === -1 || part === 3) return null;
      bytes[part++] = value;
      value = -1;
    } else {
      const digit = code - 0x30;
      // A zero in front is refused: some would read the rest as octal.
      if (digit < 0 || digit > 9 || value === 0) return null;
      value = value === -1 ? digit : value * 10 + digit;
      if (value > 255) return null;
    }
  }
  if (part !== 3 || value === -1) return null;
  bytes[3] = value;
  return bytes;
}

/** The usual text of 4 or 16 bytes. */
export function formatAddress(bytes: Uint8Array): string {
  return formatIp({ family: bytes.length === 4 ? 4 : 6, bytes });
}

/** The same text for every way of writing one address, so that addresses can be compared; null when it is none. */
export function canonicalAddress(text: string): string | null {
  const address = parseIp(text);
  return address === null ? null : formatIp(address);
}

/** The bytes of a label such as "0a000001" (8 hexadecimal digits) or one of 32 digits; null for anything else. */
export function addressFromHex(label: string): Uint8Array | null {
  if (!/^([0-9a-f]{8}|[0-9a-f]{32})$/i.test(label)) return null;
  return Uint8Array.from({ length: label.length / 2 }, (_, at) => Number.parseInt(label.slice(at * 2, at * 2 + 2), 16));
}

/** The address that a name under in-addr.arpa or ip6.arpa stands for, as text; null when it is not a whole one. */
export function addressFromReverseName(name: string): string | null {
  const labels = splitName(name.toLowerCase()).reverse();
  if (labels[0] !== "arpa") return null;
  const parts = labels.slice(2);
  if (labels[1] === "in-addr") {
    return parts.length === 4 && parts.every((part) => /^\d+$/.test(part)) ? canonicalAddress(parts.join(".")) : null;
  }
  if (labels[1] !== "ip6" || parts.length !== 32 || !parts.every((nibble) => /^[0-9a-f]$/.test(nibble))) return null;
  return canonicalAddress(parts.join("").replace(/(....)(?=.)/g, "$1:"));
}
