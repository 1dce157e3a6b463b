import assert from "node:assert/strict";
import { test } from "node:test";
import { buildConfig } from "../../src/config/agent-config.ts";
import { sanitise } from "../../src/config/sanitise.ts";

const build = (settings: Record<string, unknown>): ReturnType<typeof buildConfig> =>
  buildConfig({
    flags: null,
    sources: [
      {
        name: "a.json",
        format: "json",
        text: JSON.stringify({ server: true, data_dir: "/d", bind_addr: "10.0.0.1", node_name: "n", ...settings }),
      },
    ],
    hostname: "h",
    interfaces: [{ name: "e", address: "10.0.0.1", prefixBits: 8, loopback: false }],
  });

const TOKEN = "0123456789abcdef";
const edge = { name: "edge", address: "https://dc.example.com", token: TOKEN };

test("remote datacenters: an address is brought into one form, and a port stays", () => {
  for (const [address, origin] of [
    ["https://dc.example.com", "https://dc.example.com"],
    ["HTTPS://DC.Example.com:8443/", "https://dc.example.com:8443"],
    ["http://[::1]:8304", "http://[::1]:8304"],
  ]) {
    const built = build({ remote_datacenters: [{ ...edge, name: "Edge", address }] });
    assert.ok("config" in built, JSON.stringify(built));
    assert.deepEqual(built.config.remoteDatacenters, [{ name: "edge", address: origin, token: TOKEN }]);
  }
});

test("remote datacenters and gateway: what makes no sense is refused, and the fault named", () => {
  for (const [settings, fault] of [
    [{ remote_datacenters: [{ ...edge, name: "" }] }, /remote_datacenters\[0\]: name "" is no name/],
    [{ remote_datacenters: [edge, { ...edge, address: "dc.example.com" }] }, /remote_datacenters\[1\]: address/],
    [{ remote_datacenters: [{ ...edge, address: "https://u:p@dc.example.com" }] }, /address/],
    [{ remote_datacenters: [{ ...edge, address: "https://dc.example.com/path" }] }, /address/],
    [{ remote_datacenters: [{ ...edge, token: "short" }] }, /token must have 16/],
    [{ remote_datacenters: [{ ...edge, token: "with a blank, so no token" }] }, /token must be printable/],
    [{ remote_datacenters: [{ ...edge, port: 1 }] }, /unknown key "port"/],
    [{ remote_datacenters: [{ ...edge, name: "dc1" }] }, /"dc1" is this agent's own datacenter/],
    [{ remote_datacenters: [edge, edge] }, /"edge" is there twice/],
    [{ ports: { gateway: 8304 } }, /ports.gateway needs gateway_token/],
    [{ gateway_token: "short" }, /gateway_token must have 16/],
    [{ server: false, ports: { gateway: 8304 }, gateway_token: TOKEN }, /ports.gateway is for servers/],
  ] as const) {
    const built = build(settings);
    assert.ok("errors" in built, JSON.stringify(settings));
    assert.match(built.errors.join("\n"), fault);
  }
  const client = build({ server: false, remote_datacenters: [edge] });
  assert.ok("warnings" in client);
  assert.match(client.warnings.join("\n"), /no effect on a client/);
});

test("remote datacenters and gateway: the agent's own description shows no token", () => {
  const built = build({ remote_datacenters: [edge], ports: { gateway: 8304 }, gateway_token: TOKEN });
  assert.ok("config" in built);
  const shown = sanitise(built.config, {
    version: "",
    versionPrerelease: "",
    versionMetadata: "",
    revision: "",
    buildDate: "",
  });
  assert.deepEqual(shown["RemoteDatacenters"], [{ Name: "edge", Address: edge.address, Token: "hidden" }]);
  assert.equal(shown["GatewayPort"], 8304);
  assert.ok(!JSON.stringify(shown).includes(TOKEN));
});
