// The client's suite as one program for runtimes that cannot run the files themselves: it is bundled with stand-ins for
// `node:test` and `node:assert`. `live.ts` beside it is what needs a real agent.
import { runAll } from "./tests.ts";
import type { Result } from "./tests.ts";
import { live } from "./live.ts";
import "../client.test.ts";
import "../discovery.test.ts";
import "../json.test.ts";
import "../kv-entry.test.ts";
import "../lock.test.ts";
import "../registration.test.ts";
import "../replica.test.ts";
import "../watch.test.ts";

/** Runs everything. @param base where an agent's API is, and, under "/up/", a server to be called as a service */
export async function runSuite(base: string): Promise<Result[]> {
  const results = await runAll();
  for (const [name, run] of live) {
    try {
      await run(base);
      results.push({ name, error: null });
    } catch (error) {
      results.push({ name, error: `${String(error)}\n${(error as Error).stack ?? ""}` });
    }
  }
  return results;
}
