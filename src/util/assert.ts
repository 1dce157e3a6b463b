// Assertions stay on in production: a broken invariant stops the node rather than spread.

/** A bug, not an operating error: never caught to carry on. */
export class AssertionError extends Error {
  override readonly name: string = "AssertionError";
}

/** @throws AssertionError when `condition` is false. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** For the default case of a switch over a closed union. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
