// What encryption costs a call between agents: both sides in one process, no network. Microseconds for each call and its
// answer of 100 bytes, sealed, opened, sealed and opened, for bodies of several sizes, one call at a time; by the clock, and of
// all processors (which other programs on the machine distort less).
//
//   node bench/rpc/sealed-calls.ts        bun bench/rpc/sealed-calls.ts        deno run -A bench/rpc/sealed-calls.ts
import { cipher } from "../../runtimes/node/cipher.ts";
import { RefusalLog } from "../../src/rpc/refusal-log.ts";
import { Seal } from "../../src/rpc/seal.ts";
import { type DoorHandle, SealedDoor, SealedPeers } from "../../src/rpc/sealed-peers.ts";

const SIZES = [200, 2048, 16_384, 65_536, 1_048_576];
const RUN_MS = 500;
const PATH = "/rpc/1/call";
const answer = new Uint8Array(100);

const source = {
  wall: () => Date.now(),
  random: (length: number) => crypto.getRandomValues(new Uint8Array(length)),
  cipher,
};
const keys = [source.random(32)];
const refusals = new RefusalLog(
  () => performance.now(),
  (message, fields) => console.error(message, fields),
);
const options = (name: string) => ({
  seal: new Seal({ keys, name, platform: source }),
  now: () => performance.now(),
  wall: source.wall,
  refusals,
});

const handle: DoorHandle = () => Promise.resolve(answer);
const door = new SealedDoor(handle, options("b"), false);
const peers = new SealedPeers({ call: (_address, path, body) => door.handle(path, body, "") }, options("a"));

async function microseconds(body: Uint8Array): Promise<{ clock: number; cpu: number }> {
  let calls = 0;
  const begun = performance.now();
  const before = process.cpuUsage();
  while (performance.now() - begun < RUN_MS) {
    for (let i = 0; i < 10; i += 1) await peers.call("b", PATH, body, 10_000);
    calls += 10;
  }
  const { user, system } = process.cpuUsage(before);
  return { clock: ((performance.now() - begun) * 1000) / calls, cpu: (user + system) / calls };
}

const runtime = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";
console.log("runtime  bytes      clock µs   cpu µs");
for (const size of SIZES) {
  const body = new Uint8Array(size);
  await microseconds(body);
  const { clock, cpu } = await microseconds(body);
  console.log(runtime.padEnd(8), String(size).padEnd(10), clock.toFixed(1).padEnd(10), cpu.toFixed(1));
}
