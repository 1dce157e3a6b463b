// `node:assert/strict` for places that have none: what the client's tests use of it, as strict.

type Expected = (new (...args: never[]) => unknown) | Error | RegExp | ((error: unknown) => boolean);

class AssertionError extends Error {
  override readonly name = "AssertionError";
}

function fail(message: string | undefined, otherwise: string): never {
  throw new AssertionError(message ?? otherwise);
}

function show(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Error) return String(value);
  if (value instanceof Map) return `Map ${show([...value])}`;
  const replacer = (_: string, inner: unknown): unknown => (typeof inner === "bigint" ? `${inner}n` : inner);
  return JSON.stringify(value, replacer) ?? String(value);
}

/** Same type, prototype and parts, all the way down. */
function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Error) return b instanceof Error && a.name === b.name && a.message === b.message;
  if (a instanceof Set || a instanceof Map) return same([...a], [...(b as Set<unknown>)]);
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && same(a[name as keyof object], b[name as keyof object]));
}

function fits(error: unknown, expected: Expected | undefined): boolean {
  if (expected === undefined) return true;
  if (expected instanceof RegExp) return expected.test(String(error));
  if (expected instanceof Error) return same(error, expected);
  if (expected.prototype !== undefined && (expected === Error || expected.prototype instanceof Error))
    return error instanceof (expected as new () => unknown);
  // DOMException is no class that extends Error everywhere.
  if (/^class|native code/.test(String(expected))) return error instanceof (expected as new () => unknown);
  return (expected as (error: unknown) => boolean)(error) === true;
}

const assert = {
  ok(value: unknown, message?: string): void {
    if (!value) fail(message, `${show(value)} is not true`);
  },
  equal(actual: unknown, expected: unknown, message?: string): void {
    if (!Object.is(actual, expected)) fail(message, `${show(actual)} is not ${show(expected)}`);
  },
  notEqual(actual: unknown, expected: unknown, message?: string): void {
    if (Object.is(actual, expected)) fail(message, `${show(actual)} is the same`);
  },
  deepEqual(actual: unknown, expected: unknown, message?: string): void {
    if (!same(actual, expected)) fail(message, `${show(actual)} is not ${show(expected)}`);
  },
  match(actual: string, expected: RegExp): void {
    if (!expected.test(actual)) fail(undefined, `${show(actual)} does not match ${expected}`);
  },
  throws(run: () => unknown, expected?: Expected, message?: string): void {
    try {
      run();
    } catch (error) {
      if (!fits(error, expected)) fail(message, `threw ${show(error)}`);
      return;
    }
    fail(message, "did not throw");
  },
  async rejects(
    run: Promise<unknown> | (() => Promise<unknown>),
    expected?: Expected,
    message?: string,
  ): Promise<void> {
    try {
      await (typeof run === "function" ? run() : run);
    } catch (error) {
      if (!fits(error, expected)) fail(message, `rejected with ${show(error)}`);
      return;
    }
    fail(message, "did not reject");
  },
};

// oxlint-disable-next-line import/no-default-export -- as the module that it stands for
export default assert;
