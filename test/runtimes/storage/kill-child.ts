// The process that `kill-rounds.ts` kills: makes random calls on a log, from a given one on, and prints the number of each
// when it is durable.
import fs from "node:fs";
import { openLogStore } from "../../../runtimes/node/log-store.ts";
import { callStore, RandomCalls, seeded } from "./log-model.ts";
import { KILL_CALLS, KILL_OPTIONS } from "./kill-rounds.ts";

const [dir = "", seed = "", done = ""] = process.argv.slice(2);
const calls = new RandomCalls(Number(seed), KILL_CALLS);
let made = 0;
while (made < Number(done)) {
  calls.next();
  made += 1;
}
const random = seeded(Number(seed) + made);
const store = await openLogStore(dir, KILL_OPTIONS);
await store.load();
for (;;) {
  let last: void | Promise<void> = undefined;
  for (let i = random(4); i >= 0; i -= 1) {
    last = callStore(store, calls.next());
    made += 1;
    const mine = made;
    void Promise.resolve(last).then(() => fs.writeSync(1, `${mine}\n`));
  }
  if (random(3) > 0) await last;
  else await new Promise((resolve) => setImmediate(resolve));
}
