// How long a Worker's datacenter takes to wake: workerd, an object with so many megabytes of state, ended and asked again.
//
//   node bench/waking.ts [--megabytes 1,10,100] [--catalog 0,1000,10000] [--rounds 10]
import { parseArgs } from "node:util";
import { bundle, HARNESS, LocalWorker } from "../test/runtimes/cloudflare/local-worker.ts";

const { values: flags } = parseArgs({
  options: {
    megabytes: { type: "string", default: "1,10,100" },
    catalog: { type: "string", default: "0,1000,10000" },
    rounds: { type: "string", default: "10" },
  },
});
const KEY_BYTES = 1000;
const OPERATIONS_MAX = 64;
const rounds = Number(flags.rounds);
const { code } = await bundle(HARNESS);

const median = (times: number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1] as number;

async function measure(title: string, fill: (worker: LocalWorker) => Promise<void>, paths: string[]): Promise<void> {
  const worker = await LocalWorker.start({ code });
  try {
    await worker.text("/v1/status/leader");
    await fill(worker);
    for (const path of paths) {
      const cold: number[] = [];
      const warm: number[] = [];
      for (let round = 0; round < rounds; round++) {
        await worker.evict();
        for (const times of [cold, warm]) {
          const startedMs = performance.now();
          const response = await worker.fetch(path);
          await response.arrayBuffer();
          times.push(performance.now() - startedMs);
          if (!response.ok) throw new Error(`${path}: ${response.status}`);
        }
      }
      console.log(
        `${title}: ${path}: ${median(cold).toFixed(1)} ms after an eviction (worst ${Math.max(...cold).toFixed(1)}), ` +
          `${median(warm).toFixed(1)} ms awake`,
      );
    }
  } finally {
    await worker.stop();
  }
}

async function transact(worker: LocalWorker, operations: unknown[]): Promise<void> {
  for (let at = 0; at < operations.length; at += OPERATIONS_MAX) {
    const response = await worker.put("/v1/txn", operations.slice(at, at + OPERATIONS_MAX));
    if (!response.ok) throw new Error(await response.text());
    await response.arrayBuffer();
  }
}

for (const megabytes of flags.megabytes.split(",").map(Number)) {
  const value = Buffer.alloc(KEY_BYTES, "x").toString("base64");
  const keys = (megabytes * 1024 * 1024) / (KEY_BYTES + 50);
  await measure(
    `${megabytes} MB of keys`,
    async (worker) => {
      const operations = Array.from({ length: keys }, (_, at) => ({
        KV: { Verb: "set", Key: `key/${at}`, Value: value },
      }));
      await transact(worker, operations);
    },
    ["/v1/kv/key/7", "/v1/kv/key/7?raw&consistent"],
  );
}
for (const services of flags.catalog.split(",").map(Number)) {
  await measure(
    `${services} services with a check each`,
    async (worker) => {
      const operations = Array.from({ length: services }, (_, at) => {
        const Node = `node-${at % 100}`;
        const ID = `service-${at}`;
        return [
          ...(at < 100 ? [{ Node: { Verb: "set", Node: { Node, Address: `10.0.0.${at}` } } }] : []),
          { Service: { Verb: "set", Node, Service: { ID, Service: `web-${at % 500}`, Port: 80, Tags: ["v1"] } } },
          {
            Check: {
              Verb: "set",
              Check: { Node, CheckID: `check-${at}`, Name: "alive", Status: "passing", ServiceID: ID },
            },
          },
        ];
      }).flat();
      await transact(worker, operations);
    },
    ["/v1/kv/none?keys&recurse=", "/v1/health/service/web-7"].slice(1),
  );
}
