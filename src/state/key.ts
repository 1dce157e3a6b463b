// Keys of the tables. Names of nodes, services, checks, sessions and entries are case-insensitive, as in Consul; only
// A-Z are folded, so that every engine folds alike whatever Unicode version it has (Consul folds all letters).
// Parts are joined by NUL, which no name may contain: it sorts first, so that order is by part.

/** Joins and ends the parts of a key. */
export const SEPARATOR = "\u0000";

const UPPER = /[A-Z]/;
const UPPERS = /[A-Z]+/g;

/** The name with A-Z in lower case: two names that fold alike are one. */
export function fold(name: string): string {
  return UPPER.test(name) ? name.replace(UPPERS, (letters) => letters.toLowerCase()) : name;
}

/** The key of parts, each folded. */
export function keyOf(...parts: string[]): string {
  return parts.map(fold).join(SEPARATOR);
}

/** True when the name can be part of a key. */
export function isKeyPart(name: string): boolean {
  return !name.includes(SEPARATOR);
}

/**
 * The least string above every string that begins with `prefix`, in the order of code units; null when there is none
 * (the prefix is empty or all U+FFFF).
 */
export function prefixEnd(prefix: string): string | null {
  let length = prefix.length;
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xffff) length--;
  if (length === 0) return null;
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1);
}
