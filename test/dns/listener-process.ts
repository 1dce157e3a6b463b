// An agent's DNS interface alone, for the tests to ask from outside: `listener-process.ts <node|bun|deno> <address>`. It
// prints its port and ends when its standard input does.

import process from "node:process";
import { serviceFor } from "./ask.ts";
import { MemorySource } from "./memory-source.ts";

const [runtime, address] = process.argv.slice(2) as [string, string];
const { listenDns, recurse } = (await import(
  `../../runtimes/${runtime}/dns.ts`
)) as typeof import("../../runtimes/node/dns.ts");

const source = new MemorySource();
for (let i = 1; i <= 40; i += 1) {
  source.register({ Node: `n${i}`, Address: `10.0.0.${i}`, Service: { Service: "web", Port: 8000 + i, Tags: ["v1"] } });
}
source.register({ Node: "six", Address: "2001:db8::1", NodeMeta: { key: "value" } });
source.recurse = recurse;
const service = serviceFor(source, { recursors: ["127.0.0.1:1"], recursorTimeoutMs: 300, enableTruncate: true });

const listener = await listenDns((packet, transport, from) => service.handle(packet, transport, from), {
  address,
  port: 0,
});
console.log(listener.port);
process.stdin.on("end", () => void listener.close().then(() => process.exit(0)));
process.stdin.resume();
