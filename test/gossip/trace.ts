// The run of a seed as one hash: the same on every engine, or something in the machine is not decided by its inputs.
//
//   node test/gossip/trace.ts [seed=1]     (or bun, or deno run -A)
import { fnv1a64 } from "../../src/util/fnv.ts";
import { utf8 } from "../../src/util/bytes.ts";
import { startPool } from "./network.ts";
import { printEffect } from "./print.ts";

/** A pool in which everything happens: loss, deaths, stalls, leaves, events, leaves of an anchor, coordinates. */
export function traceHash(seed: number): string {
  const network = startPool(24, { seed, loss: 0.05, latencyMs: 3, timings: { reconnectIntervalMs: 5000 } });
  let hash = 0n;
  let lines = 0;
  network.onEffect = (host, effect) => {
    lines += 1;
    // The coordinate of an ack, in full: its last bit counts.
    const point = effect.type === "respond" && effect.message.type === "ack" ? effect.message.coordinate : null;
    hash = fnv1a64(utf8(`${hash} ${network.now} ${host.name} ${printEffect(effect)} ${point?.Vec.join() ?? ""}`));
  };
  const leaf = network.add("leaf", { address: "" });
  network.at(3000, () => network.step(leaf, { type: "join", ref: 1, addresses: ["m3:8301"], ignoreOld: false }));
  network.at(4000, () => network.kill(network.host("m4")));
  network.at(5000, () => network.step(network.host("m5"), { type: "leave" }));
  network.at(6000, () =>
    network.step(network.host("m6"), { type: "user-event", ref: 1, name: "e", payload: utf8("x"), coalesce: false }),
  );
  network.at(7000, () => network.freeze(network.host("m7")));
  network.at(8000, () => network.block(network.host("m8")));
  network.at(12_000, () => network.resume(network.host("m7")));
  network.at(14_000, () => network.resume(network.host("m8")));
  network.at(15_000, () => network.step(network.host("m9"), { type: "tags", ref: 1, tags: { a: "b" } }));
  network.at(16_000, () => network.kill(network.host("m3")));
  network.at(18_000, () => network.step(network.host("m0"), { type: "force-leave", ref: 1, name: "m4", prune: false }));
  network.runUntil(30_000);
  return `${hash.toString(16).padStart(16, "0")} ${lines}`;
}

if (import.meta.main === true) {
  const seed = Number(/seed=(\d+)/.exec(process.argv.slice(2).join(" "))?.[1] ?? 1);
  console.log(traceHash(seed));
}
