// `node:test` for places that have none: a browser's page, a Worker. Tests are gathered, then run one after the other.

export interface Result {
  name: string;
  /** Null: passed. */
  error: string | null;
}

const gathered: { name: string; run: () => unknown }[] = [];

/** As `test` of `node:test`, in its plainest form. */
export function test(name: string, run: () => unknown): void {
  gathered.push({ name, run });
}

/** Runs what was gathered. */
export async function runAll(): Promise<Result[]> {
  const results: Result[] = [];
  for (const { name, run } of gathered) {
    try {
      await Promise.race([run(), late(name)]);
      results.push({ name, error: null });
    } catch (error) {
      results.push({ name, error: error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error) });
    }
  }
  return results;
}

const TEST_MS = 20_000;

/** A test that hangs is one that failed, not the end of all. */
function late(name: string): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`${name}: not done within ${TEST_MS} ms`)), TEST_MS);
  });
}
