// Bytes and what is written with them: UTF-8, hexadecimal, the UUID form of sixteen bytes.

const encoder = new TextEncoder();
// A byte order mark is part of what a user stored, so it is kept.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** The text in UTF-8; a lone surrogate becomes U+FFFD. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** The bytes read as UTF-8; what is not UTF-8 becomes U+FFFD, as in Go. */
export function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** True when the bytes are UTF-8 throughout. */
export function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictDecoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** All parts in one new array. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** True when both hold the same bytes. Its time depends on them: not for secrets. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

const hexBytes: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  let written = "";
  for (const byte of bytes) written += hexBytes[byte];
  return written;
}

/**
 * Sixteen random bytes in the form 8-4-4-4-12, as they are: like Consul's ids, without the version bits of RFC 9562.
 * Bytes past the sixteenth are ignored.
 */
export function uuid(random16: Uint8Array): string {
  const digits = hex(random16.length === 16 ? random16 : random16.subarray(0, 16));
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
}

const uuidForm = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;

/** True for the form 8-4-4-4-12 of hexadecimal digits, whatever their case. */
export function isUuid(text: string): boolean {
  return text.length === 36 && uuidForm.test(text);
}
