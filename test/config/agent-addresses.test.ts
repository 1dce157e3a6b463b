import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentConfig } from "../../src/config/agent-config.ts";
import { build, built, errorsOf, type Given } from "./build.ts";

const client = (more: Record<string, unknown>): Given => ({ json: { data_dir: "d", ...more } });
const tcp = (host: string, port: number): { type: "tcp"; host: string; port: number } => ({ type: "tcp", host, port });

type Pick = (config: AgentConfig) => unknown;
const readings: readonly [string, Given, Pick, unknown][] = [
  [
    "0.0.0.0 advertises the one private address",
    client({}),
    (c) => [c.bindAddress, c.advertiseAddress, c.advertiseAddressWan],
    ["0.0.0.0", "10.0.0.1", "10.0.0.1"],
  ],
  [":: advertises the one public address", client({ bind_addr: "::" }), (c) => c.advertiseAddress, "2606:4700::1"],
  ["[::] is ::", client({ bind_addr: "[::]" }), (c) => c.bindAddress, "::"],
  ["what is bound to is advertised", client({ bind_addr: "1.2.3.4" }), (c) => c.advertiseAddress, "1.2.3.4"],
  [
    "advertise_addr wins",
    client({ advertise_addr: "1.2.3.4" }),
    (c) => [c.advertiseAddress, c.advertiseAddressWan],
    ["1.2.3.4", "1.2.3.4"],
  ],
  [
    "advertise_addr_wan is its own",
    client({ advertise_addr: "1.2.3.4", advertise_addr_wan: "5.6.7.8" }),
    (c) => ({ ...c.taggedAddresses }),
    { lan: "1.2.3.4", lan_ipv4: "1.2.3.4", wan: "5.6.7.8", wan_ipv4: "5.6.7.8" },
  ],
  [
    "addresses by family",
    client({ bind_addr: "1.2.3.4", advertise_addr_ipv6: "fd00::1", advertise_addr_wan_ipv4: "9.9.9.9" }),
    (c) => ({ ...c.taggedAddresses }),
    { lan: "1.2.3.4", lan_ipv4: "1.2.3.4", lan_ipv6: "fd00::1", wan: "1.2.3.4", wan_ipv4: "9.9.9.9" },
  ],
  [
    "tagged_addresses are kept, lan and wan are the agent's",
    client({ bind_addr: "1.2.3.4", tagged_addresses: { rack: "r1", lan: "x" } }),
    (c) => ({ ...c.taggedAddresses }),
    { rack: "r1", lan: "1.2.3.4", lan_ipv4: "1.2.3.4", wan: "1.2.3.4", wan_ipv4: "1.2.3.4" },
  ],
  [
    "a template for bind_addr",
    client({ bind_addr: '{{ GetInterfaceIP "eth0" }}' }),
    (c) => [c.bindAddress, c.gossipLan.bindAddress],
    ["10.0.0.1", "10.0.0.1"],
  ],
  [
    "a template for advertise_addr",
    client({ advertise_addr: "{{ GetPublicIP }}" }),
    (c) => c.advertiseAddress,
    "8.8.8.8",
  ],
  [
    "client_addr may be several",
    client({ client_addr: "127.0.0.1 10.0.0.1" }),
    (c) => c.addresses.http,
    [tcp("127.0.0.1", 8500), tcp("10.0.0.1", 8500)],
  ],
  [
    "client_addr by template",
    client({ client_addr: "{{ GetPrivateIPs }} 127.0.0.1" }),
    (c) => c.clientAddresses,
    ["10.0.0.1", "127.0.0.1"],
  ],
  [
    "addresses of their own",
    client({ addresses: { http: "1.1.1.1 unix:///run/a.sock", dns: "2.2.2.2" }, ports: { https: 1 } }),
    (c) => [c.addresses.http, c.addresses.dns, c.addresses.https],
    [[tcp("1.1.1.1", 8500), { type: "unix", path: "/run/a.sock" }], [tcp("2.2.2.2", 8600)], [tcp("127.0.0.1", 1)]],
  ],
  [
    "a port that is off listens nowhere",
    client({ ports: { http: -1, dns: 0 } }),
    (c) => [c.addresses.http, c.addresses.dns, c.ports.http, c.ports.dns],
    [[], [], -1, -1],
  ],
  ["no client address", client({ client_addr: "" }), (c) => c.addresses.http, []],
  [
    "gossip addresses of their own",
    client({ bind_addr: "1.2.3.4", serf_lan: "5.5.5.5", serf_wan: "6.6.6.6", advertise_addr_wan: "7.7.7.7" }),
    (c) => [
      c.gossipLan.bindAddress,
      c.gossipWan?.bindAddress,
      c.gossipLan.advertiseAddress,
      c.gossipWan?.advertiseAddress,
    ],
    ["5.5.5.5", "6.6.6.6", "1.2.3.4", "7.7.7.7"],
  ],
  ["no WAN pool", client({ ports: { serf_wan: -1 } }), (c) => c.gossipWan, null],
  [
    "recursors, templates expanded, each once",
    client({ recursors: ["1.1.1.1", '{{ printf "5.6.7.8:53 1.1.1.1" }}', "[2606:4700::1111]:53"] }),
    (c) => c.recursors,
    ["1.1.1.1", "5.6.7.8:53", "[2606:4700::1111]:53"],
  ],
  [
    "an IPv6 address in its short form",
    client({ bind_addr: "FD00:0:0::1", client_addr: "::1" }),
    (c) => [c.advertiseAddress, c.taggedAddresses["lan_ipv6"], c.addresses.http],
    ["fd00::1", "fd00::1", [tcp("::1", 8500)]],
  ],
];

