// Why something failed, in the words of who knows best.

/** A chain of causes is short; one that loops must not hang us. */
const DEPTH_MAX = 8;

/** The innermost message of an error and its causes: `fetch failed` says nothing, its cause does. */
export function reasonOf(error: unknown): string {
  let inner = error;
  for (let depth = 0; depth < DEPTH_MAX; depth += 1) {
    const next: unknown =
      inner instanceof AggregateError && inner.errors.length > 0
        ? inner.errors[0]
        : inner instanceof Error && inner.cause !== undefined
          ? inner.cause
          : undefined;
    if (!(next instanceof Error)) break;
    inner = next;
  }
  if (!(inner instanceof Error)) return String(inner);
  const { code } = inner as { code?: unknown };
  return inner.message !== "" ? inner.message : typeof code === "string" ? code : inner.name;
}
