// How long a look-up and a choice take, with a thousand instances in memory, and how heavy the client is in a bundle.
//   node bench/client/main.ts
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";
import { createClient } from "../../src/client/index.ts";

const INSTANCES = 1_000;
const ROUNDS = 200_000;
const entries = Array.from({ length: INSTANCES }, (_, at) => ({
  Node: { Node: `n${at}`, Address: "10.0.0.1", Meta: {} },
  Service: { ID: `web-${at}`, Service: "web", Tags: [], Meta: {}, Address: `10.0.${at >> 8}.${at & 255}`, Port: 80 },
  Checks: [],
}));
const client = createClient({
  fetch: async () => new Response(JSON.stringify(entries), { headers: { "X-Consul-Index": "1" } }),
});
const web = client.discover("web", { background: false, freshMs: Infinity });
await web.ready();

function measure(what: string, act: () => unknown): void {
  for (let round = 0; round < ROUNDS / 10; round += 1) act();
  const start = performance.now();
  for (let round = 0; round < ROUNDS; round += 1) act();
  console.log(`${what}: ${(((performance.now() - start) * 1_000) / ROUNDS).toFixed(2)} µs`);
}
measure(`look-up of ${INSTANCES} instances`, () => web.lookup());
measure(`choice among ${INSTANCES} instances`, () => web.pick());

const { outputFiles } = buildSync({
  entryPoints: [fileURLToPath(new URL("../../src/client/index.ts", import.meta.url))],
  bundle: true,
  minify: true,
  format: "esm",
  write: false,
});
const bundle = outputFiles[0]?.contents ?? new Uint8Array(0);
console.log(`all of the client: ${bundle.length} bytes, ${gzipSync(bundle, { level: 9 }).length} after gzip`);