for (const [name, given, pick, wanted] of readings) {
  test(`addresses: ${name}`, () => assert.deepEqual(pick(built(given)), wanted));
}

const refusals: readonly [string, Given, string][] = [
  ["an empty bind_addr", client({ bind_addr: "" }), "bind_addr cannot be empty"],
  [
    "two bind addresses",
    client({ bind_addr: "127.0.0.1 127.0.0.2" }),
    "bind_addr cannot contain multiple addresses. Use 'addresses.{dns,http,https}' instead.",
  ],
  ["a socket as bind_addr", client({ bind_addr: "unix:///foo" }), "bind_addr cannot be a unix socket"],
  ["a name as bind_addr", client({ bind_addr: "localhost" }), "bind_addr: invalid ip address: localhost"],
  ["a socket as client_addr", client({ client_addr: "unix:///foo" }), "client_addr cannot be a unix socket"],
  ["a socket for DNS", client({ addresses: { dns: "unix:///foo" } }), "DNS address cannot be a unix socket"],
  ["advertise_addr any", client({ advertise_addr: "0.0.0.0" }), "Advertise address cannot be 0.0.0.0, :: or [::]"],
  [
    "advertise_addr_wan any",
    client({ advertise_addr_wan: "::" }),
    "Advertise WAN address cannot be 0.0.0.0, :: or [::]",
  ],
  [
    "two advertise addresses",
    client({ advertise_addr: "1.1.1.1 2.2.2.2" }),
    "advertise_addr: multiple addresses found: 1.1.1.1 2.2.2.2",
  ],
  ["the wrong family", client({ advertise_addr_ipv4: "::1" }), "advertise_addr_ipv4 must be an ipv4 address"],
  [
    "the wrong WAN family",
    client({ advertise_addr_wan_ipv6: "1.1.1.1" }),
    "advertise_addr_wan_ipv6 must be an ipv6 address",
  ],
  ["a recursor any", client({ recursors: ["::"] }), "DNS recursor address cannot be 0.0.0.0, :: or [::]"],
  ["a recursor's socket", client({ recursors: ["unix:///x"] }), "DNS Recursors cannot be unix sockets: unix:///x"],
  [
    "a bad template",
    client({ bind_addr: "{{ Nope }}" }),
    'bind_addr: error parsing "{{ Nope }}": the template function "Nope" is not supported',
  ],
  [
    "DNS and HTTP on one address",
    client({ client_addr: "1.2.3.4", ports: { dns: 1000, http: 1000 } }),
    "HTTP address 1.2.3.4:1000 already configured for DNS",
  ],
  [
    "HTTP and HTTPS on one address",
    client({ client_addr: "1.2.3.4", ports: { http: 1000, https: 1000 } }),
    "HTTPS address 1.2.3.4:1000 already configured for HTTP",
  ],
  [
    "HTTP on the servers' port",
    client({ client_addr: "10.0.0.1", ports: { http: 1000, server: 1000 } }),
    "RPC Advertise address 10.0.0.1:1000 already configured for HTTP",
  ],
  [
    "servers and LAN on one port",
    client({ ports: { server: 1000, serf_lan: 1000 } }),
    "Serf Advertise LAN address 10.0.0.1:1000 already configured for RPC Advertise",
  ],
  [
    "servers and WAN on one port",
    client({ ports: { server: 1000, serf_wan: 1000 } }),
    "Serf Advertise WAN address 10.0.0.1:1000 already configured for RPC Advertise",
  ],
  ["no private address", { ...client({}), interfaces: [] }, "No private IPv4 address found"],
  [
    "two private addresses",
    {
      ...client({}),
      interfaces: ["10.0.0.1", "10.0.0.2"].map((address) => ({ name: "x", address, prefixBits: 8, loopback: false })),
    },
    "Multiple private IPv4 addresses found. Please configure one with 'bind' and/or 'advertise'.",
  ],
  ["no public address", { ...client({ bind_addr: "::" }), interfaces: [] }, "No public IPv6 address found"],
];

for (const [name, given, message] of refusals) {
  test(`addresses: ${name} is refused`, () => assert.deepEqual(errorsOf(given), [message]));
}

test("addresses: a runtime without interfaces needs an address, and takes templates that need none", () => {
  const unknown = { interfaces: null };
  assert.match(errorsOf({ ...client({}), ...unknown })[0] ?? "", /^Error detecting private IPv4 address: this runtime/);
  assert.match(
    errorsOf({ ...client({ bind_addr: "{{ GetPrivateIP }}" }), ...unknown })[0] ?? "",
    /this runtime does not tell/,
  );
  assert.equal(
    built({ ...client({ advertise_addr: '{{ printf "1.2.3.4" }}' }), ...unknown }).advertiseAddress,
    "1.2.3.4",
  );
  assert.ok("config" in build({ flags: ["-dev"], ...unknown }));
});
