// Comparing normalised answers: order of keys aside, and where two differ.

/** Stands in a recording for a text that a library wrote: any clear message will do. */
export const MESSAGE = "<message>";

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

/** The same value with the keys of every object in order. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}

/** A text that two values share exactly when they are alike. */
export function canonical(value: unknown): string {
  return JSON.stringify(sorted(value));
}

/** What is at a dotted path; undefined when there is nothing. */
export function at(value: unknown, path: string): unknown {
  let found = value;
  for (const key of path.split(".")) found = isObject(found) ? found[key] : undefined;
  return found;
}

/** Removes what is at a path, in place; `*` is every key. An array keeps its length. */
export function remove(value: unknown, path: readonly string[]): void {
  const [head, ...rest] = path;
  if (!isObject(value) || head === undefined) return;
  for (const key of head === "*" ? Object.keys(value) : [head]) {
    if (rest.length > 0) remove(value[key], rest);
    else if (!Array.isArray(value)) delete value[key];
  }
}

/** Where an answer differs from its recording, as "path: wanted X, got Y"; empty when it does not. */
export function differences(want: unknown, got: unknown, path = ""): string[] {
  if (want === MESSAGE && typeof got === "string" && got !== "") return [];
  if (canonical(want ?? null) === canonical(got ?? null)) return [];
  if (isObject(want) && isObject(got) && Array.isArray(want) === Array.isArray(got)) {
    const keys = new Set([...Object.keys(want), ...Object.keys(got)]);
    return [...keys].flatMap((key) => differences(want[key], got[key], path === "" ? key : `${path}.${key}`));
  }
  return [`${path === "" ? "." : path}: wanted ${shown(want)}, got ${shown(got)}`];
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 200);
}
