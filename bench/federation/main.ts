// Two datacenters with a long way between them: what `?dc=` costs beside a local request, and how soon a prepared query has the other
// datacenter's instances when its own are critical.
//   node bench/federation/main.ts [--runtime node|bun|deno] [--delay 10] [--requests 300]
// `--delay` is one way, in milliseconds; the way is a relay in this process, and what it adds itself is measured and shown.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent as HttpAgent, request } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { childEnvironment, freePorts, type RuntimeName, runtimeCommand } from "../../test/conformance/agent-process.ts";
import { Link } from "./link.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const { values: flags } = parseArgs({
  options: {
    runtime: { type: "string", default: "node" },
    delay: { type: "string", default: "10" },
    requests: { type: "string", default: "300" },
  },
});
const [delayMs, requests] = [flags.delay, flags.requests].map(Number) as [number, number];
const PATIENCE_MS = 60_000;

/** Where a datacenter's agents are, and where the other datacenter finds them. */
interface Site {
  readonly datacenter: string;
  readonly near: string;
  readonly far: string;
}
const SITES: readonly [Site, Site] = [
  { datacenter: "dc1", near: "127.0.0.1", far: "127.0.1.1" },
  { datacenter: "dc2", near: "127.0.0.2", far: "127.0.1.2" },
];

interface Running {
  readonly child: ChildProcess;
  readonly host: string;
  readonly http: number;
}

const dir = mkdtempSync(join(tmpdir(), "bench-federation-"));
const children: ChildProcess[] = [];
const links: Link[] = [];
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

function start(site: Site, name: string, ports: readonly number[], words: readonly string[]): Running {
  const [http, server, lan, wan] = ports as [number, number, number, number];
  const command = [
    ...runtimeCommand(flags.runtime as RuntimeName),
    join(root, "agent.ts"),
    "agent",
    `-node=${name}`,
    `-datacenter=${site.datacenter}`,
    `-data-dir=${join(dir, name)}`,
    `-bind=${site.near}`,
    `-client=${site.near}`,
    `-advertise-wan=${site.far}`,
    "-log-level=warn",
    "-grpc-port=-1",
    "-dns-port=-1",
    `-http-port=${http}`,
    `-server-port=${server}`,
    `-serf-lan-port=${lan}`,
    `-serf-wan-port=${wan}`,
    "-retry-interval=1s",
    ...words,
  ];
  const child = spawn(command[0] as string, command.slice(1), {
    env: childEnvironment(),
    stdio: ["ignore", "ignore", "inherit"],
  });
  children.push(child);
  return { child, host: site.near, http };
}

const sockets = new HttpAgent({ keepAlive: true, maxSockets: 1 });

function send(to: Running, method: string, path: string, body = ""): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: to.host, port: to.http, method, path, agent: sockets }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

async function until(what: string, test: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await test().catch(() => false))) {
    if (performance.now() > end) throw new Error(`not in a minute: ${what}`);
    await sleep(100);
  }
}

interface Times {
  readonly median: number;
  readonly p99: number;
}

async function times(ask: () => Promise<unknown>, count = requests): Promise<Times> {
  const list: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const from = performance.now();
    await ask();
    list.push(performance.now() - from);
  }
  list.sort((a, b) => a - b);
  return { median: list[count >> 1] as number, p99: list[Math.floor(count * 0.99)] as number };
}

/** A round trip over such a link alone, nothing but an echo behind it. */
async function linkAlone(): Promise<Times> {
  const [port] = (await freePorts(1)) as [number];
  const echo = createServer({ noDelay: true }, (socket) => socket.pipe(socket).on("error", () => {}));
  echo.listen(port, SITES[0].near);
  await once(echo, "listening");
  const link = await Link.open(SITES[0].far, SITES[0].near, [port], delayMs);
  const socket = connect({ host: SITES[0].far, port, noDelay: true });
  await once(socket, "connect");
  const found = await times(async () => {
    socket.write("x");
    await once(socket, "data");
  });
  socket.destroy();
  link.cut();
  echo.close();
  return found;
}

