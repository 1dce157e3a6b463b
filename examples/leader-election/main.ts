// A leader election: of all copies of this program one leads at a time, and what it writes is refused once it does not lead
// any more, whether it has noticed or not. `npm run build && node examples/leader-election/main.ts`, as often as you like.
import { createClient } from "proconsul/client";
import { setTimeout as sleep } from "node:timers/promises";

const name = process.argv[2] ?? `copy-${process.pid}`;
const consul = createClient({ address: process.env.CONSUL_HTTP_ADDR ?? "http://127.0.0.1:8500" });
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());

while (!stop.signal.aborted) {
  try {
    // Waits until the others have given it up; null when it is to stop.
    await using lock = await consul.lock("example/leader", { value: name, signal: stop.signal, monitorRetries: 3 });
    if (lock === null) break;
    console.log(`${name} leads with fence ${lock.fence}`);
    while (!lock.lost.aborted && !stop.signal.aborted) {
      // The first operation fails unless we still hold the lock, and then none of them is done.
      const write = { KV: { Verb: "set", Key: "example/work", Value: `${name} at fence ${lock.fence}` } };
      const { ok } = await consul.txn([lock.guard, write]);
      if (!ok) break;
      await sleep(1_000, undefined, { signal: AbortSignal.any([lock.lost, stop.signal]) }).catch(() => {});
    }
    console.log(`${name} leads no more`);
  } catch (error) {
    console.error(`${name}: ${String(error)}`);
    await sleep(1_000);
  }
}
await consul.close();
