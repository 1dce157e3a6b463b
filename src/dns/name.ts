// Domain names (RFC 1035 §2.3.4, §3.1, §5.1). A name is kept in presentation form without the final dot: labels joined by
// ".", a dot or backslash inside a label written "\." and "\\", any other byte that is not printable ASCII "\DDD". The root
// is "". So a name is one string that can be compared, split and printed, and no label can pass for two.

import { utf8 } from "../util/bytes.ts";

/** Bytes a label may hold, and bytes a whole name may take on the wire. */
export const LABEL_BYTES_MAX = 63;
export const NAME_BYTES_MAX = 255;

const DOT = 0x2e;
const BACKSLASH = 0x5c;

/** The labels of a name, escapes left as they are; none for the root. A trailing dot is ignored. */
export function splitName(name: string): string[] {
  const text = withoutFinalDot(name);
  if (text === "") return [];
  if (!text.includes("\\")) return text.split(".");
  const labels: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === DOT) {
      labels.push(text.slice(start, at));
      start = at + 1;
    }
  }
  labels.push(text.slice(start));
  return labels;
}

/** The name without the dot that ends it, if one does. */
export function withoutFinalDot(name: string): string {
  return name.endsWith(".") && !name.endsWith("\\.") ? name.slice(0, -1) : name;
}

/** True when the name can be put on the wire: no empty or overlong label, at most 255 bytes in all. */
export function isWireName(name: string): boolean {
  if (name === "") return true;
  let start = 0;
  let at = 0;
  for (; at < name.length; at += 1) {
    const code = name.charCodeAt(at);
    if (code === BACKSLASH || code >= 0x80) return isEscapedWireName(name);
    if (code === DOT) {
      if (at === start || at - start > LABEL_BYTES_MAX) return false;
      start = at + 1;
    }
  }
  // A length before the first label, and the root after the last.
  return at > start && at - start <= LABEL_BYTES_MAX && name.length + 2 <= NAME_BYTES_MAX;
}

function isEscapedWireName(name: string): boolean {
  let total = 1;
  for (const label of splitName(name)) {
    const { length } = labelBytes(label);
    if (length === 0 || length > LABEL_BYTES_MAX) return false;
    total += length + 1;
  }
  return total <= NAME_BYTES_MAX;
}

/** The bytes of one label in presentation form: escapes undone, anything above ASCII in UTF-8. */
export function labelBytes(label: string): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < label.length; at += 1) {
    const code = label.charCodeAt(at);
    if (code === BACKSLASH && at + 1 < label.length) {
      const digits = label.slice(at + 1, at + 4);
      if (/^\d{3}$/.test(digits) && Number(digits) < 256) {
        bytes.push(Number(digits));
        at += 3;
      } else {
        at += 1;
        bytes.push(...utf8(String.fromCodePoint(label.codePointAt(at)!)));
      }
    } else if (code < 0x80) bytes.push(code);
    else {
      const symbol = String.fromCodePoint(label.codePointAt(at)!);
      bytes.push(...utf8(symbol));
      at += symbol.length - 1;
    }
  }
  return Uint8Array.from(bytes);
}

const escapes: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  if (byte === DOT || byte === BACKSLASH) return `\\${String.fromCharCode(byte)}`;
  if (byte > 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `\\${String(byte).padStart(3, "0")}`;
});

/** One byte of a label as presentation form writes it. */
export function escapedByte(byte: number): string {
  return escapes[byte]!;
}
