// Equality of plain data: whether a registration or a write says anything new.

/** Deep equality of plain data (primitives, arrays, objects, byte arrays). A field that is undefined is absent. */
export function sameData(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && sameBytes(a, b);
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!sameData(a[i], b[i])) return false;
    return true;
  }
  return sameFields(a as Record<string, unknown>, b as Record<string, unknown>, null);
}

/** Deep equality of two records but for their CreateIndex and ModifyIndex. */
export function sameRecord(a: object, b: object): boolean {
  return sameFields(a as Record<string, unknown>, b as Record<string, unknown>, "index");
}

function sameFields(a: Record<string, unknown>, b: Record<string, unknown>, skip: "index" | null): boolean {
  let count = 0;
  for (const name of Object.keys(a)) {
    if (a[name] === undefined || (skip !== null && isIndex(name))) continue;
    if (!Object.hasOwn(b, name) || !sameData(a[name], b[name])) return false;
    count++;
  }
  for (const name of Object.keys(b)) {
    if (b[name] !== undefined && !(skip !== null && isIndex(name))) count--;
  }
  return count === 0;
}

function isIndex(name: string): boolean {
  return name === "CreateIndex" || name === "ModifyIndex";
}

/** Equality of bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