const show = (name: string, { median, p99 }: Times): void =>
  console.log(`${name.padEnd(62)} ${median.toFixed(2).padStart(8)} ${p99.toFixed(2).padStart(8)}`);

console.log(
  `${flags.runtime}, ${delayMs} ms one way, ${requests} requests one after the other: median and 99 in 100, ms`,
);
const bare = await linkAlone();
show("the link alone, there and back", bare);
const ports = await freePorts(16);
const [a, b] = SITES;
const portsOf = (at: number): number[] => ports.slice(at * 4, at * 4 + 4);
for (const [at, site] of SITES.entries())
  links.push(await Link.open(site.far, site.near, [portsOf(at)[1] as number, portsOf(at)[3] as number], delayMs));
const first = start(a, "s1", portsOf(0), ["-server", "-bootstrap-expect=1"]);
start(b, "s2", portsOf(1), ["-server", "-bootstrap-expect=1", `-retry-join-wan=${a.far}:${portsOf(0)[3]}`]);
const client = start(a, "c1", portsOf(2), [`-retry-join=${a.near}:${portsOf(0)[2]}`]);
await until("dc2 answers through dc1", async () => (await send(first, "PUT", "/v1/kv/k?dc=dc2", "far")).status === 200);
await until("the client has a server", async () => (await send(client, "PUT", "/v1/kv/k", "near")).status === 200);

async function rows(who: string, agent: Running): Promise<void> {
  const get = (query: string) => async (): Promise<void> => {
    const { status, text } = await send(agent, "GET", `/v1/kv/k?raw${query}`);
    if (status !== 200) throw new Error(text);
  };
  await times(get("&dc=dc2"), 20);
  for (const mode of ["", "&stale", "&consistent"]) {
    const here = await times(get(mode));
    const there = await times(get(`${mode}&dc=dc2`));
    show(`${who}: read${mode === "" ? ", default" : `, ${mode.slice(1)}`}: here`, here);
    show(`${who}: the same with ?dc=`, there);
    console.log(
      `${"".padEnd(62)} ${((there.median - here.median) / bare.median).toFixed(2).padStart(8)} round trips more`,
    );
  }
  const put = (query: string) => async (): Promise<void> => void (await send(agent, "PUT", `/v1/kv/w${query}`, "x"));
  show(`${who}: write, here`, await times(put("")));
  show(`${who}: the same with ?dc=`, await times(put("?dc=dc2")));
}
await rows("at a server", first);
await rows("at a client", client);

// Failover: the only instance here becomes critical; there is one in the other datacenter.
const service = { ID: "web", Name: "web", Port: 80, Check: { TTL: "10m", Status: "passing" } };
await send(first, "PUT", "/v1/agent/service/register", JSON.stringify(service));
const elsewhere = { Node: "far", Address: "192.0.2.2", Service: { Service: "web", Port: 81 } };
await send(first, "PUT", "/v1/catalog/register?dc=dc2", JSON.stringify({ ...elsewhere, Datacenter: "dc2" }));
await send(
  first,
  "POST",
  "/v1/query",
  JSON.stringify({ Name: "web", Service: { Service: "web", Failover: { NearestN: 1 } } }),
);
const where = async (): Promise<string> =>
  (JSON.parse((await send(first, "GET", "/v1/query/web/execute")).text) as { Datacenter: string }).Datacenter;
const failovers: number[] = [];
for (let round = 0; round < 20; round += 1) {
  await send(first, "PUT", "/v1/agent/check/pass/service:web");
  await until("the instance here is found", async () => (await where()) === "dc1");
  const from = performance.now();
  await send(first, "PUT", "/v1/agent/check/fail/service:web");
  while ((await where()) !== "dc2") if (performance.now() - from > PATIENCE_MS) throw new Error("no failover");
  failovers.push(performance.now() - from);
}
failovers.sort((x, y) => x - y);
show("failover: from critical here to the instance there (median, worst)", {
  median: failovers[10] as number,
  p99: failovers.at(-1) as number,
});
process.exit(0);
