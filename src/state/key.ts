// Keys of the tables. Names of nodes, services, checks, sessions and entries are case-insensitive, as in Consul; only
// A-Z are folded, so that every engine folds alike whatever Unicode version it has (Consul folds all letters).
// Parts are joined by NUL, which no stored name contains: it sorts first, so that order is by part. A name with a NUL can
// still be asked for: it is marked so that it meets no key.

/** Between the parts of a key. */
const SEPARATOR = "\u0000";

const UPPERS = /[A-Z]+/g;

/** The name with A-Z in lower case: two names that fold alike are one. */
export function fold(name: string): string {
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    // Most names are folded already: one pass, and no copy.
    if (unit === 0 || (unit >= 65 && unit <= 90)) {
      return exact(name.replace(UPPERS, (letters) => letters.toLowerCase()));
    }
  }
  return name;
}

/** A part whose case matters. */
export function exact(name: string): string {
  return name.includes(SEPARATOR) ? SEPARATOR + name : name;
}

/** The key of two parts, each folded. A joined string is flat: it compares faster than a concatenation. */
export function keyOf(first: string, second: string): string {
  return [fold(first), fold(second)].join(SEPARATOR);
}

/** The key of a config entry: of its kind the case matters, of its name not. */
export function configKey(kind: string, name: string): string {
  return join(exact(kind), fold(name));
}

/** The key of parts that are folded already. */
export function join(...parts: string[]): string {
  return parts.join(SEPARATOR);
}

/** The beginning of all keys with these first parts, which are folded already. */
export function under(...parts: string[]): string {
  return parts.join(SEPARATOR) + SEPARATOR;
}

/** True when the name can be stored as part of a key. */
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
